"""The protocol on models whose scores are known, the tables that come of it, and learning to follow prompts."""

import dataclasses

import numpy as np
import pytest
import torch
from making_encoders import write_encoder
from making_prompters import Painter
from making_runs import FLOAT32, assert_same_training, assert_sentence, tiny_spec, train_tiny
from safetensors.torch import load_file

from petseg_utils.classes import BACKGROUND, BORDER, CAT, DOG
from petseg_utils.encoders.features import FeatureStore
from petseg_utils.encoders.specs import build_encoder
from petseg_utils.errors import DataError, TrainingError, UsageError
from petseg_utils.metrics import apply_border, reduce_scores
from petseg_utils.models import build_model
from petseg_utils.prompts.prompter import PromptlessPrompter, build_prompter
from petseg_utils.prompts.protocol import evaluate_prompts
from petseg_utils.prompts.simulator import Click, rim
from petseg_utils.prompts.table import prompt_rows
from petseg_utils.prompts.text import build_texts
from petseg_utils.results import metric_rows
from petseg_utils.training import train
from petseg_utils.training.checkpoint import load_model
from petseg_utils.training.prompting import converse, draw_clicks, first_clicks


class Names:
    def name_class(self, text):
        return ("background", "cat", "dog").index(text), 1.0


@pytest.fixture(scope="module")
def painted(few):
    """The few photos, painted in their masks' colours (the border as background), scored at the model's size."""
    colours = np.array([(0, 0, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255)], dtype=np.uint8)
    masks = np.array(few.masks)
    data = dataclasses.replace(few, images=colours[np.minimum(masks, BORDER)])
    object.__setattr__(data, "original_mask", lambda row: masks[row])
    return data


@pytest.mark.parametrize("planes", [1, 3])
def test_a_model_that_sees_everything_needs_one_click(planes, painted):
    prompter = build_prompter(Painter(planes), painted.image_size, FLOAT32, Names())
    scores, clicked = evaluate_prompts(prompter, painted, "test")
    assert len(scores) == len(clicked) == len(painted.indices("test"))
    for name in ("centre", "random", "rim", "background", "none", "text"):
        np.testing.assert_allclose(getattr(scores, name), 1, err_msg=name)
    assert (scores.dialogue == 1).all() and (scores.astray == 0).all() and (scores.other_text == 0).all()
    confusion = apply_border(clicked.counts, clicked.species, "ignore")
    assert reduce_scores(confusion, "iou", "dataset")["mean"] == 1
    rows = {(row["prompt"], row["metric"]): row["value"] for row in prompt_rows(scores)}
    assert rows["simulated clicks", "noc@90"] == 1 and rows["simulated clicks", "failures@90"] == 0
    assert rows["single clicks", "spread"] == 0


def test_a_photo_that_is_all_pet_is_clicked_as_well(painted):
    filled = dataclasses.replace(painted, images=np.full_like(painted.images, (255, 0, 0)),
                                 species=np.full_like(painted.species, CAT))
    truth = np.full(painted.masks.shape[1:], CAT, np.uint8)
    object.__setattr__(filled, "original_mask", lambda row: truth)
    scores, _ = evaluate_prompts(build_prompter(Painter(3), painted.image_size, FLOAT32, Names()), filled, "test")
    for name in ("centre", "random", "rim", "none", "text"):
        np.testing.assert_allclose(getattr(scores, name), 1, err_msg=name)
    assert (scores.dialogue == 1).all() and np.isnan(scores.background).all()


def test_a_model_that_does_not_listen_is_found_out(painted):
    class Blind(torch.nn.Module):
        def forward(self, images):
            return Painter(1)(images)

    prompter = PromptlessPrompter(Blind(), painted.image_size, FLOAT32, Names(), components=False)
    scores, _ = evaluate_prompts(prompter, painted, "test")
    assert (scores.astray == 1).all() and (scores.background == 0).all() and (scores.centre == 1).all()


def test_every_model_gets_the_same_clicks(painted):
    class Notebook(Painter):
        def select(self, embedding, prompts):
            heard.append(prompts[:, 0].clone())
            return super().select(embedding, prompts)

    found = []
    for _ in range(2):
        heard: list = []
        evaluate_prompts(build_prompter(Notebook(1), painted.image_size, FLOAT32, Names()), painted, "test")
        found.append(torch.cat(heard))
    assert torch.equal(*found)


