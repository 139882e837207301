"""Which runs the notebooks train, and that an ablation changes one thing."""

import dataclasses
from pathlib import Path

import papermill
import pytest
from making_encoders import write_encoder

from petseg_utils.encoders.specs import build_encoder
from petseg_utils.errors import UsageError
from petseg_utils.profiles import resolve
from petseg_utils.study import Study
from petseg_utils.training.checkpoint import check_encoder
from petseg_utils.training.recipes import FAMILY_LEARNING_RATES, get_recipe
from petseg_utils.variants import (
    AUTOENCODERS,
    LABEL_FRACTIONS,
    autoencoder_controls,
    clip_ablations,
    clip_specs,
    frozen_specs,
    main_specs,
    prompt_specs,
    promptless_spec,
    reconstruction_specs,
    specs_before_prompts,
    spoiled_specs,
    unet_ablations,
    unet_specs,
)

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


@pytest.fixture(scope="module")
def studies(synthetic_data):
    def study(**changes):
        made = Study(resolve("smoke", **({"learning_rate": None} | changes)), "mine")
        made.__dict__["data"] = synthetic_data  # as if it had been opened
        return made

    return study


def differences(one, other):
    return {f.name for f in dataclasses.fields(one) if getattr(one, f.name) != getattr(other, f.name)}


def test_small_profiles_train_one_run_of_each_family(studies):
    specs = unet_specs(studies())
    assert {name: spec.model for name, spec in specs.items()} == {"UNet": "unet", "UNet-ResAttn": "unet-resattn"}
    assert unet_ablations(studies()) == {} and unet_ablations(studies(rows="main")) == {}


def test_what_is_trained_on_spoiled_photos_differs_from_its_neighbour_in_nothing_else(studies):
    assert spoiled_specs(studies()) == {} and spoiled_specs(studies(rows="main")) == {}
    study = studies(rows="all", epochs=3, ablation_epochs=3)
    specs, others = spoiled_specs(study), main_specs(study)
    assert len(specs) == 2
    for variant, spec in specs.items():
        assert differences(spec, others[variant.removesuffix(", trained on spoiled photos")]) == {"augmentation"}
    trained = (unet_ablations(study) | clip_ablations(study)).values()
    assert all(spec in trained for spec in specs.values()), "some notebook trains them"
    shorter = studies(rows="all", epochs=3, ablation_epochs=1)
    assert list(spoiled_specs(shorter).values()) == list(specs.values()), "a shorter ablation is no fair neighbour"


@pytest.mark.parametrize("rows", ["main", "all"])
def test_large_profiles_train_both_recipes_with_and_without_augmentation(rows, studies):
    specs = unet_specs(studies(rows=rows))
    cells = {(spec.model, spec.recipe, spec.augmentation) for spec in specs.values()}
    assert len(specs) == len(cells) == len({spec.run_name for spec in specs.values()}) == 8
    assert specs["UNet-ResAttn, paper, augmented"].recipe == "paper"
    assert specs["UNet-ResAttn, paper, augmented"].augmentation == "five"


def test_an_ablation_changes_one_thing(studies):
    specs = unet_ablations(studies(rows="all", ablation_epochs=2))
    baseline = specs.pop("baseline")
    assert baseline.epochs == 2 and len(specs) >= 4
    for name, spec in specs.items():
        assert len(differences(spec, baseline)) == 1, name
    assert specs["no skip connections"].options["skips"] is False
    assert specs["background weighted .1"].get_recipe().class_weights == get_recipe("paper").class_weights
    assert {specs[f"border trained as {policy}"].border for policy in ("background", "pet")} == {"background", "pet"}


def test_a_familys_own_learning_rate_gives_way_to_the_settings(studies):
    own = FAMILY_LEARNING_RATES["unet-resattn", "strong"]
    assert studies().spec("unet-resattn").get_recipe().learning_rate == own
    assert studies().spec("unet-resattn", recipe="paper").get_recipe() == get_recipe("paper")
    assert studies().spec("unet").get_recipe() == get_recipe("strong")
    assert studies(learning_rate=0.5).spec("unet-resattn").get_recipe().learning_rate == 0.5


def test_unknown_rows_are_refused():
    with pytest.raises(UsageError, match="^unknown rows 'some': choose one of families, main, all$"):
        resolve("smoke", rows="some")


def test_native_photos_need_a_folder(studies):
    with pytest.raises(UsageError, match="^native_root is None: give the folder"):
        _ = studies().native_data


# ---------------------------------------------------------------------------------------------- autoencoders


