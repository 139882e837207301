"""Models on spoiled photos: the same decisions as plain scoring at level 0, one encoding for all decoders, and the
scores that come of the counts."""

import numpy as np
import pytest
import torch
from making_encoders import write_encoder
from making_runs import FLOAT32, assert_sentence, train_tiny
from torch import nn

from petseg_utils import robustness
from petseg_utils.corruptions import CORRUPTIONS
from petseg_utils.encoders.base import Encoder
from petseg_utils.errors import UsageError
from petseg_utils.evaluation import evaluate
from petseg_utils.metrics import PerturbedCounts, apply_border, corruption_error, reduce_scores, robustness_rows
from petseg_utils.models import build_model
from petseg_utils.models.clip import ClipSegmenter
from petseg_utils.prompts.prompter import build_prompter
from petseg_utils.prompts.protocol import evaluate_prompts
from petseg_utils.prompts.text import build_texts
from petseg_utils.results import METRICS_COLUMNS, perturbed_rows, read_table, record_perturbed
from petseg_utils.robustness import perturb_runs, perturbed_counts, robustness_photos
from petseg_utils.training import run as run_module


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """One model of each kind that is asked in its own way, with the square that it sees; four on one encoder."""
    on_encoder = {"encoder": write_encoder(tmp_path_factory.mktemp("encoder")), "image_size": 64}
    torch.manual_seed(0)
    built = {
        "unet": build_model("unet", width=4, depth=2),
        "clip": build_model("clip", width=4, **on_encoder),
        "query": build_model("clip", decoder="query", **on_encoder),
        "prompt": build_model("prompt", width=4, **on_encoder),
        "prompt-clip": build_model("prompt-clip", **on_encoder),
    }
    return {name: (decided(FLOAT32.model(model).eval()), 64) for name, model in built.items()}


