"""The command line: what it prints, and that every mistake of a user is one sentence and the right exit code."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from making_data import trimap, write_oxford, write_picture
from making_runs import assert_sentence, write_notebook

from petseg_utils.cli import main
from petseg_utils.metrics import apply_border, reduce_scores
from petseg_utils.models import MODEL_NAMES
from petseg_utils.training import Run
from petseg_utils.training.checkpoint import read_spec

TINY = ["--profile", "smoke", "--set", "EPOCHS=1", "--set", "WIDTH=2", "--set", "DEPTH=2"]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A workspace for all tests of this file: the synthetic pets are rendered once."""
    return tmp_path_factory.mktemp("petseg")


@pytest.fixture(autouse=True)
def workspace_of_this_file(root, monkeypatch, workspace_root):
    monkeypatch.setenv("PETSEG_ROOT", str(root))


def petseg(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def printed(stderr: str) -> str:
    """What was printed on stderr but for the progress bars."""
    return "\n".join(line for line in stderr.splitlines() if line and "photo/s" not in line and "step/s" not in line)


def refused(code, *arguments) -> str:
    """The sentence with which a call is refused; the data set's list of defective files may follow it."""
    result = petseg(*arguments)
    assert result.exit_code == code, result.output
    assert isinstance(result.exception, SystemExit)  # click's way out, and not an error that escaped
    message = printed(result.stderr)
    assert message.startswith("petseg: ") and "Traceback" not in message
    return message.removeprefix("petseg: ")


@pytest.fixture(scope="module")
def pets(tmp_path_factory):
    """A sound data set on disk: 4 trainval and 2 test photos."""
    return write_oxford(tmp_path_factory.mktemp("pets")).parent


@pytest.fixture(scope="module")
def trained(root):
    """A run that a real process has trained: its checkpoint, and the JSON that it printed."""
    result = subprocess.run([sys.executable, "-m", "petseg_utils", "train", "unet", *TINY], capture_output=True,
                            text=True)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture(scope="module", autouse=True)
def subprocesses_work_in_the_root(root):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PETSEG_ROOT", str(root))
        yield


def test_help_lists_the_commands():
    result = petseg("--help")
    assert result.exit_code == 0
    listed = [line.split()[0] for line in result.output.split("Commands:")[1].splitlines() if line.strip()]
    assert {"data", "study", "train", "evaluate"} <= set(listed)
    for command in listed:
        assert petseg(command, "-h").exit_code == 0
    assert petseg("--version").output.startswith("petseg, version ")


def test_data_prints_counts_no_defects_and_the_audit():
    result = petseg("data", "--profile", "smoke")
    assert result.exit_code == 0
    first, *rest = result.stdout.splitlines()
    table, found = rest[: rest.index("no defects")], rest[rest.index("no defects") + 1 :]
    assert "80 photos, oxford layout, fingerprint " in first
    assert found[0].startswith("test photos: 20 of 80; ") and found[-1].startswith("test list: ")
    counts = {line.split()[0]: [int(n) for n in line.split()[1:]] for line in table if line.split()[-1].isdigit()}
    assert set(counts) == {"train", "val", "test"}
    assert sum(counts["test"]) == 20 and sum(counts["train"] + counts["val"]) == 60


def test_training_prints_the_test_scores_of_its_run(trained, root):
    folder = Path(trained["checkpoint"]).parent
    assert trained["checkpoint"] == str(root / "runs" / folder.name / "best.safetensors")
    spec = read_spec(folder / "best.safetensors")
    assert (spec.epochs, spec.options, spec.augmentation) == (1, {"width": 2, "depth": 2}, "five")
    run = Run(spec, folder)
    test = run.statistics("test")
    expected = reduce_scores(apply_border(test.counts, test.species, "ignore"), "iou", "dataset")
    scores = trained["scores"]
    assert trained["n_images"] == 20 and trained["border"] == "ignore"
    assert set(scores) == {"dataset", "image"} and set(scores["image"]) == {"iou", "dice", "accuracy"}
    assert set(scores["dataset"]["iou"]) == {"background", "cat", "dog", "mean"}
    for name, score in scores["dataset"]["iou"].items():
        assert score["value"] == pytest.approx(expected[name], abs=6e-5)
        assert score["ci_low"] <= score["value"] <= score["ci_high"]


def test_training_takes_the_border_as_told_and_scores_it_so(trained, root):
    printed = json.loads(petseg("train", "unet", *TINY, "--border", "pet").stdout)
    assert printed["border"] == "pet" and printed["checkpoint"] != trained["checkpoint"]
    assert read_spec(Path(printed["checkpoint"])).border == "pet"
    (data_root,) = (root / "data").iterdir()
    scored = json.loads(petseg("evaluate", printed["checkpoint"], "--data-root", data_root, "--border", "pet").stdout)
    assert scored["scores"] == printed["scores"] != trained["scores"]


def test_training_a_prompt_model_prints_what_its_prompts_get():
    printed = json.loads(petseg("train", "prompt-unet", *TINY).stdout)
    scores = Run(read_spec(Path(printed["checkpoint"])), Path(printed["checkpoint"]).parent).prompt_scores("test")
    dialogue = scores.dialogue[~np.isnan(scores.dialogue[:, 0])]
    assert printed["prompts"]["simulated clicks"]["miou@1"]["value"] == pytest.approx(dialogue[:, 0].mean(), abs=6e-5)
    assert printed["prompts"]["none"]["iou of the pet"]["value"] == pytest.approx(np.nanmean(scores.none), abs=6e-5)
    assert "prompts" not in json.loads(petseg("train", "unet", *TINY).stdout)


def test_evaluating_the_checkpoint_gives_the_same_test_scores(trained, root):
    (data_root,) = (root / "data").iterdir()
    result = petseg("evaluate", trained["checkpoint"], "--data-root", data_root)
    assert result.exit_code == 0, result.output
    scored = json.loads(result.stdout)
    assert np.isfinite(scored.pop("loss"))
    assert scored == trained
    other = json.loads(petseg("evaluate", trained["checkpoint"], "--data-root", data_root, "--split", "val",
                              "--border", "pet").stdout)
    assert (other["split"], other["border"]) == ("val", "pet") and other["n_images"] != 20
    assert other["scores"] != scored["scores"]


def test_training_again_returns_the_finished_run(trained, root):
    before = {path: path.stat().st_mtime_ns for path in (root / "runs").glob("*/*")}
    assert json.loads(petseg("train", "unet", *TINY).stdout) == trained
    assert {path: path.stat().st_mtime_ns for path in (root / "runs").glob("*/*")} == before


@pytest.mark.parametrize(("arguments", "sentence"), [
    (["train", "unet", "--profile", "tiny"], "unknown profile 'tiny': choose one of auto, smoke, quick"),
    (["data", "--profile", "tiny"], "unknown profile 'tiny': choose one of auto, smoke, quick"),
    (["train", "unett", "--profile", "smoke"], "unknown model 'unett': choose one of unet"),
    (["train", "unet", "--profile", "smoke", "--set", "EPOCH=3"], "unknown setting 'EPOCH': choose among dataset"),
    (["train", "unet", "--profile", "smoke", "--set", "EPOCHS"], "--set got 'EPOCHS': write NAME=VALUE"),
    (["train", "unet", "--profile", "smoke", "--set", "=3"], "--set got '=3': write NAME=VALUE"),
    (["train", "unet", "--profile", "smoke", "--set", "EPOCHS=many"], "setting epochs is 'many': give a value of type"),
    (["train", "unet", "--profile", "smoke", "--set", "EPOCHS=0"], "setting epochs is 0: give 1 or more"),
    (["train", "unet", "--profile", "smoke", "--set", "LEARNING_RATE=-1"], "learning_rate is -1: give 0 or more"),
    (["train", "unet", "--profile", "smoke", "--set", "DEPTH=7"], "images of 64 x 64 pixels are too small for a UNet"),
    (["train", "unet", "--profile", "smoke", "--set", "DEVICE=tpu"], "unknown device 'tpu': choose auto, cpu or cuda"),
    (["train", "unet", "--profile", "smoke", "--set", "RECIPE=weak"], "unknown recipe 'weak': choose one of adam"),
    (["train", "unet", "--profile", "smoke", "--augmentation", "six"], "unknown augmentation 'six': choose one of"),
    (["data", "--profile", "smoke", "--dataset", "pets"], "unknown dataset 'pets': choose one of synthetic, oxford"),
    (["data", "--profile", "smoke", "--dataset", "synthetic", "--data-root", "/"], "dataset 'synthetic' is rendered"),
    (["study", "02", "--profile", "smoke"], "petseg study got '02': say --only for notebooks"),
    (["study", "--profile", "smoke", "--name", ""], "study name '' is no plain folder name"),
    (["train", "clip", "--profile", "smoke", "--set", "EPOCHS=1"], "EPOCHS=1 says nothing of clip: set DECODER_EPOCHS"),
    (["train", "unet", "--profile", "smoke", "--set", "PROMPT_EPOCHS=9"], "PROMPT_EPOCHS=9 says nothing of unet: set"),
    (["train", "unet", "--profile", "smoke", "--set", "ENCODER_SIZE=32"], "ENCODER_SIZE=32 says nothing of unet: leav"),
    (["train", "clip", "--profile", "smoke", "--set", "WIDTH=8"], "WIDTH=8 says nothing of clip: leave it out"),
    (["train", "clip", "--profile", "smoke", "--augmentation", "none", "--set", "VIEWS=8"], "VIEWS=8 says nothing of"),
    (["train", "unet", "--profile", "oxford-128", "--data-root", ".", "--set", "N_TEST=9"], "N_TEST=9 says nothing of"),
    (["train", "prompt", "--profile", "smoke", "--start", "lost/prompt-1"], "no finished run 'lost/prompt-1' in"),
    (["train", "unet", "--profile", "oxford-128"], "make it with petseg data --shrink 128 -o DIR"),
    (["data", "--profile", "smoke", "--shrink", "64"], "--shrink and -o belong together"),
    (["data", "--shrink", "64", "-o", "small", "--allow-defects"], "--allow-defects means nothing to it: leave it out"),
    (["train", "mae", "--profile", "smoke", "--set", "PATCH=0"], "setting patch is 0: give 1 or more"),
    (["train", "unet", "--profile", "smoke", "--data-root", ""], "a folder was named '': give its path"),
    (["study", "--profile", "smoke", "--set", "DATA_ROOT="], "a folder was named '': give its path"),
], ids=lambda part: " ".join(part) if isinstance(part, list) else "")
def test_wrong_calls_are_refused_with_a_sentence_and_2(arguments, sentence):
    assert_sentence(refused(2, *arguments), sentence)


def test_bad_data_is_refused_with_a_sentence_and_1(tmp_path):
    (tmp_path / "empty").mkdir()
    for folder, words in (("none", "is not a folder: pass --data-root"), ("empty", "holds neither oxford-iiit-pet")):
        assert_sentence(refused(1, "data", "--profile", "smoke", "--data-root", tmp_path / folder), words, folder)


def test_every_defective_file_is_named(tmp_path):
    base = write_oxford(tmp_path)
    jpeg = base / "images" / "pug_3.jpg"
    jpeg.write_bytes(jpeg.read_bytes()[:-300])
    mask = write_picture(base / "annotations" / "trimaps" / "Birman_1.png", trimap(30, 20))
    for command in (["data"], ["train", "unet"]):
        first, *listed = refused(1, *command, "--profile", "smoke", "--data-root", tmp_path).splitlines()
        assert first.startswith("2 defective file(s): mend or replace them, or leave those photos out")
        assert listed[0].strip() == f"{mask}: mask is 20 x 30, its photo 52 x 40"
        assert listed[1].strip().startswith(f"{jpeg}: file cannot be read (") and len(listed) == 2
    allowed = petseg("data", "--profile", "smoke", "--data-root", tmp_path, "--allow-defects")
    assert allowed.exit_code == 0 and ": 4 photos, " in allowed.stdout.splitlines()[0]
    assert sum(line.startswith("error: ") for line in allowed.stdout.splitlines()) == 2
    scored = petseg("evaluate", "prompt-mini", "--data-root", tmp_path, "--allow-defects")
    assert "petseg: 2 defective photos were left out, 4 are used; petseg data names the defects" in scored.stderr


def test_checkpoints_and_parts_that_are_not_there_are_refused_with_a_sentence(trained, pets, tmp_path):
    assert_sentence(refused(1, "evaluate", tmp_path / "none.safetensors", "--data-root", pets), "none.safetensors",
                    "does not exist: give a run's folder")
    assert_sentence(refused(1, "evaluate", pets / "oxford-iiit-pet/annotations/test.txt", "--data-root", pets),
                    "cannot be read")
    assert_sentence(refused(1, "evaluate", trained["checkpoint"], "--data-root", tmp_path / "none"), "is not a folder")
    assert_sentence(refused(1, "evaluate", trained["checkpoint"], "--data-root", pets, "--split", "val"),
                    "part 'val' holds no photo")


def test_places_that_cannot_be_written_are_one_sentence(trained, root, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("no folder")
    photo = write_picture(tmp_path / "rex.png", np.zeros((40, 40, 3), np.uint8))
    assert_sentence(refused(1, "predict", trained["checkpoint"], photo, "-o", tmp_path / "file" / "out"),
                    "file", "give another place")
    assert_sentence(refused(2, "predict", trained["checkpoint"], tmp_path, "-o", tmp_path), "where photos are")
    monkeypatch.setenv("PETSEG_ROOT", str(tmp_path / "file" / "root"))
    assert_sentence(refused(1, "data", "--profile", "smoke"), "give another place")


def test_a_runs_folder_stands_for_its_best_checkpoint(trained, pets):
    by_file, by_folder = (json.loads(petseg("evaluate", path, "--data-root", pets).stdout)["scores"]
                          for path in (trained["checkpoint"], Path(trained["checkpoint"]).parent))
    assert by_file == by_folder


def test_a_finished_run_without_its_weights_is_told(trained, root):
    best = Path(trained["checkpoint"])
    kept = best.rename(best.with_name("kept"))
    try:
        assert_sentence(refused(1, "train", "unet", *TINY), "is finished, but its best.safetensors is gone")
    finally:
        kept.rename(best)


def test_a_study_of_photos_without_a_part_is_refused_before_any_notebook(tmp_path, monkeypatch):
    monkeypatch.setenv("PETSEG_ROOT", str(Path(__file__).parents[1]))
    write_oxford(tmp_path)  # no validation photo: its breeds are too small
    said = refused(1, "study", "--profile", "smoke", "--only", "02", "--data-root", tmp_path, "--name", "none")
    assert_sentence(said, "part 'val' holds no photo")
    told = petseg("data", "--profile", "smoke", "--data-root", tmp_path)
    assert told.exit_code == 0  # its test photos can be evaluated on
    assert_sentence(told.stderr.splitlines()[-1], "part 'val' holds no photo")


@pytest.mark.parametrize(("value", "sentence"), [
    ("RECIPE=weak", "unknown recipe 'weak'"), ("DEVICE=tpu", "unknown device 'tpu'"),
    ("ENCODER=nonsense", "encoder 'nonsense'")])
def test_a_study_refuses_a_value_that_a_late_notebook_would_before_it_opens_the_data(monkeypatch, value, sentence):
    monkeypatch.setenv("PETSEG_ROOT", str(Path(__file__).parents[1]))
    said = refused(2, "study", "--profile", "smoke", "--name", "none", "--data-root", "/none", "--set", value)
    assert_sentence(said, sentence)


def test_the_help_names_the_models():
    text = petseg("train", "--help").output
    assert all(name in text for name in MODEL_NAMES)


def test_clicks_own_refusals_exit_with_2_too(trained, pets):
    for arguments in (["evaluate", trained["checkpoint"]], ["fly"], ["train"], ["data", "--size", "3"],
                      ["evaluate", trained["checkpoint"], "--data-root", pets, "--split", "excluded"]):
        result = petseg(*arguments)
        assert result.exit_code == 2 and "Traceback" not in result.stderr
        assert result.stderr.splitlines()[-1].startswith("Error: ")


def test_a_study_refuses_unknown_notebooks_and_names(root, monkeypatch, tmp_path):
    monkeypatch.setenv("PETSEG_ROOT", str(tmp_path))
    assert_sentence(refused(2, "study", "--profile", "smoke"), "no notebooks in ")
    write_notebook(tmp_path / "notebooks" / "01_first.ipynb", "pass", parameters="EPOCHS = None\nPROFILE = 'auto'")
    smoke = ["study", "--profile", "smoke"]
    assert_sentence(refused(2, *smoke, "--only", "08"), "no notebook has number '08': choose among 01")
    assert_sentence(refused(2, *smoke, "--only", "01", "09"), "no notebook has number '09'")
    assert_sentence(refused(2, *smoke, "--set", "EPOCH=3"), "has a parameter 'EPOCH': choose among EPOCHS")
    assert_sentence(refused(2, *smoke, "--set", "PROFILE=full"), "unknown setting 'PROFILE'")
    assert_sentence(refused(2, *smoke, "--set", "EPOCHS=many"), "setting epochs is 'many'")


def test_a_study_runs_its_notebooks_with_its_settings_and_a_notebooks_own_parameters(root):
    show = "import os, pathlib; root = pathlib.Path(os.environ['PETSEG_ROOT'])"
    show += "\n(root / 'seen').write_text(repr((PROFILE, SEED, CLICKS)))"
    write_notebook(root / "notebooks" / "01_first.ipynb", show,
                   parameters="PROFILE = 'auto'\nDATASET = None\nSEED = None\nCLICKS = 1")
    write_notebook(root / "notebooks" / "02_second.ipynb", "from petseg_utils.errors import DataError",
                   "raise DataError('two photos are missing')")
    result = petseg("study", "--profile", "smoke", "--only", "01", "--set", "SEED=4", "CLICKS=7")
    assert result.exit_code == 0, result.output
    assert (root / "seen").read_text() == "('smoke', 4, 7)"
    assert "executed/smoke: 1 files" in result.stdout and "80 photos from" in result.stdout
    assert_sentence(refused(1, "study", "--profile", "smoke", "--only", "2"), "two photos are missing")


def test_a_real_process_refuses_with_one_line(trained):
    command = [sys.executable, "-m", "petseg_utils", "evaluate", trained["checkpoint"], "--data-root", "/none"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (1, "")
    assert_sentence(result.stderr, "petseg: data root '/none' is not a folder")
