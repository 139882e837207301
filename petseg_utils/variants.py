"""Which runs a notebook trains, by variant: the words that name a row in every table."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from petseg_utils.encoders.naming import encoder_name
from petseg_utils.models.clip import DECODER_NAMES
from petseg_utils.profiles import Settings
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
        SPOILED: {"augmentation": "spoiled"},
    }
    plain = {"recipe": "strong", "augmentation": "five", "epochs": s.ablation_epochs}
    return {name: study.spec("unet", **(plain | own)) for name, own in changes.items()}


@dataclass(frozen=True)
class Published:
    """How a published study trained an autoencoder and then a decoder on its frozen encoder: passes and Adam's rate."""

    name: str
    epochs: int
    learning_rate: float
    segmentation_epochs: int
    segmentation_learning_rate: float


# The masked one's are ours: its study says neither.
AUTOENCODERS = {
    "ae-simple": Published("Simple AE", 100, 1e-3, 50, 1e-3),
    "ae-improved": Published("Improved AE", 100, 1e-3, 50, 1e-4),
    "ae-unet": Published("UNet-AE", 50, 1e-3, 50, 1e-3),
    "mae": Published("MAE", 400, 1e-3, 50, 5e-4),
}
LABEL_FRACTIONS = (0.05, 0.1, 0.25)
TOKEN_GRIDS = (7, 14, 28)
EDGE_CLICKS = 0.5
SPOILED = "trained on spoiled photos"
ENCODER_LABELS = {"imagenet_rn101v2": "ImageNet ResNet-101"}  # a file's name is not always what is in it


def reconstruction_specs(study: Study) -> dict[str, RunSpec]:
    """The pre-trainings of notebook 03, and a UNet that may pass its photo over the skips."""
    specs = {published.name: _reconstruction(study, model) for model, published in AUTOENCODERS.items()}
    specs["UNet-AE with skips"] = _reconstruction(study, "ae-unet", skips=True)
    return specs


def frozen_specs(study: Study) -> dict[str, RunSpec]:
    """A decoder on each frozen encoder; in the large profiles also one with skips from the encoder's early maps."""
    specs = {f"{published.name}, frozen": _segmentation(study, model) for model, published in AUTOENCODERS.items()}
    if study.settings.rows != "families":
        specs["Improved AE, skips, frozen"] = _segmentation(study, "ae-improved", options={"skips": True})
    return specs


def autoencoder_controls(study: Study) -> dict[str, RunSpec]:
    """What the frozen ones are to be compared with; empty where a profile has no controls.

    For each family: an encoder that learned nothing (frozen), all from scratch, and the pre-trained encoder fine-tuned;
    the skips without learned features; the encoder of a UNet that reconstructs over its skips; and fewer labels.
    """
    if study.settings.rows != "all":
        return {}
    specs: dict[str, RunSpec] = {}
    for model, published in AUTOENCODERS.items():
        specs |= {
            f"{published.name}, random, frozen": _segmentation(study, model, encoder=""),
            f"{published.name}, from scratch": _segmentation(study, model, encoder="", frozen=False),
            f"{published.name}, fine-tuned": _segmentation(study, model, frozen=False),
        }
    specs["Improved AE, skips, random, frozen"] = _segmentation(study, "ae-improved", encoder="",
                                                                options={"skips": True})
    specs["UNet-AE, pre-trained with skips, frozen"] = _segmentation(
        study, "ae-unet", encoder=reconstruction_specs(study)["UNet-AE with skips"].run_name)
    return specs | {
        f"{AUTOENCODERS[model].name}, {kind}, {fraction:.0%} of the labels":
            _segmentation(study, model, label_fraction=fraction, **changes)
        for model in ("ae-unet", "mae") for fraction in LABEL_FRACTIONS
        for kind, changes in (("frozen", {}), ("fine-tuned", {"frozen": False}),
                              ("from scratch", {"encoder": "", "frozen": False}))
    }


def _reconstruction(study: Study, model: str, **options: Any) -> RunSpec:
    published = AUTOENCODERS[model]
    plain = study.spec(model, task="reconstruction", augmentation="five", recipe=_recipe(model),
                       learning_rate=published.learning_rate, epochs=_share(study, published.epochs))
    return dataclasses.replace(plain, options=plain.options | options)


def _segmentation(study: Study, model: str, *, label_fraction: float = 1.0, options: dict[str, Any] | None = None,
                  **changes: Any) -> RunSpec:
    published = AUTOENCODERS[model]
    # Few photos make few steps: twice the epochs, for all who are compared.
    epochs = _share(study, published.segmentation_epochs * (1 if label_fraction == 1 else 2))
    plain = study.spec(model, augmentation="five", recipe=_recipe(model), epochs=epochs, label_fraction=label_fraction,
                       learning_rate=published.segmentation_learning_rate,
                       **({"encoder": _reconstruction(study, model).run_name, "frozen": True} | changes))
    return dataclasses.replace(plain, options=plain.options | (options or {}))


def _recipe(model: str) -> str:
    return "strong" if model == "mae" else "adam"


def _share(study: Study, epochs: int) -> int:
    return max(1, round(study.settings.epochs_share * epochs))


def encoder_label(settings: Settings) -> str:
    """What tables and figures call the settings' encoder; with the size that it sees, if that is not the photos'."""
    name = encoder_name(settings.encoder)
    size = "" if settings.encoder_size == settings.image_size else f" at {settings.encoder_size} px"
    return ENCODER_LABELS.get(name, name) + size