def decided(model):
    """Untrained, but far from saying one class everywhere: no class has a bias, and small differences count."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module.out_channels in (3, 4) and module.bias is not None:
            module.register_forward_hook(lambda _, __, logits: 50 * (logits - logits.mean((2, 3), keepdim=True)))
    return model


def test_level_0_is_what_plain_scoring_says(models, few):
    rows = few.indices("test")
    found = perturbed_counts(models, few, rows, "salt and pepper", [0, 9], FLOAT32)
    for name, (model, size) in models.items():
        if name.startswith("prompt"):
            plain = evaluate_prompts(build_prompter(model, size, FLOAT32, build_texts()), few, "test")[1]
        else:
            plain = evaluate(model, few, "test", FLOAT32)
        assert np.array_equal(found[name][0], plain.counts), name
    # The untrained prompt-clip says the same of all its regions; the others' decisions move.
    assert sum(not np.array_equal(counts[1], counts[0]) for counts in found.values()) >= 4


def test_rows_in_any_order_and_batches_of_any_size_give_the_same(models, few, monkeypatch):
    rows = few.indices("test")
    whole = perturbed_counts(models, few, rows, "gaussian noise", [3, 7], FLOAT32)
    monkeypatch.setattr(robustness, "BATCH", 4)
    parts = perturbed_counts(models, few, rows[::-1], "gaussian noise", [7, 3], FLOAT32)
    for name in models:
        assert np.array_equal(parts[name][::-1, ::-1], whole[name]), name


def test_processes_beside_each_other_say_what_one_says(models, few, monkeypatch, request):
    monkeypatch.setattr(robustness, "BATCH", 2)
    rows = few.indices("test")
    alone = perturbed_counts(models, few, rows, "occlusion", [0, 9], FLOAT32)
    request.getfixturevalue("two_threads")
    beside = perturbed_counts(models, few, rows, "occlusion", [0, 9], FLOAT32)
    for name in models:
        assert np.array_equal(beside[name], alone[name]), name


def test_decoders_share_one_encoding(models, few, monkeypatch):
    calls = []
    forward = Encoder.forward
    monkeypatch.setattr(Encoder, "forward", lambda self, images: calls.append(len(images)) or forward(self, images))
    perturbed_counts(models, few, few.indices("test"), "gaussian blur", [1, 2], FLOAT32)
    assert calls == [6, 6], "one batch, two levels, four models on the same encoder"


def test_a_fine_tuned_encoder_is_not_shared(tmp_path):
    encoder = write_encoder(tmp_path)
    frozen, tuned = (ClipSegmenter(encoder=encoder, image_size=64, width=4) for _ in range(2))
    tuned.encoder.requires_grad_()
    assert robustness._encoder_key(frozen) is not None and robustness._encoder_key(tuned) is None


def test_what_was_asked_is_not_asked_again_and_survives_an_interruption(few, tmp_path, monkeypatch):
    run, rows = train_tiny(few, tmp_path), few.indices("test")
    names = few.manifest["name"].to_numpy(dtype=str)[rows]
    asked = []
    real = robustness.perturbed_counts

    def interrupted(models, data, rows, kind, *rest):
        asked.append(kind)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return real(models, data, rows, kind, *rest)

    monkeypatch.setattr(robustness, "perturbed_counts", interrupted)
    with pytest.raises(KeyboardInterrupt):
        perturb_runs({"a": run}, few, rows, FLOAT32)
    perturb_runs({"a": run}, few, rows, FLOAT32)
    assert asked[:2] + asked[3:] == ["clean", *CORRUPTIONS]
    for kind in CORRUPTIONS:
        assert run.perturbed(kind, names).counts.shape == (9, 6, 4, 3)
    assert run.perturbed("gaussian noise", names[[2, 0]]).counts.shape == (9, 2, 4, 3)
    assert np.array_equal(run.perturbed("gaussian noise", names[[2, 0]]).names, names[[2, 0]])
    assert run.perturbed("gaussian noise", np.array(["other"])) is None
    monkeypatch.setattr(run_module, "VERSION", 2)
    assert run.perturbed("gaussian noise", names) is None, "counted under another protocol"


def test_rows_of_a_run_go_into_the_table_and_replace_their_own(few, tmp_path):
    run, rows = train_tiny(few, tmp_path / "runs"), few.indices("test")
    names = few.manifest["name"].to_numpy(dtype=str)[rows]
    with pytest.raises(ValueError, match="not asked about clean"):
        perturbed_rows(run, names)
    perturb_runs({"a": run}, few, rows, FLOAT32)
    for _ in range(2):
        record_perturbed(tmp_path, "s", "06_robustness", "synthetic", {"UNet": run}, names)
    table = read_table(tmp_path, "metrics")
    assert list(table.columns) == list(METRICS_COLUMNS)
    assert len(table) == (1 + 8 * 9) * 6 + 2 * 9
    assert set(table["border"]) == {"ignore"} and set(table["reduction"]) == {"dataset"}
    clean = table[(table["perturbation"] == "clean") & (table["metric"] == "iou") & (table["class"] == "mean")]
    plain = evaluate(run.load_model(), few, "test", FLOAT32)
    confusion = apply_border(plain.counts, plain.species, "ignore")
    assert clean["value"].item() == pytest.approx(reduce_scores(confusion, "iou", "dataset")["mean"], abs=1e-6)
    assert clean["level"].item() == 0 and clean["n_images"].item() == 6


def test_the_photos_are_of_every_breed_and_fewer_are_among_more(synthetic_data):
    breeds = synthetic_data.manifest["breed"].to_numpy()
    there = {breed: int((breeds[synthetic_data.indices("test")] == breed).sum()) for breed in set(breeds)}
    one, two, all_ = (robustness_photos(synthetic_data.manifest, n) for n in (1, 2, 1000))
    assert set(one) < set(two) <= set(all_) == set(synthetic_data.indices("test"))
    assert {breed: int((breeds[two] == breed).sum()) for breed in there} == {b: min(2, n) for b, n in there.items()}
    assert np.array_equal(two, np.sort(two))
    with pytest.raises(UsageError) as error:
        robustness_photos(synthetic_data.manifest, 0)
    assert_sentence(str(error.value), "0 photos")


def perturbed(right, names=("a", "b")):
    """Counts of a cat's and a dog's photo, 100 pixels of each class in each; ``right`` of each class' are right, the
    others called background (or a cat, on the background)."""
    counts = np.zeros((len(right), 2, 4, 3), np.int64)
    for level, number in enumerate(right):
        for image, species in enumerate((1, 2)):
            counts[level, image, 0, [0, 1]] = number, 100 - number
            counts[level, image, species, [species, 0]] = number, 100 - number
    return PerturbedCounts(np.array(names), np.array([1, 2]), counts)


def value(rows, kind, metric, level=None, class_="mean"):
    found = [row["value"] for row in rows if row["perturbation"] == kind and row["metric"] == metric
             and row["class"] == class_ and (level is None or row["level"] == level)]
    assert len(found) == 1
    return found[0]


def test_what_is_retained_by_hand():
    right = [80] * 4 + [60] * 5
    spoiled = {"gaussian noise": perturbed([100] * 9), "gaussian blur": perturbed(right)}
    rows = robustness_rows(perturbed([100]), spoiled)
    assert value(rows, "clean", "iou", 0) == 1 and value(rows, "gaussian noise", "retained") == 1
    # 80 right: background 160 of 160 + 40 + 40, cat 80 of 100 + 40, dog 80 of 100.
    at_80, at_60 = (np.mean([2 * n / (200 + 2 * (100 - n)), n / (100 + 2 * (100 - n)), n / 100]) for n in (80, 60))
    assert value(rows, "gaussian blur", "iou", 4) == pytest.approx(at_80)
    assert value(rows, "gaussian blur", "accuracy", 9, "") == pytest.approx(0.6)
    assert value(rows, "gaussian blur", "retained") == pytest.approx((4 * at_80 + 5 * at_60) / 9)
    assert value(rows, "gaussian blur", "auc") == pytest.approx((0.5 + 4 * at_80 + 4.5 * at_60) / 9)
    both = (1 + value(rows, "gaussian blur", "retained")) / 2
    assert value(rows, "all kinds", "retained") == pytest.approx(both)


def test_an_interval_of_what_is_retained_draws_the_same_photos_for_all_levels():
    """A model that loses the same share of every photo loses it in every resample: the interval is a point."""
    rows = robustness_rows(perturbed([80]), {"occlusion": perturbed([80] * 9)})
    found = next(row for row in rows if row["metric"] == "retained")
    assert found["ci_low"] == found["ci_high"] == found["value"] == 1


def test_corruption_error_is_one_against_oneself_and_a_mean_over_kinds():
    scores = np.array([[0.9, 0.8], [0.5, 0.5]])
    assert corruption_error(scores, scores) == 1
    # .3 of .6 and 1 of .5: their mean, not 1.3 of 1.1.
    assert corruption_error(scores, np.array([[0.8, 0.6], [0.75, 0.75]])) == pytest.approx((0.5 + 2) / 2)
    for wrong, sentence in ((scores[:1], "the same for both"), (scores - 1, "0 to 1"), (np.ones((2, 2)), "no error")):
        with pytest.raises(ValueError, match=sentence):
            corruption_error(scores, wrong)


def test_kinds_of_other_photos_are_refused():
    with pytest.raises(ValueError, match="other photos"):
        robustness_rows(perturbed([80]), {"occlusion": perturbed([80] * 9, names=("a", "c"))})
    for clean, spoiled in (([80], [80] * 8), ([80, 80], [80] * 9)):
        with pytest.raises(ValueError, match="all 9 levels"):
            robustness_rows(perturbed(clean), {"occlusion": perturbed(spoiled)})
