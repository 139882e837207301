"""Profiles: how large a study is. Every number stands in one table and can be overridden by name."""

import dataclasses
import os
import typing
from dataclasses import dataclass
from typing import Any

from petseg_utils.errors import UsageError


@dataclass(frozen=True)
class Settings:
    """A profile's values after overriding.

    Attributes:
        profile: the profile's name.
        dataset: ``synthetic`` (rendered here) or ``oxford`` (Oxford-IIIT Pet, or anything in a layout we read).
        data_root: folder of the data set; ``None``: ``data/`` in the workspace, fetched or rendered if need be.
        n_trainval, n_test: how many synthetic pets; real data sets bring their own lists.
        image_size: side of the square that a model sees, in pixels.
        width, depth: of the UNets: channels of the first level, number of poolings.
        epochs: passes over the training part.
        batch_size: photos in a training step.
        recipe: ``strong`` or ``paper``, where a notebook trains one run of a family.
        rows: what a notebook trains: ``families`` (one run of each family; the rest is read from the packaged tables),
            ``main`` (every main row), or ``all`` (controls and ablations too).
        epochs_share: share of the published epochs that the autoencoders of notebook 03 get.
        patch, vit_dim, vit_depth: of the masked autoencoder: pixels of a patch's side, numbers in a token, layers.
        encoder: spec of notebook 04's frozen encoder, see :func:`petseg_utils.encoders.specs.build_encoder`.
        encoder_size: side of the square that the encoder sees, in pixels.
        decoder_epochs: passes over the training part for a decoder on frozen features.
        prompt_epochs: passes over the training part for a prompt model on frozen features; in each, every photo is
            clicked once in each of its classes.
        views: into how many fixed ways the augmentations are cut, so that a frozen encoder's features can be cached.
        cache_gb: gigabytes that cached features may take; what does not fit is computed anew each time.
        ablation_epochs: passes over the training part in an ablation, its own baseline included.
        robustness_photos: test photos of each breed that notebook 06 spoils.
        learning_rate: instead of the recipe's.
        seed: of weights, order and augmentations (the synthetic pets have their own).
        device: ``auto``, ``cpu`` or ``cuda``, see :func:`petseg_utils.precision.choose_precision`.
        native_root: folder of a data set whose photos have their own sizes, to score there too what was trained on a
            small copy; ``None``: not.
        allow_defects: leave defective photos out instead of stopping.
    """

    profile: str
    dataset: str
    image_size: int
    width: int
    depth: int
    epochs: int
    batch_size: int
    recipe: str
    epochs_share: float
    patch: int
    vit_dim: int
    vit_depth: int
    encoder: str
    encoder_size: int
    decoder_epochs: int
    prompt_epochs: int
    views: int = 4
    cache_gb: float = 8.0
    rows: str = "families"
    ablation_epochs: int = 1
    robustness_photos: int = 20
    n_trainval: int = 960
    n_test: int = 240
    data_root: str | None = None
    native_root: str | None = None
    learning_rate: float | None = None
    seed: int = 0
    device: str = "auto"
    allow_defects: bool = False


