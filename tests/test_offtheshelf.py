"""The off-the-shelf control: its decisions are torchvision's, and weights that cannot be had are told in a sentence."""

import io
import json
import urllib.error
import urllib.response
from email.message import Message

import pytest
import torch
import torch.nn.functional as F
from click.testing import CliRunner
from making_data import photo, write_oxford
from making_runs import assert_sentence
from torch import nn
from torchvision.models.segmentation import DeepLabV3_MobileNet_V3_Large_Weights, deeplabv3_mobilenet_v3_large

from petseg_utils.cli import main
from petseg_utils.errors import DataError, UsageError
from petseg_utils.models.offtheshelf import OffTheShelf, is_offtheshelf, load_offtheshelf

NAME = "torchvision:deeplabv3_mobilenet_v3_large"
FILE = "deeplabv3_mobilenet_v3_large-fc3c493d.pth"
URL = f"https://download.pytorch.org/models/{FILE}"
CAT, DOG = 8, 12  # of Pascal VOC


def photos(height, width):
    """Two photos, float (2, 3, H, W) in [0, 1]."""
    return torch.stack([torch.tensor(photo(name, height, width)).permute(2, 0, 1) / 255 for name in ("a", "b")])


def to_pets(voc):
    """VOC class numbers to ours."""
    return torch.where(voc == CAT, 1, torch.where(voc == DOG, 2, 0))


class Recorder(nn.Module):
    """In place of the network: keeps what it is given and answers with logits that the seed determines."""

    def forward(self, images):
        self.images = images
        drawn = torch.randn(len(images), 21, 9, 11, generator=torch.Generator().manual_seed(0))
        self.logits = F.interpolate(drawn, size=images.shape[-2:], mode="bilinear", align_corners=False)
        self.logits[:, [CAT, DOG]] += 1  # or they would seldom be the largest of 21
        return {"out": self.logits}


@pytest.fixture(scope="module")
def published():
    """A stand-in for the published network (random weights, classes about equally likely) as torchvision builds it."""
    torch.manual_seed(0)
    network = deeplabv3_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=21, aux_loss=True)
    images = torch.rand(8, 3, 4, 4).repeat_interleave(32, 2).repeat_interleave(32, 3) * 4 - 2
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None  # running statistics become the mean of all batches, here of one
        network(images)
        logits = network.eval()(images)["out"]
        final = network.classifier[4]
        final.bias -= logits.mean((0, 2, 3))
        for code in (CAT, DOG):
            final.weight[code] *= 3
            final.bias[code] *= 3
    return network


@pytest.fixture
def checkpoints(tmp_path, monkeypatch):
    """An empty folder where torch looks for the weights; no network."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))

    def no_network(request, *_, **__):
        raise urllib.error.URLError("no network here")

    monkeypatch.setattr(torch.hub, "urlopen", no_network)
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def weights(checkpoints, published):
    """The stand-in's weights where torch finds them; a file that lies there is not checked against its hash."""
    torch.save(published.state_dict(), checkpoints / FILE)
    return checkpoints / FILE


def test_the_names_used_here_are_torchvisions_own():
    published = DeepLabV3_MobileNet_V3_Large_Weights.COCO_WITH_VOC_LABELS_V1
    assert published.url == URL
    assert [published.meta["categories"][code] for code in (CAT, DOG)] == ["cat", "dog"]
    assert is_offtheshelf(NAME) and not is_offtheshelf("runs/unet/best.safetensors")


def test_three_logits_decide_as_the_21_do():
    network = Recorder()
    logits = OffTheShelf(network)(photos(40, 52))
    assert logits.shape == (2, 3, 40, 52)
    theirs = F.interpolate(network.logits, size=(40, 52), mode="bilinear", align_corners=False)
    decided = to_pets(theirs.argmax(1))
    assert decided.unique().tolist() == [0, 1, 2]
    assert torch.equal(logits.argmax(1), decided)
    assert torch.equal(logits[:, 1], theirs[:, CAT]) and torch.equal(logits[:, 2], theirs[:, DOG])


