"""A run's name is its identity: the same forever for the same run, another for all that changes what it computes."""

import dataclasses
import json

import pytest

from petseg_utils.errors import UsageError
from petseg_utils.training import recipes
from petseg_utils.training.spec import RunSpec

PLAIN = RunSpec(model="unet", data="0123456789abcdef", image_size=64, epochs=2)
# One other value for every field. A field that is added must be added here: the test below asks for all of them.
OTHERS = {
    "model": "unet-resattn", "data": "fedcba9876543210", "image_size": 96, "epochs": 3, "options": {"width": 8},
    "recipe": "paper", "learning_rate": 0.002, "augmentation": "five", "border": "pet", "batch_size": 16, "seed": 1,
}
# Fields that came after names were pinned, and the model that knows them.
LATER = {"class_weights": (0.1, 1.0, 1.0), "task": "reconstruction", "encoder": "ae-unet-0123456789", "frozen": True,
         "label_fraction": 0.5, "encoder_weights": "0123456789abcdef", "encoder_code": "0123456789abcdef", "views": 4,
         "teacher": "timm:resnet18", "start": "clip-0123456789", "edge_clicks": 0.5}
WITH_ENCODER = dataclasses.replace(PLAIN, model="ae-unet")
WITH_CAPTIONS = dataclasses.replace(PLAIN, model="petclip", task="captions")
WITH_PROMPTS = dataclasses.replace(PLAIN, model="prompt-clip", task="prompt", encoder="petclip-mini")
BASES = {"teacher": WITH_CAPTIONS, "start": WITH_PROMPTS, "edge_clicks": WITH_PROMPTS}


def test_the_name_is_pinned():
    """Runs that were trained months ago are found by these names. If this fails, a finished study would be trained
    again from nothing: give a new field the default that the code had before, and leave the names alone."""
    assert PLAIN.run_name == "unet-4da4a840a4"
    assert dataclasses.replace(PLAIN, **OTHERS | {"model": "unet"}).run_name == "unet-0c1b7f106f"


def test_every_field_changes_the_name():
    names = {PLAIN.run_name, WITH_ENCODER.run_name, WITH_CAPTIONS.run_name, WITH_PROMPTS.run_name}
    for field in dataclasses.fields(RunSpec):
        base = BASES.get(field.name, WITH_ENCODER if field.name in LATER else PLAIN)
        names.add(dataclasses.replace(base, **{field.name: (OTHERS | LATER)[field.name]}).run_name)
    assert len(names) == 4 + len(OTHERS | LATER)


def test_an_options_value_changes_the_name_but_its_order_does_not():
    def name(**options):
        return dataclasses.replace(PLAIN, options=options).run_name

    assert name(width=8, depth=2) == name(depth=2, width=8)
    assert len({name(), name(width=8), name(width=9), name(depth=8)}) == 4


def test_defaults_are_left_out():
    assert json.loads(PLAIN.to_json()) == {"model": "unet", "data": "0123456789abcdef", "image_size": 64, "epochs": 2}
    said = RunSpec("unet", "0123456789abcdef", 64, 2, options={}, recipe="strong", learning_rate=None,
                   augmentation="none", border="ignore", batch_size=32, seed=0)
    assert said.to_json() == PLAIN.to_json()


@pytest.mark.parametrize("number", [
    {"optimizer": "adam"}, {"learning_rate": 2e-3}, {"weight_decay": 0.0}, {"schedule": "plateau"},
    {"class_weights": (0.5, 1.0, 1.0)},
], ids=lambda number: next(iter(number)))
def test_a_recipes_changed_number_changes_the_name(number, monkeypatch):
    before = PLAIN.run_name
    monkeypatch.setitem(recipes.RECIPES, "strong", dataclasses.replace(recipes.RECIPES["strong"], **number))
    assert PLAIN.run_name != before


def test_another_recipes_changed_number_does_not(monkeypatch):
    before = PLAIN.run_name
    monkeypatch.setitem(recipes.RECIPES, "paper", recipes.RECIPES["strong"])
    assert PLAIN.run_name == before


def test_json_round_trip():
    for spec in (PLAIN, dataclasses.replace(PLAIN, **OTHERS)):
        assert RunSpec.from_json(spec.to_json()) == spec
        assert RunSpec.from_json(spec.to_json()).run_name == spec.run_name