def test_small_profiles_train_one_frozen_encoder_of_each_kind_and_no_controls(studies):
    study = studies()
    frozen, reconstructions = frozen_specs(study), reconstruction_specs(study)
    assert set(frozen) == {f"{published.name}, frozen" for published in AUTOENCODERS.values()}
    for name, spec in frozen.items():
        assert spec.frozen and spec.encoder == reconstructions[name.removesuffix(", frozen")].run_name
    assert autoencoder_controls(study) == {}
    assert "Improved AE, skips, frozen" in frozen_specs(studies(rows="main"))


def test_published_rates_and_epochs(studies):
    study = studies(epochs_share=1.0)
    specs = reconstruction_specs(study) | frozen_specs(study)
    recipes = {name: spec.get_recipe() for name, spec in specs.items() if "MAE" not in name}
    facts = {name: (specs[name].epochs, r.learning_rate, r.optimizer, r.schedule) for name, r in recipes.items()}
    assert facts == {
        "Simple AE": (100, 1e-3, "adam", "constant"), "Simple AE, frozen": (50, 1e-3, "adam", "constant"),
        "Improved AE": (100, 1e-3, "adam", "constant"), "Improved AE, frozen": (50, 1e-4, "adam", "constant"),
        "UNet-AE": (50, 1e-3, "adam", "constant"), "UNet-AE, frozen": (50, 1e-3, "adam", "constant"),
        "UNet-AE with skips": (50, 1e-3, "adam", "constant"),
    }
    assert {spec.augmentation for spec in reconstruction_specs(study).values()} == {"five"}
    assert {spec.epochs for spec in frozen_specs(studies(epochs_share=0.001)).values()} == {1}


def test_a_control_differs_from_the_frozen_run_in_what_it_controls(studies):
    study = studies(rows="all")
    frozen, controls = frozen_specs(study), autoencoder_controls(study)
    for published in AUTOENCODERS.values():
        base = frozen[f"{published.name}, frozen"]
        for way, changed in (("random, frozen", {"encoder"}), ("from scratch", {"encoder", "frozen"}),
                             ("fine-tuned", {"frozen"})):
            assert differences(controls[f"{published.name}, {way}"], base) == changed
    for control, base in (("UNet-AE, pre-trained with skips, frozen", "UNet-AE, frozen"),
                          ("Improved AE, skips, random, frozen", "Improved AE, skips, frozen")):
        assert differences(controls[control], frozen[base]) == {"encoder"}


def test_fewer_labels_are_compared_at_equal_epochs(studies):
    controls = autoencoder_controls(studies(rows="all"))
    for fraction in LABEL_FRACTIONS:
        rows = {name: spec for name, spec in controls.items() if spec.label_fraction == fraction}
        assert len(rows) == 6 and all(name.endswith(f"{fraction:.0%} of the labels") for name in rows)
        ways = {(spec.model, bool(spec.encoder), spec.frozen) for spec in rows.values()}
        assert len(ways) == 6 and len({spec.epochs for spec in rows.values() if spec.model == "mae"}) == 1
    assert len({spec.run_name for spec in controls.values()}) == len(controls)


# ---------------------------------------------------------------------------------------------- frozen encoders


def test_small_profiles_train_the_best_decoder_and_no_ablations(studies):
    study = studies()
    assert list(clip_specs(study)) == ["petclip-mini, multi"] and clip_ablations(study) == {}
    (spec,) = clip_specs(study).values()
    assert spec.frozen and spec.encoder == "petclip-mini" and spec.views == study.settings.views
    assert spec.encoder_weights == build_encoder("petclip-mini", 64).weights_hash


def test_every_decoder_recipe_and_augmentation_in_the_large_ones(studies):
    specs = clip_specs(studies(rows="main"))
    assert {spec.options["decoder"] for spec in specs.values()} == {"report", "query", "multi"}
    assert {(spec.recipe, spec.augmentation, spec.views > 0) for spec in specs.values()} == {
        ("strong", "five", True), ("paper", "five", True), ("paper", "none", False), ("strong", "none", False)}
    assert differences(specs["petclip-mini, report"], specs["petclip-mini, multi"]) == {"options"}


