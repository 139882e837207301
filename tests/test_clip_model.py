"""A decoder on a frozen encoder: what trains, what does not, what is saved, and that the cache changes nothing."""

import dataclasses
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from making_encoders import write_encoder
from making_runs import FLOAT32, assert_same_tensors, assert_sentence, tiny_spec
from safetensors.torch import load_file

from petseg_utils.encoders.features import FeatureStore
from petseg_utils.encoders.specs import build_encoder
from petseg_utils.errors import DataError, UsageError
from petseg_utils.models import build_model
from petseg_utils.models.clip import DECODER_NAMES
from petseg_utils.models.map_decoders import MultiDecoder, ReportDecoder
from petseg_utils.training import RunSpec, train
from petseg_utils.training.checkpoint import load_model
from petseg_utils.training.segmentation import Segmentation

every_decoder = pytest.mark.parametrize("decoder", DECODER_NAMES)


@pytest.fixture
def encoder_file(tmp_path):
    return write_encoder(tmp_path)


def clip_spec(data, encoder, **changes) -> RunSpec:
    options = {"image_size": 64, "decoder": "multi", "width": 8} | changes.pop("options", {})
    plain = {"model": "clip", "encoder": encoder, "frozen": True, "options": options, "epochs": 2,
             "encoder_weights": build_encoder(encoder, 64).weights_hash, "views": 2}
    return tiny_spec(data, **(plain | changes))


@every_decoder
def test_any_size_and_gradients_for_the_decoder_only(decoder, encoder_file):
    model = build_model("clip", encoder=encoder_file, image_size=64, decoder=decoder).train()
    for size in ((64, 64), (33, 47), (32, 96)):
        assert model(torch.rand(2, 3, *size)).shape == (2, 3, *size)
    model(torch.rand(2, 3, 64, 64)).square().mean().backward()
    for name, parameter in model.named_parameters():
        if name.startswith("encoder."):
            assert parameter.grad is None and not parameter.requires_grad, name
        else:
            assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


@every_decoder
@pytest.mark.parametrize("augmentation", ["none", "five"])
def test_training_leaves_the_encoder_as_it_was_to_the_bit(decoder, augmentation, encoder_file, few, tmp_path,
                                                          monkeypatch):
    built = []
    original = RunSpec.build
    monkeypatch.setattr(RunSpec, "build", lambda spec: built.append(original(spec)) or built[-1])
    spec = clip_spec(few, encoder_file, options={"decoder": decoder}, augmentation=augmentation)
    train(spec, few, tmp_path / "runs", device="cpu", quiet=True)
    (model,) = built
    fresh = build_encoder(encoder_file, 64)
    fresh.compute_in(next(model.encoder.trunk.parameters()).dtype)  # what the loop does, once, before training
    assert_same_tensors(model.encoder.trunk.state_dict(), fresh.trunk.state_dict())