def clip_specs(study: Study) -> dict[str, RunSpec]:
    """The decoders of notebook 04 on the settings' frozen encoder; in small profiles the best of them only."""
    label = encoder_label(study.settings)
    if study.settings.rows == "families":
        return {f"{label}, multi": _clip(study, "multi")}
    specs = {f"{label}, {decoder}": _clip(study, decoder) for decoder in DECODER_NAMES}
    return specs | {
        f"{label}, report, recipe paper": _clip(study, "report", recipe="paper"),
        f"{label}, report, recipe paper, not augmented": _clip(study, "report", recipe="paper", augmentation="none"),
        f"{label}, multi, not augmented": _clip(study, "multi", augmentation="none"),
    }


def clip_ablations(study: Study) -> dict[str, RunSpec]:
    """One thing changed at a time in ``multi`` on the settings' encoder; empty where a profile has no ablations."""
    if study.settings.rows != "all":
        return {}
    encoder = study.settings.encoder
    changes: dict[str, dict[str, Any]] = {
        "baseline": {},
        "random weights": {"encoder": f"random:{encoder.removeprefix('random:')}"},
        "fine-tuned": {"frozen": False},
        "last layer only": {"options": {"layers": "last"}},
        "no image path": {"options": {"image_path": False}},
        "last layer only, no image path": {"options": {"layers": "last", "image_path": False}},
        "normalised as ImageNet": {"options": {"normalisation": "imagenet"}},
        SPOILED: {"augmentation": "spoiled"},
    }
    stride = study.encoder_stride(encoder)
    for factor in (1.5, 2.0):
        size = int(factor * study.settings.encoder_size) // stride * stride
        changes[f"no image path, seen at {size} px"] = {"options": {"image_path": False, "image_size": size}}
    for grid in TOKEN_GRIDS:
        changes[f"last layer only, no image path, {grid} x {grid} tokens"] = {
            "options": {"layers": "last", "image_path": False, "image_size": grid * stride}}
    return {f"{encoder_label(study.settings)}, {name}": _clip(study, "multi", **own) for name, own in changes.items()}


def _clip(study: Study, decoder: str, *, options: dict[str, Any] | None = None, **changes: Any) -> RunSpec:
    own = {"image_size": study.settings.encoder_size, "decoder": decoder} | (options or {})
    return study.spec("clip", **({"augmentation": "five", "options": own} | changes))


def prompt_specs(study: Study) -> dict[str, RunSpec]:
    """The prompt models of notebook 05: the report's and ours on the settings' encoder, and the UNet; in the large
    profiles also ours with close-ups among its training photos, either trained on with clicks near edges, and the
    report's that goes on from the decoder of notebook 04."""
    label = encoder_label(study.settings)
    specs = {
        f"{label}, prompt-clip": study.spec("prompt-clip", augmentation="five"),
        # Each photo is two samples, a click in each of its classes: half the epochs are as many samples as a UNet's.
        "prompt-unet": study.spec("prompt-unet", augmentation="five", epochs=max(1, study.settings.epochs // 2)),
        f"{label}, prompt": study.spec("prompt", augmentation="five"),
    }
    if study.settings.rows != "families":
        specs[f"{label}, prompt, zoomed"] = study.spec("prompt", augmentation="zoomed")
        for name in (f"{label}, prompt", f"{label}, prompt, zoomed"):
            specs[f"{name}, then edge clicks"] = _then_edge_clicks(specs[name])
        specs[f"{label}, prompt-clip, from notebook 04"] = study.spec(
            "prompt-clip", augmentation="five", start=clip_specs(study)[f"{label}, report"].run_name)
    return specs


def _then_edge_clicks(spec: RunSpec) -> RunSpec:
    """A quarter as long again, at a third of the recipe's rate, with half of the clicks on pets near their edges."""
    return dataclasses.replace(spec, start=spec.run_name, edge_clicks=EDGE_CLICKS, epochs=math.ceil(spec.epochs / 4),
                               learning_rate=spec.get_recipe().learning_rate / 3)


def main_specs(study: Study) -> dict[str, RunSpec]:
    """The segmentation models of notebooks 02 to 05, without their ablations and controls."""
    return unet_specs(study) | frozen_specs(study) | clip_specs(study) | prompt_specs(study)


def spoiled_specs(study: Study) -> dict[str, RunSpec]:
    """The UNet and the decoder ``multi`` of the main rows, trained on spoiled photos and no longer than those. The
    ablations train them (notebook 02's where these are as long as its main rows); empty where a profile has none."""
    if study.settings.rows != "all":
        return {}
    main = unet_specs(study) | clip_specs(study)
    return {f"{variant}, {SPOILED}": dataclasses.replace(main[variant], augmentation="spoiled")
            for variant in ("UNet, strong, augmented", f"{encoder_label(study.settings)}, multi")}


def promptless_spec(study: Study) -> RunSpec:
    """The model of notebook 04 that those of notebook 05 are compared with, which takes no prompts."""
    return clip_specs(study)[f"{encoder_label(study.settings)}, multi"]


def specs_before_prompts(study: Study) -> dict[str, RunSpec]:
    """The models of notebook 04 that notebook 05 cannot do without: the promptless one, and the decoder that a prompt
    model goes on from. Where notebook 04 ran before, they are there."""
    begun_from = {spec.start for spec in prompt_specs(study).values()}
    return {variant: spec for variant, spec in clip_specs(study).items()
            if spec.run_name in begun_from or spec == promptless_spec(study)}
