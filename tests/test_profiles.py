"""Profiles: which one ``auto`` is, what may be overridden with what, and what is refused."""

import dataclasses

import pytest

from petseg_utils import hardware
from petseg_utils.errors import UsageError
from petseg_utils.profiles import OVERRIDABLE, PROFILES, Settings, resolve
from petseg_utils.training import RECIPES


@pytest.fixture(params=[True, False], ids=["cuda", "no cuda"])
def cuda(request, monkeypatch):
    monkeypatch.setattr(hardware, "cuda_works", lambda: request.param)
    return request.param


def test_auto_is_gpu_where_cuda_is_else_quick(cuda):
    expected = "gpu" if cuda else "quick"
    assert resolve().profile == resolve("auto").profile == expected
    assert resolve() == resolve(expected)


def test_the_environment_decides_what_auto_is(cuda, monkeypatch):
    monkeypatch.setenv("PETSEG_PROFILE", "smoke")
    assert resolve().profile == "smoke"
    assert resolve("full").profile == "full"  # what is asked for by name stays
    for as_if_unset in ("", "auto"):
        monkeypatch.setenv("PETSEG_PROFILE", as_if_unset)
        assert resolve().profile == ("gpu" if cuda else "quick")
    monkeypatch.setenv("PETSEG_PROFILE", "huge")
    with pytest.raises(UsageError, match="unknown profile 'huge'"):
        resolve()


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_resolves_to_something_usable(profile):
    settings = resolve(profile)
    assert settings.profile == profile and settings.recipe in RECIPES
    assert settings.image_size >= 32 and settings.image_size % 2**settings.depth == 0
    assert min(settings.width, settings.depth, settings.epochs) >= 1 and settings.batch_size >= 2
    for name, value in PROFILES[profile].items():
        assert getattr(settings, name) == value
    # Twelve synthetic breeds, and at least one of each in either list.
    assert settings.dataset == "oxford" or min(settings.n_trainval, settings.n_test) >= 12


def test_the_profiles_are_those_of_the_design():
    assert {name: (p["dataset"], p["image_size"]) for name, p in PROFILES.items()} == {
        "smoke": ("synthetic", 64), "quick": ("synthetic", 96), "gpu": ("oxford", 224), "full": ("oxford", 224),
        "oxford-128": ("oxford", 128)}


@pytest.mark.parametrize(("name", "value"), [
    ("image_size", 80), ("width", 5), ("depth", 2), ("epochs", 7), ("batch_size", 3), ("recipe", "paper"),
    ("n_trainval", 24), ("n_test", 13), ("learning_rate", 0.01), ("seed", 5), ("device", "cpu"),
    ("allow_defects", True),
])
def test_every_number_can_be_overridden_in_either_case(name, value):
    expected = dataclasses.replace(resolve("smoke"), **{name: value})
    assert resolve("smoke", **{name: value}) == resolve("smoke", **{name.upper(): value}) == expected
    assert expected != resolve("smoke")


def test_none_leaves_the_profiles_value():
    assert resolve("smoke", **{name.upper(): None for name in OVERRIDABLE}) == resolve("smoke")


def test_falsehood_is_a_value():
    assert resolve("smoke", seed=0, allow_defects=False) == resolve("smoke")
    assert resolve("smoke", allow_defects=True).allow_defects is True


def test_whole_numbers_pass_for_floats():
    assert resolve("smoke", learning_rate=1).learning_rate == 1


@pytest.mark.parametrize("name", ["epoch", "EPOCH", "PROFILE", "Epochs "])
def test_unknown_names_are_refused_with_a_sentence(name):
    with pytest.raises(UsageError) as raised:
        resolve("smoke", **{name: 3})
    assert str(raised.value).startswith(f"unknown setting {name!r}: choose among dataset, image_size, ")
    assert "epochs" in str(raised.value) and raised.value.exit_code == 2


def test_an_unknown_name_is_refused_even_if_it_is_none():
    with pytest.raises(UsageError, match="unknown setting 'epoch'"):
        resolve("smoke", epoch=None)


@pytest.mark.parametrize(("name", "value", "kind"), [
    ("epochs", "3", "int"), ("epochs", 3.0, "int"), ("epochs", True, "int"), ("learning_rate", "fast", "float"),
    ("learning_rate", True, "float"), ("recipe", 3, "str"), ("data_root", 3, "str"), ("allow_defects", 1, "bool"),
])
def test_wrong_types_are_refused_with_a_sentence(name, value, kind):
    with pytest.raises(UsageError) as raised:
        resolve("smoke", **{name: value})
    assert str(raised.value) == f"setting {name} is {value!r}: give a value of type {kind}"


def test_unknown_profiles_and_data_sets_are_refused_with_a_sentence():
    with pytest.raises(UsageError, match=r"^unknown profile 'tiny': choose one of auto, smoke, quick, "):
        resolve("tiny")
    with pytest.raises(UsageError, match=r"^unknown dataset 'cityscapes': choose one of synthetic, oxford$"):
        resolve("smoke", dataset="cityscapes")


def test_a_data_root_means_a_data_set_on_disk():
    assert resolve("smoke", data_root="/pets").dataset == "oxford"
    assert resolve("smoke", data_root="/pets", dataset="oxford").data_root == "/pets"
    with pytest.raises(UsageError, match="'synthetic' is rendered, data root '/pets' does not apply"):
        resolve("smoke", data_root="/pets", dataset="synthetic")


def test_synthetic_pets_at_a_large_profile_are_as_many_as_in_quick():
    settings = resolve("full", dataset="synthetic")
    assert (settings.n_trainval, settings.n_test) == (resolve("quick").n_trainval, resolve("quick").n_test) != (0, 0)
    assert resolve("full", dataset="synthetic", n_test=50).n_test == 50


def test_settings_cannot_be_changed_by_accident():
    with pytest.raises(dataclasses.FrozenInstanceError):
        resolve("smoke").epochs = 3
    assert "profile" not in OVERRIDABLE and len(OVERRIDABLE) == len(dataclasses.fields(Settings)) - 1