@pytest.mark.parametrize(("augmentation", "views"), [("none", 0), ("five", 2)])
def test_cached_training_equals_uncached(augmentation, views, encoder_file, few, tmp_path):
    spec = clip_spec(few, encoder_file, augmentation=augmentation, views=views, epochs=3)
    store = FeatureStore(tmp_path / "features", 1.0)
    cached = train(spec, few, tmp_path / "a", features=store, device="cpu", quiet=True)
    uncached = train(spec, few, tmp_path / "b", device="cpu", quiet=True)
    assert len(list(store.folder.iterdir())) == 2 + max(1, views), "views of train, val and test are cached"
    for one, other in zip(load_file(cached.best).values(), load_file(uncached.best).values(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-2, atol=1e-3)
    columns = ["train_loss", "val_loss", "val_miou"]
    difference = (cached.history()[columns] - uncached.history()[columns]).abs().to_numpy().max()
    assert difference < 5e-3


def test_what_has_no_fixed_views_is_not_cached(encoder_file, few, tmp_path):
    store = FeatureStore(tmp_path / "features", 1.0)
    train(clip_spec(few, encoder_file, augmentation="five", views=0), few, tmp_path / "runs", features=store,
          device="cpu", quiet=True)
    assert {path.name.split("-")[1] for path in store.folder.iterdir()} == {"val", "test"}


def test_a_checkpoint_holds_the_decoder_and_finds_the_encoder(encoder_file, few, tmp_path):
    spec = clip_spec(few, encoder_file)
    run = train(spec, few, tmp_path / "runs", device="cpu", quiet=True)
    assert not any("encoder" in name for name in load_file(run.best))
    one, other = load_model(run.best), run.load_model()
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(one(images), other(images))

    write_encoder(tmp_path, source="import torch\n" + open(encoder_file).read().replace("seed(7)", "seed(8)"))
    with pytest.raises(DataError) as caught:
        run.load_model()
    assert_sentence(str(caught.value), "tiny.py", spec.encoder_weights, "train again")


def test_other_code_is_another_run_and_another_folder_is_not(encoder_file, few, tmp_path):
    def code(path):
        return build_encoder(path, 64).trunk.code

    spec = clip_spec(few, encoder_file, encoder_code=code(encoder_file))
    run = train(spec, few, tmp_path / "runs", device="cpu", quiet=True)
    (tmp_path / "moved").mkdir()
    moved = Path(encoder_file).rename(tmp_path / "moved" / "tiny.py")
    assert dataclasses.replace(spec, encoder=str(moved)).run_name == run.name
    with pytest.raises(DataError, match="tiny.py' is not there"):
        run.load_model()
    beside = write_encoder(run.folder)  # where a checkpoint is taken to, its encoder goes, too
    assert run.load_model()

    source = open(beside).read()
    write_encoder(run.folder, source=source.replace("self.second(first)", "2 * self.second(first)"))
    assert build_encoder(beside, 64).weights_hash == spec.encoder_weights
    assert dataclasses.replace(spec, encoder_code=code(beside)).run_name != run.name
    with pytest.raises(DataError) as caught:
        run.load_model()
    assert_sentence(str(caught.value), "tiny.py", spec.encoder_code, "train again")


def test_fine_tuning_moves_the_encoder_and_saves_it(encoder_file, few, tmp_path):
    spec = clip_spec(few, encoder_file, frozen=False)
    store = FeatureStore(tmp_path / "features", 1.0)
    run = train(spec, few, tmp_path / "runs", features=store, device="cpu", quiet=True)
    assert not store.folder.exists(), "what trains must not be cached"
    saved = {name: tensor for name, tensor in load_file(run.best).items() if "encoder" in name}
    fresh = build_encoder(encoder_file, 64).trunk.state_dict()
    assert len(saved) == len(fresh)
    moved = [not torch.equal(saved[f"model.encoder.trunk.{name}"], tensor) for name, tensor in fresh.items()]
    assert all(moved)
    model = run.load_model()
    assert torch.equal(model.encoder.trunk.network.second.weight, saved["model.encoder.trunk.network.second.weight"])


def test_only_the_maps_that_a_decoder_reads_are_computed(encoder_file):
    def channels(**options):
        return build_model("clip", encoder=encoder_file, image_size=64, **options).encoder.channels
    assert channels(decoder="multi") == (4, 6)
    assert channels(decoder="multi", layers="last") == channels(decoder="report") == channels(decoder="query") == (6,)


def test_the_reports_low_level_maps_join_at_twice_and_four_times_the_grid():
    """14x14 and 28x28 for a ViT-B/32 at 224 px, whose grid is 7x7; upsampled to 112 and then to the photo's size."""
    decoder = ReportDecoder(channels=768)
    seen = []
    for mixed in decoder.fuse:
        mixed.register_forward_pre_hook(lambda _, inputs: seen.append(tuple(inputs[0].shape[1:])))
    stages = []
    for up in decoder.ups:
        up.register_forward_hook(lambda _, __, output: stages.append(tuple(output.shape[1:])))
    logits = decoder([torch.rand(1, 768, 7, 7)], torch.rand(1, 3, 224, 224))
    assert seen == [(256 + 64, 14, 14), (128 + 64, 28, 28)]
    assert stages == [(256, 14, 14), (128, 28, 28), (64, 56, 56), (3, 112, 112)]
    assert logits.shape == (1, 3, 224, 224)
    torch.manual_seed(0)
    low = decoder.low_level(torch.rand(1, 3, 224, 224))
    torch.testing.assert_close(F.adaptive_avg_pool2d(low, 14), F.avg_pool2d(low, 16))


def test_every_map_and_the_photo_count_in_multi():
    torch.manual_seed(0)
    decoder = MultiDecoder(channels=(4, 6), width=8).eval()
    maps, images = [torch.rand(1, 4, 16, 16), torch.rand(1, 6, 8, 8)], torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        before = decoder(maps, images)
        for changed in ([maps[0] + 1, maps[1]], [maps[0], maps[1] + 1]):
            assert not torch.allclose(decoder(changed, images), before)
        assert not torch.allclose(decoder(maps, images.flip(3)), before)
        blind = MultiDecoder(channels=(4, 6), width=8, image_path=False).eval()
        assert torch.equal(blind(maps, images), blind(maps, images.flip(3)))


@pytest.mark.parametrize(("options", "parts"), [
    ({"decoder": "mutli"}, ["mutli", "report, query, multi"]),
    ({"layers": "all"}, ["all", "last, several"]),
    ({"normalisation": "none"}, ["none", "clip, imagenet"]),
    ({"encoder": "nothing"}, ["nothing", "petclip-mini"]),
    ({"colour": 3}, ["colour", "decoder"]),
])
def test_a_wrong_option_is_refused_with_a_sentence(options, parts):
    with pytest.raises(UsageError) as caught:
        build_model("clip", **options)
    assert_sentence(str(caught.value), *parts)


@pytest.mark.parametrize(("changes", "parts"), [
    ({"model": "clip"}, ["clip", "petclip-mini"]),
    ({"model": "unet", "encoder": "petclip-mini"}, ["unet", "clip"]),
    ({"model": "clip", "encoder": "petclip-mini", "teacher": "petclip-mini"}, ["teacher", "captions"]),
    ({"model": "clip", "encoder": "petclip-mini", "task": "reconstruction"}, ["reconstruction", "encoder"]),
    ({"model": "petclip"}, ["petclip", "segmentation"]),
    ({"model": "unet", "task": "captions"}, ["unet", "captions"]),
    ({"model": "clip", "encoder": "petclip-mini", "views": -1}, ["views", "-1"]),
    ({"model": "unet", "task": "prompt"}, ["unet", "prompt-unet"]),
    ({"model": "prompt-unet"}, ["prompt-unet", "segmentation"]),
    ({"model": "prompt-unet", "task": "prompt", "start": "clip-0"}, ["prompt-unet", "clip-0", "prompt-clip"]),
])
def test_a_spec_that_cannot_be_is_refused(few, changes, parts):
    with pytest.raises(UsageError) as caught:
        tiny_spec(few, **({"options": {}} | changes))
    assert_sentence(str(caught.value), *parts)


def test_views_that_cannot_all_be_opened_are_encoded_as_we_go(encoder_file, few, tmp_path, monkeypatch):
    """Another process may fill the cache between the question whether they fit and their opening."""
    spec, opened = clip_spec(few, encoder_file, augmentation="five", views=3), FeatureStore.open
    model = FLOAT32.model(spec.build())
    assert len(segmentation_task(spec, few, tmp_path).dataset(model).maps) == 3

    def full(store, encoder, data, part, precision, view):
        return None if view.number == 1 else opened(store, encoder, data, part, precision, view)

    monkeypatch.setattr(FeatureStore, "open", full)
    assert segmentation_task(spec, few, tmp_path).dataset(model).maps == []


def segmentation_task(spec, data, folder):
    return Segmentation(spec, data, FLOAT32, FeatureStore(folder / "features", 1.0))
