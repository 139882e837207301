"""Every model through one tester, and the UNet against its parameter formula and a second, plainer forward pass."""

import pytest
import torch
import torch.nn.functional as F
from making_runs import FLOAT32, small_model
from safetensors.torch import load_file, save_file
from torch import nn

from petseg_utils.errors import UsageError
from petseg_utils.models import AUTOENCODER_NAMES, MODEL_NAMES, PROMPT_NAMES, build_model, count_parameters
from petseg_utils.models.unet import DoubleConv, UNet, Up
from petseg_utils.models.unet_resattn import AttentionGate, AttentionPool, ResidualBlock
from petseg_utils.training.record import count_macs

every_model = pytest.mark.parametrize("name", MODEL_NAMES)
ODD_SIZES = [(33, 47), (64, 35), (37, 96)]  # those with an encoder of their own refuse what does not divide


@pytest.mark.parametrize(("name", "size"), [
    (name, size) for name in MODEL_NAMES
    for size in [(64, 64), (32, 32), (32, 96)] + (ODD_SIZES if name not in AUTOENCODER_NAMES else [])])
@pytest.mark.parametrize("batch", [1, 2])
def test_logits_have_the_images_size(name, batch, size):
    model = small_model(name).eval()
    images = torch.rand(batch, 3, *size)
    with torch.no_grad():
        logits = model(images)
    assert logits.shape == (batch, 3, *size)
    assert torch.isfinite(logits).all()


@every_model
def test_training_batches_of_one_and_two_work(name):
    model = small_model(name).train()
    for batch in (1, 2):
        model(torch.rand(batch, 3, 64, 64)).mean().backward()


@every_model
def test_gradients_reach_every_parameter(name):
    model, images = small_model(name).train(), torch.rand(2, 3, 64, 64)
    if name in PROMPT_NAMES:
        prompts = torch.rand(2, model.planes, 64, 64)
        logits = model.select(model.embed(model.encode(images), images), prompts)
        assert logits.shape == (2, 4, 64, 64)
    else:
        logits = model(images)
    logits.square().mean().backward()
    for parameter, tensor in model.named_parameters():
        if tensor.requires_grad:  # an encoder may be frozen
            assert tensor.grad is not None and tensor.grad.abs().sum() > 0, parameter


@every_model
def test_there_is_no_softmax_inside(name):
    """Probabilities lie in [0, 1] and sum to 1, log-probabilities have exponentials that do."""
    model = small_model(name).eval()
    with torch.no_grad():
        for parameter in filter(lambda p: p.requires_grad, model.parameters()):
            parameter.mul_(3)  # fresh weights may give logits that happen to look like probabilities
        logits = model(torch.rand(2, 3, 64, 64))
    ones = torch.ones(2, 64, 64)
    assert logits.min() < 0
    assert not torch.allclose(logits.sum(1), ones, atol=0.01)
    assert not torch.allclose(logits.exp().sum(1), ones, atol=0.01)


@every_model
def test_eval_is_deterministic_and_each_image_is_alone(name):
    model = small_model(name).eval()
    images = torch.rand(3, 3, 64, 64)
    with torch.no_grad():
        once, again, alone = model(images), model(images), model(images[1:2])
    assert torch.equal(once, again)
    torch.testing.assert_close(alone[0], once[1], rtol=1e-4, atol=1e-5)


@every_model
def test_the_input_is_left_as_it_was(name):
    images = torch.rand(2, 3, 64, 64)
    before = images.clone()
    small_model(name).train()(images)
    assert torch.equal(images, before)


@every_model
def test_weights_survive_a_file(name, tmp_path):
    model, images = small_model(name), torch.rand(2, 3, 64, 64)
    model.train()(images)  # so that batch norm has statistics of its own to lose
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, tmp_path / "weights.safetensors")
    other = small_model(name, seed=1)
    with torch.no_grad():
        assert not torch.equal(other.eval()(images), model.eval()(images))
        other.load_state_dict(load_file(tmp_path / "weights.safetensors"))
        assert torch.equal(other(images), model(images))