@pytest.mark.parametrize(("size", "inside"), [((40, 52), (520, 676)), ((64, 64), (520, 520)), ((600, 560), (557, 520))])
def test_photos_are_brought_to_the_size_of_the_training_and_normalised(size, inside):
    network = Recorder()
    colour = torch.tensor([0.2, 0.5, 0.9])
    OffTheShelf(network)(colour[None, :, None, None].expand(1, 3, *size))
    assert network.images.shape == (1, 3, *inside)
    expected = (colour - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    torch.testing.assert_close(network.images[0].mean((1, 2)), expected, atol=1e-4, rtol=0)


def test_a_loaded_model_sees_what_torchvisions_own_pipeline_sees(weights, published):
    model = load_offtheshelf()
    assert not model.training
    images = photos(64, 80)
    prepare = DeepLabV3_MobileNet_V3_Large_Weights.COCO_WITH_VOC_LABELS_V1.transforms()
    with torch.no_grad():
        mine, theirs = model(images), published(prepare(images))["out"]
    theirs = F.interpolate(theirs, size=(64, 80), mode="bilinear", align_corners=False).argmax(1)
    assert (to_pets(theirs) > 0).any()
    assert torch.equal(mine.argmax(1), to_pets(theirs))


def test_without_network_the_sentence_names_file_folder_and_address(checkpoints):
    with pytest.raises(DataError) as caught:
        load_offtheshelf(NAME)
    assert_sentence(str(caught.value), f"the weights {FILE!r} cannot be fetched", "no network here", URL,
                    repr(str(checkpoints)))


def test_a_download_that_fails_its_hash_is_refused_and_leaves_nothing(checkpoints, monkeypatch, capsys):
    answer = urllib.response.addinfourl(io.BytesIO(b"not the weights"), Message(), URL)
    monkeypatch.setattr(torch.hub, "urlopen", lambda *_, **__: answer)
    with pytest.raises(DataError) as caught:
        load_offtheshelf()
    assert_sentence(str(caught.value), FILE, "cannot be fetched (invalid hash value")
    assert capsys.readouterr().out == "" and list(checkpoints.iterdir()) == []


def damage(path, kind, state):
    if kind == "half":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "page":
        path.write_text("<html>404</html>")
    elif kind == "another model's":
        torch.save({"weight": torch.zeros(1)}, path)
    elif kind == "other shapes":
        torch.save(state | {"classifier.4.weight": torch.zeros(3, 256, 1, 1)}, path)
    elif kind == "no weights":
        torch.save([1, 2], path)
    elif kind == "code":
        torch.save({"run": print}, path)


@pytest.mark.parametrize("kind", ["half", "empty", "page", "another model's", "other shapes", "no weights", "code"])
def test_a_damaged_file_is_told_by_its_path(weights, published, kind):
    damage(weights, kind, published.state_dict())
    with pytest.raises(DataError) as caught:
        load_offtheshelf()
    assert_sentence(str(caught.value), f"the weights {FILE!r}", "cannot be read (", repr(str(weights.parent)), URL)


def test_unknown_names_are_refused():
    with pytest.raises(UsageError) as caught:
        load_offtheshelf("torchvision:fcn_resnet50")
    assert_sentence(str(caught.value), "unknown off-the-shelf model 'torchvision:fcn_resnet50': choose one of", NAME)


def evaluate(*arguments):
    return CliRunner().invoke(main, ["evaluate", *map(str, arguments)])


def test_evaluate_takes_the_name_in_place_of_a_checkpoint(weights, tmp_path, workspace_root):
    write_oxford(tmp_path)
    for size, options in ((128, []), (64, ["--image-size", 64])):
        result = evaluate(NAME, "--data-root", tmp_path, *options)
        assert result.exit_code == 0, result.output
        scored = json.loads(result.stdout)
        assert (scored["checkpoint"], scored["split"], scored["n_images"]) == (NAME, "test", 2)
        assert set(scored["scores"]["dataset"]["iou"]) == {"background", "cat", "dog", "mean"}
        assert len(list((workspace_root / "cache").glob(f"{size}-*"))) == 1


@pytest.mark.parametrize(("arguments", "code", "sentence"), [
    ([NAME], 1, f"the weights {FILE!r} cannot be fetched"),
    (["torchvision:fcn"], 2, "unknown off-the-shelf model 'torchvision:fcn'"),
    (["run/best.safetensors", "--image-size", "64"], 2, "--image-size 64 is for the off-the-shelf model"),
], ids=lambda part: part[0] if isinstance(part, list) else "")
def test_evaluate_refuses_with_a_sentence(checkpoints, tmp_path, arguments, code, sentence):
    result = evaluate(*arguments, "--data-root", write_oxford(tmp_path).parent)
    assert result.exit_code == code and result.stdout == ""
    assert_sentence(result.stderr, f"petseg: {sentence}")


def test_evaluate_refuses_a_size_that_no_photo_is_squeezed_to(weights, tmp_path):
    result = evaluate(NAME, "--data-root", write_oxford(tmp_path).parent, "--image-size", 0)
    assert result.exit_code == 2
    assert_sentence(result.stderr, "petseg: image size 0 is too small")