PROFILES: dict[str, dict[str, Any]] = {
    "smoke": {"dataset": "synthetic", "n_trainval": 60, "n_test": 20, "image_size": 64,
              "width": 4, "depth": 3, "epochs": 2, "batch_size": 8, "recipe": "strong",
              "epochs_share": 0.02, "patch": 16, "vit_dim": 24, "vit_depth": 1,
              "encoder": "petclip-mini", "encoder_size": 64, "decoder_epochs": 2, "prompt_epochs": 2, "views": 2,
              "robustness_photos": 1},
    "quick": {"dataset": "synthetic", "n_trainval": 960, "n_test": 240, "image_size": 96,
              "width": 8, "depth": 4, "epochs": 9, "batch_size": 16, "recipe": "strong", "learning_rate": 1e-3,
              "epochs_share": 0.07, "patch": 12, "vit_dim": 96, "vit_depth": 4,
              "encoder": "petclip-mini", "encoder_size": 96, "decoder_epochs": 8, "prompt_epochs": 2, "views": 2,
              "robustness_photos": 3},
    "gpu": {"dataset": "oxford", "image_size": 224,
            "width": 32, "depth": 4, "epochs": 30, "batch_size": 32, "recipe": "strong", "rows": "main",
            "epochs_share": 0.3, "patch": 16, "vit_dim": 192, "vit_depth": 6,
            "encoder": "openai:ViT-B-32", "encoder_size": 224, "decoder_epochs": 20, "prompt_epochs": 12,
            "cache_gb": 20.0},
    "full": {"dataset": "oxford", "image_size": 224,
             "width": 64, "depth": 4, "epochs": 100, "batch_size": 32, "recipe": "paper",
             "rows": "all", "ablation_epochs": 30,
             "epochs_share": 1.0, "patch": 16, "vit_dim": 384, "vit_depth": 12,
             "encoder": "openai:ViT-B-32", "encoder_size": 224, "decoder_epochs": 100, "prompt_epochs": 60,
             "cache_gb": 40.0},
    "oxford-128": {"dataset": "oxford", "image_size": 128,
                   "width": 16, "depth": 4, "epochs": 26, "batch_size": 32, "recipe": "strong",
                   "rows": "all", "ablation_epochs": 4,
                   "epochs_share": 1.0, "patch": 8, "vit_dim": 192, "vit_depth": 6,
                   "encoder": "petclip-mini", "encoder_size": 128, "decoder_epochs": 20, "prompt_epochs": 12,
                   "cache_gb": 12.0},
}
FOR_A_GPU = ("gpu", "full")
DATASETS = ("synthetic", "oxford")
ROWS = ("families", "main", "all")
OVERRIDABLE = tuple(f.name for f in dataclasses.fields(Settings) if f.name != "profile")


def resolve(profile: str = "auto", **overrides: Any) -> Settings:
    """A profile's settings with some of them overridden.

    Args:
        profile: a key of :data:`PROFILES`, or ``auto``: the environment's ``PETSEG_PROFILE`` if set, else ``gpu`` where
            CUDA works, else ``quick``.
        overrides: fields of :class:`Settings` in either case, so that a notebook can pass its parameters; ``None``
            leaves the profile's value.

    Raises:
        UsageError: an unknown profile or name, or a value of the wrong kind.
    """
    if profile == "auto":
        profile = os.environ.get("PETSEG_PROFILE") or "auto"
    if profile == "auto":
        from petseg_utils.hardware import cuda_works  # imports torch; a wrong call should be answered at once

        profile = "gpu" if cuda_works() else "quick"
    if profile not in PROFILES:
        raise UsageError(f"unknown profile {profile!r}: choose one of auto, {', '.join(PROFILES)}")
    chosen = {}
    for name, value in overrides.items():
        if name.lower() not in OVERRIDABLE:
            raise UsageError(f"unknown setting {name!r}: choose among {', '.join(OVERRIDABLE)}")
        if value is not None:
            chosen[name.lower()] = _checked(name.lower(), value)
    if "data_root" in chosen and "dataset" not in chosen:
        chosen["dataset"] = "oxford"
    settings = Settings(profile=profile, **(PROFILES[profile] | chosen))
    if settings.dataset not in DATASETS:
        raise UsageError(f"unknown dataset {settings.dataset!r}: choose one of {', '.join(DATASETS)}")
    if settings.rows not in ROWS:
        raise UsageError(f"unknown rows {settings.rows!r}: choose one of {', '.join(ROWS)}")
    if settings.dataset == "synthetic":
        if settings.data_root is not None:
            raise UsageError(f"dataset 'synthetic' is rendered, data root {settings.data_root!r} does not apply: drop "
                             "one of the two")
    return settings


def _checked(name: str, value: Any) -> Any:
    """``value`` if its type is the field's; whole numbers pass for floats."""
    hint = typing.get_type_hints(Settings)[name]
    (wanted,) = {*(typing.get_args(hint) or (hint,))} - {type(None)}
    accepted = (int, float) if wanted is float else wanted
    if not isinstance(value, accepted) or (isinstance(value, bool) and wanted is not bool):
        raise UsageError(f"setting {name} is {value!r}: give a value of type {wanted.__name__}")
    least = 1 if wanted is int and name not in ("seed", "views") else 0  # no views: augmented anew in each epoch
    if wanted in (int, float) and not value >= least:
        raise UsageError(f"setting {name} is {value!r}: give {least} or more")
    return value