def test_processes_beside_each_other_find_what_one_finds(encoder_file, few, request):
    model = FLOAT32.model(build_model("prompt", width=4, encoder=encoder_file, image_size=64)).eval()
    prompter = build_prompter(model, 64, FLOAT32, build_texts())
    alone, clicked = evaluate_prompts(prompter, few, "test")
    request.getfixturevalue("two_threads")
    beside, clicked_beside = evaluate_prompts(prompter, few, "test")
    for name, values in vars(alone).items():
        assert np.array_equal(getattr(beside, name), values), name
    assert np.array_equal(clicked_beside.counts, clicked.counts)


def test_photos_without_a_pet_are_left_out_of_the_means(painted):
    empty = np.array(painted.masks)
    row = painted.indices("test")[0]
    empty[row] = BACKGROUND
    data = dataclasses.replace(painted)
    object.__setattr__(data, "original_mask", lambda i: empty[i])
    scores, _ = evaluate_prompts(build_prompter(Painter(), data.image_size, FLOAT32, Names()), data, "test")
    assert np.isnan(scores.dialogue[0]).all() and np.isnan(scores.centre[0]) and not np.isnan(scores.background[0])
    rows = {(row["prompt"], row["metric"]): row["value"] for row in prompt_rows(scores)}
    assert rows["simulated clicks", "miou@1"] == 1 and rows["centre", "iou"] == 1


# ---------------------------------------------------------------------------------------------- learning


def test_every_class_in_a_mask_is_clicked_once_on_a_pixel_of_it():
    masks = torch.full((3, 8, 8), BACKGROUND, dtype=torch.uint8)
    masks[0, 2:4, 2:4], masks[1] = CAT, DOG
    masks[2] = 255
    torch.manual_seed(3)
    owners, clicks = draw_clicks(masks)
    assert owners.tolist() == [0, 0, 1]
    assert [int(masks[o, int(c.y), int(c.x)]) for o, c in zip(owners, clicks, strict=True)] == [0, 1, 2]
    torch.manual_seed(3)
    assert draw_clicks(masks)[1] == clicks
    torch.manual_seed(4)
    assert draw_clicks(masks)[1] != clicks


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 0.05, 0.35), (0.5, 0.45, 0.8), (1.0, 1.0, 1.0)])
def test_a_share_of_the_clicks_on_pets_is_drawn_near_edges(share, least, most):
    masks = torch.full((1, 64, 64), BACKGROUND, dtype=torch.uint8)
    masks[0, 12:52, 12:52] = CAT
    torch.manual_seed(0)
    drawn = [draw_clicks(masks, share)[1] for _ in range(150)]  # a click on the background, and one on the cat
    near = [np.mean([rim((masks[0] == code).numpy())[int(clicks[code].y), int(clicks[code].x)] for clicks in drawn])
            for code in (BACKGROUND, CAT)]
    assert near[0] < 0.35 and least <= near[1] <= most


def test_a_class_without_an_edge_is_clicked_all_the_same():
    _, clicks = draw_clicks(torch.full((1, 16, 16), DOG, dtype=torch.uint8), 1.0)
    assert len(clicks) == 1


def test_a_share_of_none_draws_the_clicks_that_were_drawn_before_there_was_one():
    masks = torch.randint(0, 3, (4, 32, 32), generator=torch.Generator().manual_seed(1)).to(torch.uint8)
    torch.manual_seed(5)
    pixels = [torch.nonzero(mask == code) for mask in masks for code in range(3)]
    old = [p[int(torch.randint(len(p), ()))].tolist() for p in pixels]
    torch.manual_seed(5)
    assert [[int(c.y), int(c.x)] for c in draw_clicks(masks)[1]] == old


def test_the_user_goes_on_clicking_where_the_answer_is_wrong():
    codes = torch.zeros(1, 32, 32, dtype=torch.long)
    codes[0, :10, :10], codes[0, 20:, 20:] = 1, 1  # one cat in two parts
    region = codes == 1

    class Local(Painter):
        def select(self, embedding, prompts):
            near = torch.stack([prompts[:, 0] > 0.01, prompts[:, 0] > 0.01], 1)
            logits = torch.where(near.any(1) & region, 9.0, -9.0)
            return torch.cat([torch.zeros(1, 3, 32, 32), logits[:, None]], 1)

    model = Local(3, sigma=3.0)
    prompts, answers = converse(model, [codes], region, torch.ones_like(region), first_clicks(region), 1, FLOAT32)
    assert len(answers) == 1 and prompts.shape == (1, 3, 32, 32)
    peaks = torch.nonzero(prompts[0, 0] > 0.99)
    assert {tuple((p >= 16).tolist()) for p in peaks} == {(False, False), (True, True)}, "a click in each part"
    assert prompts[0, 1].max() == 0
    torch.testing.assert_close(prompts[0, 2], answers[0][0, 3].sigmoid())


