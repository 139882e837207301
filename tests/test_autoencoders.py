"""The convolutional autoencoders: layers as published, sizes, what is bounded, and what a skip carries."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from petseg_utils.errors import UsageError
from petseg_utils.models import build_autoencoder, build_model, count_parameters
from petseg_utils.models.autoencoders import Autoencoder, UNetAutoencoder

CONVOLUTIONAL = ("ae-simple", "ae-improved", "ae-unet")
every_autoencoder = pytest.mark.parametrize("name", CONVOLUTIONAL)


def seeded(name, **options):
    torch.manual_seed(0)
    return build_autoencoder(name, **options)


def kinds(module):
    return [type(layer) for layer in module.modules() if not list(layer.children())]


def test_layers_are_the_published_ones():
    conv, relu, pool, up = nn.Conv2d, nn.ReLU, nn.MaxPool2d, nn.ConvTranspose2d
    simple = build_autoencoder("ae-simple")
    assert kinds(simple) == [conv, relu, pool] * 2 + [up, relu, up]
    improved = build_autoencoder("ae-improved")
    block = [conv, nn.BatchNorm2d, nn.LeakyReLU]
    assert kinds(improved) == block * 3 + block * 2 + [conv]
    assert improved.encoder.channels == (32, 64, 128) and improved.encoder.strides == (2, 4, 8)
    assert [stage[0].stride for stage in improved.encoder.stages] == [(2, 2)] * 3
    unet = build_autoencoder("ae-unet")
    assert kinds(unet) == [conv, relu, conv, relu, pool] * 5 + [up] * 5 + [conv, relu, conv, relu] * 5 + [conv]
    assert unet.encoder.strides == (2, 4, 8, 16, 32) and unet.head.kernel_size == (1, 1)


def test_the_simple_one_has_the_parameters_that_a_hand_counts():
    # 3x3 convolutions 3 -> 2 -> 4, 2x2 transposed ones 4 -> 2 -> 3, all with a bias.
    assert count_parameters(build_autoencoder("ae-simple", width=2)) == (54 + 2) + (72 + 4) + (32 + 2) + (24 + 3)


@every_autoencoder
def test_one_class_serves_both_tasks(name):
    assert type(build_model(name)) is type(build_autoencoder(name))


@every_autoencoder
def test_maps_have_the_channels_and_strides_that_the_encoder_says(name):
    encoder = seeded(name).encoder
    maps = encoder(torch.rand(2, 3, 64, 96))
    assert [m.shape for m in maps] == [(2, c, 64 // s, 96 // s) for c, s in
                                       zip(encoder.channels, encoder.strides, strict=True)]


@every_autoencoder
def test_reconstructions_are_bounded_by_a_sigmoid_where_the_study_has_one(name):
    model, images = seeded(name).eval(), torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
        pixels, logits = model.reconstruct(images), model(images)
    if name == "ae-unet":
        assert torch.equal(pixels, logits)
    else:
        torch.testing.assert_close(pixels, 1 / (1 + (-logits).exp()))


@every_autoencoder
def test_loss_is_the_mean_squared_error_of_what_is_reconstructed(name):
    model, images = seeded(name).eval(), torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        expected = ((model.reconstruct(images) - images) ** 2).mean()
        torch.testing.assert_close(model.loss(images), expected)


@pytest.mark.parametrize(("name", "stride"), [("ae-simple", 4), ("ae-improved", 8), ("ae-unet", 32)])
def test_sizes_that_do_not_divide_are_refused_with_a_sentence(name, stride):
    model = seeded(name).eval()
    with torch.no_grad():
        assert model(torch.rand(1, 3, 64 + stride, 64)).shape == (1, 3, 64 + stride, 64)
        with pytest.raises(UsageError) as raised:
            model(torch.rand(1, 3, 64, 65))
    assert str(raised.value) == (f"images of 65 x 64 pixels do not divide into squares of {stride}: give sides that "
                                 f"are multiples of {stride}")


@pytest.mark.parametrize("name", ["ae-improved", "ae-unet"])
def test_without_skips_only_the_last_map_reaches_the_decoder(name):
    images = torch.rand(1, 3, 64, 64)
    for skips in (False, True):
        model = seeded(name, skips=skips).eval()
        with torch.no_grad():
            maps = model.encoder(images)
            cut = model.decode([torch.zeros_like(m) for m in maps[:-1]] + maps[-1:])
            assert torch.equal(cut, model(images)) != skips
            assert not torch.equal(model.decode([*maps[:-1], torch.zeros_like(maps[-1])]), model(images))


def test_skips_change_the_decoder_and_leave_the_encoder():
    plain, skips = build_autoencoder("ae-unet"), build_autoencoder("ae-unet", skips=True)
    skips.encoder.load_state_dict(plain.encoder.state_dict())
    assert count_parameters(skips) > count_parameters(plain)


def test_the_bilinear_decoder_written_out_a_second_time():
    model = seeded("ae-improved", width=4, skips=True).eval()
    images = torch.rand(2, 3, 32, 48)
    with torch.no_grad():
        fine, middle, x = model.encoder(images)
        for (conv, norm, act), skip in zip(model.up, (middle, fine), strict=True):
            x = F.interpolate(x, size=skip.shape[-2:], mode="bilinear", align_corners=False)
            x = act(norm(conv(torch.cat([skip, x], dim=1))))
        x = F.interpolate(x, size=images.shape[-2:], mode="bilinear", align_corners=False)
        torch.testing.assert_close(model(images), model.head(x))


def test_an_autoencoder_can_learn_a_photo_by_heart():
    torch.manual_seed(0)
    model: Autoencoder = UNetAutoencoder(width=8, depth=2)
    images = F.interpolate(torch.rand(2, 3, 4, 4), size=(32, 32), mode="bilinear")
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    first = model.loss(images).item()
    for _ in range(120):
        optimizer.zero_grad()
        loss = model.loss(images)
        loss.backward()
        optimizer.step()
    assert loss.item() < first / 10


def test_the_signal_survives_the_unet_autoencoders_layers():
    """He's weights keep the size of what passes, forward and from layer to layer; torch's own would let it fade."""
    model, images = seeded("ae-unet"), torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        sizes = [m.square().mean() for m in model.encoder(images)]
        assert 0.1 < sizes[-1] / sizes[0] < 10 and 0.05 < model(images).square().mean() / sizes[-1] < 20
