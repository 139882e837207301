"""The masked autoencoder: masks exact and seeded, only hidden patches in the loss, only visible ones in the encoder."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from petseg_utils.errors import UsageError
from petseg_utils.models.mae import MAESegmenter, MaskedAutoencoder, random_hidden
from petseg_utils.models.query_decoder import QueryDecoder
from petseg_utils.models.vit import Attention, Block, ViTEncoder, patchify, positions, unpatchify

SMALL = {"patch": 8, "dim": 16, "depth": 2, "heads": 2}


def small_mae(**options):
    torch.manual_seed(0)
    return MaskedAutoencoder(**SMALL, decoder_dim=8, decoder_depth=1, **options).eval()


@pytest.mark.parametrize("ratio", [0.1, 0.5, 0.75, 0.9])
def test_every_photo_hides_exactly_the_ratio(ratio):
    hidden = random_hidden(7, 64, ratio)
    assert hidden.dtype == torch.bool and hidden.sum(1).tolist() == [round(ratio * 64)] * 7


def test_masks_are_seeded_and_differ_between_photos():
    one, same, other = (random_hidden(8, 64, 0.75, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert len({tuple(row.tolist()) for row in one}) == 8
    torch.manual_seed(5)
    first = random_hidden(2, 64, 0.75)
    torch.manual_seed(5)
    assert torch.equal(first, random_hidden(2, 64, 0.75))


def test_every_patch_is_hidden_equally_often():
    share = random_hidden(4000, 16, 0.75, torch.Generator().manual_seed(0)).float().mean(0)
    assert (share - 0.75).abs().max() < 0.03


@pytest.mark.parametrize("ratio", [0, 0.001, 0.999, 1])
def test_a_ratio_that_hides_nothing_or_all_is_refused_with_a_sentence(ratio):
    with pytest.raises(UsageError, match=rf"^mask ratio {ratio} hides \d+ of 64 patches: give one that hides some"):
        random_hidden(1, 64, ratio)


def test_patches_are_cut_row_by_row_and_put_back():
    images = torch.rand(2, 3, 16, 24)
    patches = patchify(images, 8)
    assert patches.shape == (2, 6, 192)
    assert torch.equal(unpatchify(patches, 8, 16, 24), images)
    assert torch.equal(patches[:, 1].sort().values, images[:, :, :8, 8:16].flatten(1).sort().values)
    assert torch.equal(patches[:, 3].sort().values, images[:, :, 8:, :8].flatten(1).sort().values)


def test_the_loss_ignores_visible_patches():
    """Where the targets of visible patches are spoiled, the loss stays; spoiling hidden ones changes it."""
    model, images = small_mae(), torch.rand(2, 3, 32, 32)
    hidden = model.hide(images, torch.Generator().manual_seed(3))
    targets, loss = model.targets(images), model.loss(images, torch.Generator().manual_seed(3))
    for spoiled, same in ((~hidden, True), (hidden, False)):
        model.targets = lambda _, where=spoiled: targets + 100 * where[..., None]
        assert torch.equal(model.loss(images, torch.Generator().manual_seed(3)), loss) is same


def test_the_loss_by_hand():
    model, images = small_mae(normalised=False), torch.rand(3, 3, 32, 32)
    hidden = model.hide(images, torch.Generator().manual_seed(1))
    predicted, patches = model(images, hidden), patchify(images, 8)
    expected = sum(F.mse_loss(predicted[b, n], patches[b, n]) for b, n in hidden.nonzero().tolist()) / hidden.sum()
    torch.testing.assert_close(model.loss(images, torch.Generator().manual_seed(1)), expected)


def test_what_is_hidden_never_enters_the_network():
    model, images = small_mae(), torch.rand(2, 3, 32, 32)
    hidden = model.hide(images)
    other = unpatchify(torch.where(hidden[..., None], torch.rand(2, 16, 192), patchify(images, 8)), 8, 32, 32)
    assert torch.equal(model(images, hidden), model(other, hidden))
    assert not torch.equal(model(images, hidden), model(1 - images, hidden))


def test_the_encoder_sees_the_visible_tokens_only_and_in_the_photos_order():
    model, images, seen = small_mae(), torch.rand(1, 3, 32, 32), []
    model.encoder.blocks[0].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    hidden = torch.ones(1, 16, dtype=torch.bool)
    hidden[0, [2, 7, 9, 12]] = False
    model(images, hidden)
    model.encoder(images)
    visible, all_tokens = seen
    assert visible.shape == (1, 4, 16)
    torch.testing.assert_close(visible, all_tokens[:, [2, 7, 9, 12]])


def test_normalised_targets_have_no_mean_and_unit_variance():
    targets = small_mae(normalised=True).targets(torch.rand(2, 3, 32, 32))
    torch.testing.assert_close(targets.mean(2), torch.zeros(2, 16), atol=1e-5, rtol=0)
    torch.testing.assert_close(targets.var(2), torch.ones(2, 16), atol=1e-3, rtol=0)


@pytest.mark.parametrize("normalised", [False, True])
def test_a_reconstruction_keeps_what_is_visible(normalised):
    model, images = small_mae(normalised=normalised), torch.rand(2, 3, 32, 32)
    hidden = model.hide(images)
    with torch.no_grad():
        patches = patchify(model.reconstruct(images, hidden), 8)
    torch.testing.assert_close(patches[~hidden], patchify(images, 8)[~hidden])
    assert not torch.allclose(patches[hidden], patchify(images, 8)[hidden], atol=1e-3)
    if normalised:  # each is given the mean that its patch has
        means = patches[hidden].mean(1) - patchify(images, 8)[hidden].mean(1)
        assert means.abs().max() < 0.6


def test_sizes_and_dims_that_do_not_divide_are_refused_with_a_sentence():
    with pytest.raises(UsageError, match=r"^images of 36 x 32 pixels do not divide into squares of 8: give sides"):
        MAESegmenter(**SMALL)(torch.rand(1, 3, 32, 36))
    with pytest.raises(UsageError, match=r"^images of 32 x 36 pixels do not divide"):
        small_mae().loss(torch.rand(1, 3, 36, 32))
    for dim, heads in ((18, 2), (16, 3)):
        with pytest.raises(UsageError, match=rf"^a ViT of dim {dim} with {heads} heads cannot be"):
            ViTEncoder(patch=8, dim=dim, depth=1, heads=heads)


def test_a_decoder_narrower_than_the_encoder_has_as_many_heads_as_divide_it():
    model = MaskedAutoencoder(patch=8, dim=20, depth=1, heads=5, decoder_dim=16, decoder_depth=1)
    assert torch.isfinite(model.loss(torch.rand(2, 3, 32, 32)))


def test_the_segmenter_takes_over_the_encoder():
    segmenter, mae = MAESegmenter(**SMALL).eval(), small_mae()
    segmenter.encoder.load_state_dict(mae.encoder.state_dict())
    images = torch.rand(2, 3, 32, 40)
    (features,) = segmenter.encoder(images)
    assert features.shape == (2, 16, 4, 5)
    torch.testing.assert_close(features.flatten(2).transpose(1, 2), mae.encoder.tokens(images))


def test_attention_is_torchs():
    torch.manual_seed(0)
    ours, theirs, x = Attention(12, 3), nn.MultiheadAttention(12, 3, batch_first=True), torch.randn(2, 5, 12)
    theirs.in_proj_weight.data, theirs.in_proj_bias.data = ours.qkv.weight.data, ours.qkv.bias.data
    theirs.out_proj.load_state_dict(ours.project.state_dict())
    torch.testing.assert_close(ours(x), theirs(x, x, x)[0])


def test_a_layer_is_torchs():
    torch.manual_seed(0)
    ours, x = Block(8, 2), torch.randn(2, 5, 8)
    theirs = nn.TransformerEncoderLayer(8, 2, 32, 0.0, "gelu", batch_first=True, norm_first=True)
    theirs.self_attn.in_proj_weight.data = ours.attention.qkv.weight.data
    theirs.self_attn.in_proj_bias.data = ours.attention.qkv.bias.data
    for own, other in ((ours.attention.project, theirs.self_attn.out_proj), (ours.mlp[0], theirs.linear1),
                       (ours.mlp[2], theirs.linear2), (ours.norm_attention, theirs.norm1),
                       (ours.norm_mlp, theirs.norm2)):
        other.load_state_dict(own.state_dict())
    torch.testing.assert_close(ours(x), theirs(x))


def test_every_place_has_a_position_of_its_own():
    table = positions(6, 9, 16)
    assert table.shape == (54, 16) and table.abs().max() <= 1
    distances = torch.cdist(table, table) + 10 * torch.eye(54)
    assert distances.min() > 0.1
    torch.testing.assert_close(table[0], torch.tensor([0.0, 1.0]).repeat_interleave(4).repeat(2))
    torch.testing.assert_close(positions(6, 4, 16)[4], table[9])  # row 1, column 0 in either grid


def test_logits_are_dot_products_of_class_and_place():
    torch.manual_seed(0)
    decoder = QueryDecoder(channels=6, dim=16, depth=1).eval()
    seen = {}
    decoder.ask.register_forward_hook(lambda *given: seen.update(classes=given[2]))
    decoder.upscale.register_forward_hook(lambda *given: seen.update(maps=given[2]))
    with torch.no_grad():
        logits = decoder(torch.randn(2, 6, 3, 5), (12, 20))
    assert seen["classes"].shape == (2, 3, 4) and seen["maps"].shape == (2, 4, 12, 20)
    for c in range(3):
        torch.testing.assert_close(logits[:, c], (seen["maps"] * seen["classes"][:, c, :, None, None]).sum(1))


def test_class_and_image_tokens_attend_to_each_other():
    """A place's logits depend on what is far from it, and on the class tokens."""
    torch.manual_seed(0)
    decoder, features = QueryDecoder(channels=6, dim=16, depth=1).eval(), torch.randn(1, 6, 4, 4)
    elsewhere = features.clone()
    elsewhere[..., 3, 3] += 1
    with torch.no_grad():
        before = decoder(features, (16, 16))
        assert not torch.allclose(decoder(elsewhere, (16, 16))[..., 0, 0], before[..., 0, 0])
        decoder.class_tokens += 1
        assert not torch.allclose(decoder(features, (16, 16)), before)