def test_a_clip_ablation_changes_one_thing(studies):
    study = studies(rows="all", encoder_size=64)
    base, ablations = clip_specs(study)["petclip-mini, multi"], clip_ablations(study)
    changed = {name.removeprefix("petclip-mini, "): differences(spec, base) for name, spec in ablations.items()}
    assert changed.pop("baseline") == set()
    assert changed.pop("random weights") == {"encoder", "encoder_weights"}
    assert changed.pop("fine-tuned") == {"frozen"}
    assert changed.pop("trained on spoiled photos") == {"augmentation"}
    assert set(map(frozenset, changed.values())) == {frozenset({"options"})}
    grids = {spec.options["image_size"] // 16 for name, spec in ablations.items() if "tokens" in name}
    assert grids == {7, 14, 28}
    for spec in ablations.values():
        assert spec.build()  # the options are the model's


@pytest.mark.parametrize(("encoder", "size"), [("random:timm:test_vit", 64), ("petclip-mini", 112)])
def test_ablations_at_other_sizes_name_the_encoder_that_they_build(encoder, size, studies):
    """A ViT's positions, and so its hash, are another's at another size; and one and a half times a size that its
    stride divides may be none."""
    for spec in clip_ablations(studies(rows="all", encoder=encoder, encoder_size=size)).values():
        check_encoder(spec, spec.build())


def test_another_encoder_names_other_rows(studies, tmp_path):
    spec = write_encoder(tmp_path, "imagenet_rn101v2.py")
    assert list(clip_specs(studies(encoder=spec))) == ["ImageNet ResNet-101, multi"]
    assert list(clip_specs(studies(encoder="random:petclip-mini"))) == ["random:petclip-mini, multi"]
    assert list(clip_specs(studies(encoder_size=96))) == ["petclip-mini at 96 px, multi"]


# ---------------------------------------------------------------------------------------------- prompts


def test_three_prompt_models_and_in_the_large_profiles_one_that_goes_on_from_notebook_04(studies):
    small, large = prompt_specs(studies()), prompt_specs(studies(rows="main"))
    assert {name: spec.model for name, spec in small.items()} == {
        "petclip-mini, prompt-clip": "prompt-clip", "prompt-unet": "prompt-unet", "petclip-mini, prompt": "prompt"}
    assert {spec.task for spec in large.values()} == {"prompt"}
    plain, extra = large["petclip-mini, prompt"], "petclip-mini, prompt-clip, from notebook 04"
    assert differences(large["petclip-mini, prompt, zoomed"], plain) == {"augmentation"}
    for name in ("petclip-mini, prompt", "petclip-mini, prompt, zoomed"):
        then = large[f"{name}, then edge clicks"]
        assert differences(then, large[name]) == {"start", "edge_clicks", "epochs", "learning_rate"}
        assert then.start == large[name].run_name and then.epochs == 1
    assert len(large) == len(small) + 4
    assert differences(large[extra], large["petclip-mini, prompt-clip"]) == {"start"}
    study = studies(rows="main")
    assert large[extra].start == clip_specs(study)["petclip-mini, report"].run_name
    assert promptless_spec(study) == clip_specs(study)["petclip-mini, multi"]


def test_notebook_05_on_its_own_trains_what_it_needs_of_notebook_04(studies):
    assert list(specs_before_prompts(studies())) == ["petclip-mini, multi"]
    study = studies(rows="main")
    assert list(specs_before_prompts(study)) == ["petclip-mini, report", "petclip-mini, multi"]
    trained = {spec.run_name for spec in (specs_before_prompts(study) | prompt_specs(study)).values()}
    assert {spec.start for spec in prompt_specs(study).values()} - {""} <= trained


@pytest.mark.parametrize(("number", "specs_of"), [
    ("02", unet_specs), ("03", lambda s: reconstruction_specs(s) | frozen_specs(s)),
    ("04", lambda s: clip_specs(s) | unet_specs(s)), ("05", lambda s: prompt_specs(s) | specs_before_prompts(s)),
    ("06", main_specs),
], ids=lambda part: part if isinstance(part, str) else "")
def test_a_notebook_declares_every_setting_that_changes_its_runs(number, specs_of, studies):
    """Else a study with that setting would train other runs in this notebook than in the others."""
    (path,) = NOTEBOOKS.glob(f"{number}_*.ipynb")
    declared = papermill.inspect_notebook(str(path))
    plain = specs_of(studies())
    changes = {"width": 8, "depth": 2, "epochs": 3, "batch_size": 4, "recipe": "paper", "learning_rate": 1e-2,
               "seed": 1, "epochs_share": 0.5, "patch": 8, "vit_dim": 48, "vit_depth": 2,
               "encoder": "random:petclip-mini", "encoder_size": 96, "decoder_epochs": 3, "prompt_epochs": 3,
               "views": 3, "image_size": 96}
    decisive = {name for name, value in changes.items() if specs_of(studies(**{name: value})) != plain}
    assert decisive <= {name.lower() for name in declared}, path.name
    assert {"seed", "batch_size", "image_size"} <= decisive
