"""Which runs a notebook trains, by variant: the words that name a row in every table."""

from petseg_utils.study import Study
from petseg_utils.training.spec import RunSpec

UNET_FAMILIES = {"unet": "UNet", "unet-resattn": "UNet-ResAttn"}


def unet_specs(study: Study) -> dict[str, RunSpec]:
    """The UNets of notebook 02: both models, and in the large profiles both recipes, with and without augmentation."""
    if study.settings.rows == "families":
        return {name: study.spec(model) for model, name in UNET_FAMILIES.items()}
    return {
        ", ".join([name, recipe, *(["augmented"] if augmentation == "five" else [])]):
            study.spec(model, recipe=recipe, augmentation=augmentation)
        for model, name in UNET_FAMILIES.items() for recipe in ("paper", "strong") for augmentation in ("none", "five")
    }


def unet_ablations(study: Study) -> dict[str, RunSpec]:
    """One thing changed at a time in the augmented UNet under ``strong``; empty where a profile has no ablations."""
    if study.settings.rows != "all":
        return {}
    s = study.settings
    changes: dict[str, dict] = {
        "baseline": {},
        "no skip connections": {"options": {"width": s.width, "depth": s.depth, "skips": False}},
        "background weighted .1": {"class_weights": (0.1, 1.0, 1.0)},
        "border trained as background": {"border": "background"},
        "border trained as pet": {"border": "pet"},
    }
    plain = {"recipe": "strong", "augmentation": "five", "epochs": s.ablation_epochs}
    return {name: study.spec("unet", **(plain | own)) for name, own in changes.items()}