def test_unknown_names_are_refused_with_a_sentence():
    with pytest.raises(UsageError, match=r"^unknown model 'unett': choose one of unet"):
        build_model("unett")
    with pytest.raises(UsageError, match=r"^model 'unet' has no option 'widht': choose among width, depth, skips$"):
        build_model("unet", widht=4)


def test_unet_sizes_that_cannot_work_are_refused_with_a_sentence():
    for options in ({"width": 0}, {"depth": 0}, {"width": -4}):
        with pytest.raises(UsageError, match=r"both must be 1 or more$"):
            build_model("unet", **options)
    deep = UNet(width=1, depth=6).eval()
    assert deep(torch.rand(1, 3, 64, 70)).shape == (1, 3, 64, 70)
    with pytest.raises(UsageError, match=r"63 x 64 pixels are too small .* give 64 pixels or more"):
        deep(torch.rand(1, 3, 64, 63))


def double_conv_parameters(inputs: int, outputs: int) -> int:
    """Two bias-free 3x3 convolutions, each with a batch norm's scale and shift."""
    return 9 * inputs * outputs + 2 * outputs + 9 * outputs * outputs + 2 * outputs


def unet_parameters(width: int, depth: int) -> int:
    total = double_conv_parameters(3, width)
    for level in range(depth):
        narrow, wide = width * 2**level, width * 2 ** (level + 1)
        total += double_conv_parameters(narrow, wide)  # down
        total += wide * narrow + narrow  # the 1x1 convolution, with its bias
        total += double_conv_parameters(2 * narrow, narrow)  # up
    return total + 3 * width + 3  # head


@pytest.mark.parametrize(("width", "depth"), [(1, 1), (4, 3), (16, 4), (64, 4)])
def test_unet_has_the_reports_number_of_parameters(width, depth):
    assert count_parameters(UNet(width=width, depth=depth)) == unet_parameters(width, depth)


def test_unet_parameter_formula_by_hand():
    """Width 1, depth 1: stem 27 + 9 + 4, down 18 + 36 + 8, up 2 + 1 + 18 + 9 + 4, head 3 + 3."""
    assert unet_parameters(1, 1) == 40 + 62 + 34 + 6 == 142
    assert count_parameters(build_model("unet")) == unet_parameters(16, 4)  # the defaults


def test_count_parameters_leaves_frozen_ones_out():
    model = UNet(width=2, depth=1)
    before = count_parameters(model)
    model.head.requires_grad_(False)
    assert count_parameters(model) == before - (3 * 2 + 3)


def plain_double_conv(x, block: DoubleConv):
    for conv, norm in ((block[0], block[1]), (block[3], block[4])):
        x = F.conv2d(x, conv.weight, padding=1)
        x = (x - norm.running_mean[:, None, None]) / (norm.running_var[:, None, None] + norm.eps).sqrt()
        x = F.relu(x * norm.weight[:, None, None] + norm.bias[:, None, None])
    return x


def upsample_first(x, skip, up: Up):
    """A decoder level as the report has it: upsample, then reduce the channels."""
    x = F.interpolate(x, size=skip.shape[-2:], mode="bilinear", align_corners=False)
    x = F.conv2d(x, up.reduce.weight, up.reduce.bias)
    return plain_double_conv(torch.cat([skip, x], 1), up.fuse)


@pytest.mark.parametrize("size", [(64, 64), (45, 70)])
def test_unet_computes_what_the_report_draws(size):
    """Encoder with max pooling, bilinear decoder, skip concatenation, written out a second time; and so the
    commutation of 1x1 convolution and upsampling that ``Up`` relies on."""
    torch.manual_seed(0)
    model = UNet(width=3, depth=3).double()
    model.train()(torch.rand(4, 3, 64, 64, dtype=torch.float64))  # batch norm's statistics are no longer 0 and 1
    model.eval()
    images = torch.rand(2, 3, *size, dtype=torch.float64)
    with torch.no_grad():
        skips = [plain_double_conv(images, model.stem)]
        for block in model.down:
            skips.append(plain_double_conv(F.max_pool2d(skips[-1], 2), block))
        x = skips.pop()
        for up in model.up:
            x = upsample_first(x, skips.pop(), up)
        expected = F.conv2d(x, model.head.weight, model.head.bias)
        torch.testing.assert_close(model(images), expected, rtol=1e-9, atol=1e-9)