def test_a_first_click_is_the_simulated_users():
    region = torch.zeros(1, 9, 9, dtype=torch.bool)
    region[0, 2:7, 2:7] = True
    assert first_clicks(region) == [Click(4.5, 4.5, True)]


@pytest.fixture
def encoder_file(tmp_path):
    return write_encoder(tmp_path)


def prompt_spec(data, name, encoder, **changes):
    if name == "prompt-unet":
        return tiny_spec(data, model=name, task="prompt", epochs=2, **changes)
    options = {"image_size": 64} | ({"width": 8} if name == "prompt" else {})
    return tiny_spec(data, **({"model": name, "task": "prompt", "encoder": encoder, "frozen": True, "options": options,
                               "encoder_weights": build_encoder(encoder, 64).weights_hash, "views": 2, "epochs": 2}
                              | changes))


@pytest.mark.parametrize("name", ["prompt-unet", "prompt-clip", "prompt"])
def test_prompt_models_learn_resume_and_are_scored(name, encoder_file, few, tmp_path):
    spec = prompt_spec(few, name, encoder_file)
    store = FeatureStore(tmp_path / "features", 1.0)
    run = train(spec, few, tmp_path / "a", features=store, device="cpu", quiet=True)
    again = train(spec, few, tmp_path / "b", features=store, device="cpu", quiet=True)
    assert_same_training(run, again)
    np.testing.assert_array_equal(run.prompt_scores("test").dialogue, again.prompt_scores("test").dialogue)
    rows = metric_rows(run)
    assert {row["prompt"] for row in rows if row["split"] == "val"} == {"none"}
    assert {"none", "random", "simulated clicks", "text", "near border"} <= {row["prompt"] for row in rows}
    model = load_model(run.best)
    assert model(torch.rand(1, 3, 64, 64)).shape == (1, 3, 64, 64), "a prompt model serves wherever others do"


def test_a_validation_part_without_a_pet_ends_the_run_at_once(few, tmp_path):
    masks = np.array(few.masks)
    masks[few.indices("val")] = BACKGROUND
    with pytest.raises(TrainingError) as caught, pytest.warns(RuntimeWarning):
        train(prompt_spec(few, "prompt-unet", ""), dataclasses.replace(few, masks=masks), tmp_path, device="cpu",
              quiet=True)
    assert_sentence(str(caught.value), "nan", "epoch 1", "a pet")


def test_a_prompt_model_goes_on_where_another_stopped(encoder_file, few, tmp_path):
    first = train(prompt_spec(few, "prompt", encoder_file, epochs=1), few, tmp_path, device="cpu", quiet=True)
    then = dataclasses.replace(first.spec, start=first.name, edge_clicks=0.5, learning_rate=1e-9)
    weights = [load_file(run.best) for run in (first, train(then, few, tmp_path, device="cpu", quiet=True))]
    for name, before in weights[0].items():
        if "running" not in name and before.is_floating_point():  # batch norm's statistics follow the clicks
            torch.testing.assert_close(weights[1][name], before, atol=1e-5, rtol=1e-5)
    other = prompt_spec(few, "prompt", f"random:{encoder_file}", start=first.name)
    with pytest.raises(UsageError) as caught:
        train(other, few, tmp_path, device="cpu", quiet=True)
    assert_sentence(str(caught.value), first.name, "start from a run on the same")


def test_a_report_decoder_goes_on_where_notebook_04_stopped(encoder_file, few, tmp_path):
    options = {"image_size": 64, "decoder": "report"}
    clip = {"model": "clip", "encoder": encoder_file, "encoder_weights": build_encoder(encoder_file, 64).weights_hash,
            "frozen": True, "epochs": 1}
    started = train_tiny(few, tmp_path, options=options, **clip)
    spec = prompt_spec(few, "prompt-clip", encoder_file, start=started.name, epochs=1, learning_rate=1e-9)
    run = train(spec, few, tmp_path, device="cpu", quiet=True)
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(run.load_model()(images), started.load_model()(images), atol=1e-3, rtol=1e-3)
    before, after = (load_file(r.best)["model.decoder.ups.0.weight"] for r in (started, run))
    assert len(after) == len(before) + 1 and after[-1].abs().max() < 1e-6

    other = train_tiny(few, tmp_path, options=options | {"decoder": "query"}, **clip)
    with pytest.raises(DataError) as caught:
        train(dataclasses.replace(spec, start=other.name), few, tmp_path, device="cpu", quiet=True)
    assert_sentence(str(caught.value), other.name, "report's decoder")