def test_the_specs_learning_rate_replaces_the_recipes():
    assert PLAIN.get_recipe() == recipes.RECIPES["strong"]
    changed = dataclasses.replace(PLAIN, learning_rate=0.002).get_recipe()
    assert changed == dataclasses.replace(recipes.RECIPES["strong"], learning_rate=0.002)
    assert recipes.RECIPES["strong"].learning_rate == 3e-3


def test_build_hands_the_options_on():
    spec = dataclasses.replace(PLAIN, options={"width": 3, "depth": 2})
    assert spec.build().head.in_channels == 3
    with pytest.raises(UsageError, match="has no option 'widht'"):
        dataclasses.replace(PLAIN, options={"widht": 3}).build()


@pytest.mark.parametrize(("name", "value", "sentence"), [
    ("recipe", "weak", "unknown recipe 'weak'"),
    ("augmentation", "six", "unknown augmentation 'six': choose one of none, five, zoomed, spoiled"),
    ("border", "cat", "unknown border policy 'cat'"),
    ("image_size", 31, "image_size is 31: give a whole number of 32 or more"),
    ("image_size", 64.0, "image_size is 64.0: give a whole number of 32 or more"),
    ("epochs", 0, "epochs is 0: give a whole number of 1 or more"),
    ("batch_size", 1, "batch_size is 1: give a whole number of 2 or more"),
    ("seed", -1, "seed is -1: give a whole number of 0 or more"),
    ("seed", 2**63, "seed is 9223372036854775808: give a smaller number"),
    ("seed", None, "seed is None: give a whole number of 0 or more"),
    ("edge_clicks", 0.5, "edge_clicks are 0.5 in a run whose task is segmentation: nobody clicks there"),
    ("edge_clicks", -0.5, "edge_clicks are -0.5 in a run"),
    ("learning_rate", 0, "learning_rate is 0: give a number greater than 0"),
    ("learning_rate", -0.1, "learning_rate is -0.1: give a number greater than 0"),
    ("learning_rate", float("nan"), "learning_rate is nan: give a number greater than 0"),
    ("learning_rate", float("inf"), "learning_rate is inf: give a number greater than 0"),
])
def test_bad_values_are_refused_with_a_sentence(name, value, sentence):
    with pytest.raises(UsageError) as raised:
        dataclasses.replace(PLAIN, **{name: value})
    assert str(raised.value).startswith(sentence)


@pytest.mark.parametrize("changes", [
    {"model": "mae", "task": "reconstruction", "views": 2},
    {"model": "mae", "task": "reconstruction", "border": "pet"},
    {"model": "petclip", "task": "captions", "class_weights": (0.1, 1.0, 1.0)},
    {"model": "petclip", "task": "captions", "augmentation": "five"},
    {"model": "prompt-unet", "task": "prompt", "border": "pet"},
])
def test_what_a_task_would_not_look_at_is_refused(changes):
    with pytest.raises(UsageError, match=f"{changes['task']}.*: leave"):
        RunSpec(**({"data": "0", "image_size": 64, "epochs": 1} | changes))


def test_the_smallest_good_values_are_taken():
    dataclasses.replace(PLAIN, image_size=32, epochs=1, batch_size=2, seed=0, learning_rate=1e-9)


def test_class_weights_stand_in_for_the_recipes():
    spec = RunSpec(model="unet", data="x", image_size=64, epochs=1, class_weights=(0.1, 1.0, 1.0))
    assert spec.get_recipe().class_weights == (0.1, 1.0, 1.0)
    assert RunSpec.from_json(spec.to_json()) == spec  # JSON has lists
    assert spec.run_name != RunSpec(model="unet", data="x", image_size=64, epochs=1).run_name


@pytest.mark.parametrize("weights", [(1.0, 1.0), (0.0, 1.0, 1.0), (1.0, -1.0, 1.0), (1.0, float("nan"), 1.0)])
def test_class_weights_that_cannot_be_are_refused(weights):
    with pytest.raises(UsageError, match="^class_weights are .*: give 3 numbers greater than 0$"):
        RunSpec(model="unet", data="x", image_size=64, epochs=1, class_weights=weights)


def test_a_share_of_edge_clicks_is_a_share():
    for share in (-0.1, 1.5, float("nan")):
        with pytest.raises(UsageError, match="give a share from 0 to 1"):
            dataclasses.replace(WITH_PROMPTS, edge_clicks=share)