def test_unet_levels_double_in_width():
    model = UNet(width=4, depth=3)
    assert [block[0].out_channels for block in (model.stem, *model.down)] == [4, 8, 16, 32]
    assert [up.reduce.out_channels for up in model.up] == [16, 8, 4]


def test_without_skips_the_encoders_maps_do_not_reach_the_decoder():
    torch.manual_seed(0)
    model = UNet(width=4, depth=2, skips=False).eval()
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        bottleneck = model.down[1](model.pool[1](model.down[0](model.pool[0](model.stem(images)))))
        x = bottleneck
        for up in model.up:
            x = up.fuse(F.interpolate(up.reduce(x), scale_factor=2, mode="bilinear", align_corners=False))
        torch.testing.assert_close(model(images), model.head(x))
    assert count_parameters(model) < count_parameters(UNet(width=4, depth=2))


def test_attention_pooling_begins_as_average_pooling_and_can_become_max_pooling():
    torch.manual_seed(0)
    x = torch.rand(2, 3, 9, 12) + 0.5
    pool = AttentionPool(3)
    torch.testing.assert_close(pool(x), F.avg_pool2d(x, 2))
    with torch.no_grad():
        pool.score.weight.copy_(20 * torch.eye(3)[..., None, None])
        pool.BOUND = 1e4
        window = torch.stack([torch.randperm(4) for _ in range(3)]).reshape(1, 3, 2, 2) / 2  # .5 apart: e^10 decides
        torch.testing.assert_close(pool(window), F.max_pool2d(window, 2), atol=0.001, rtol=0)


def test_attention_pooling_is_a_softmax_over_the_window():
    torch.manual_seed(0)
    pool, x = AttentionPool(2), torch.randn(1, 2, 4, 6)
    with torch.no_grad():
        pool.score.weight.normal_()
        scores = pool.scores(x)
        assert scores.abs().max() < pool.BOUND
        windows = F.unfold(x, 2, stride=2).reshape(1, 2, 4, -1)
        weights = F.unfold(scores, 2, stride=2).reshape(1, 2, 4, -1).softmax(dim=2)
        expected = (windows * weights).sum(dim=2).reshape(1, 2, 2, 3)
        torch.testing.assert_close(pool(x), expected)


def test_an_attention_gate_scales_every_pixel_of_the_skip_by_one_number():
    torch.manual_seed(0)
    gate, skip, x = AttentionGate(4), torch.randn(2, 4, 5, 7), torch.randn(2, 4, 5, 7)
    with torch.no_grad():
        attention = gate.attention(skip, x)
        assert attention.shape == (2, 1, 5, 7) and 0 < attention.min() and attention.max() < 1
        torch.testing.assert_close(gate(skip, x), skip * attention)
        assert (gate.attention(skip, x + 1) != attention).any()  # the decoder has a say


def test_a_residual_block_with_nothing_to_add_passes_its_input_on():
    block = ResidualBlock(3, 3).eval()
    with torch.no_grad():
        block.residual[4].weight.zero_()
        x = torch.rand(1, 3, 6, 6)
        torch.testing.assert_close(block(x), x)
    assert isinstance(block.shortcut, nn.Identity) and not isinstance(ResidualBlock(3, 4).shortcut, nn.Identity)


def test_attention_is_counted_though_torch_has_a_fast_path_for_it():
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)

        def forward(self, images):
            return self.block(images.flatten(2)[:, :1].transpose(1, 2).expand(-1, -1, 8))

    n, d = 64, 8
    projections, attention, mlp = 4 * n * d * d, 2 * n * n * d, 2 * n * d * 16
    assert count_macs(Tokens(), 8, FLOAT32) == projections + attention + mlp
    assert torch.backends.mha.get_fastpath_enabled()


def test_resattn_costs_about_what_the_unet_costs():
    plain, attentive = (count_macs(build_model(name), 64, FLOAT32) for name in ("unet", "unet-resattn"))
    assert 1 < attentive / plain < 1.15
    assert 1 < count_parameters(build_model("unet-resattn")) / count_parameters(build_model("unet")) < 1.15
