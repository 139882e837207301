"""RunSpec: everything that decides what a run computes, as plain data with a name of its own."""

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from petseg_utils.classes import NUM_CLASSES, check_border_policy
from petseg_utils.data.augment import AUGMENTATION_NAMES
from petseg_utils.encoders.naming import in_folder
from petseg_utils.errors import UsageError
from petseg_utils.models import AUTOENCODER_NAMES, FROZEN_ENCODER_NAMES, PROMPT_NAMES, build_autoencoder, build_model
from petseg_utils.petclip.network import PetCLIP
from petseg_utils.training.recipes import Recipe, get_recipe

TASK_NAMES = ("segmentation", "prompt", "reconstruction", "captions")
SEGMENTING = ("segmentation", "prompt")  # tasks after which a model maps photos to logits
CAPTION_MODEL = "petclip"  # the one that learns from captions


@dataclass(frozen=True)
class RunSpec:
    """What to train, on what, how.

    Two equal specs give the same weights on the same machine's CPU with the same number of threads; CUDA sums gradients
    in no fixed order.

    Attributes:
        model: a name of :data:`petseg_utils.models.MODEL_NAMES`, or ``petclip``.
        data: the data set's fingerprint.
        image_size: side of the square input, in pixels.
        epochs: passes over the training part.
        task: ``segmentation``, ``prompt`` (of the models that take prompts), ``reconstruction`` or ``captions``.
        encoder: of an autoencoder, the run whose trained encoder it begins with, by name, fresh weights if empty; of
            ``clip`` and the prompt models on an encoder, the spec of
            :func:`petseg_utils.encoders.specs.build_encoder`.
        encoder_weights, encoder_code: the hashes of the weights, and of the code of a user's own file, that the
            encoder's spec meant when the run was planned.
        frozen: the encoder stays as it is.
        start: the run whose weights a model on a frozen encoder begins with, by name: of notebook 04's report decoder
            for ``prompt-clip``, of ``prompt`` for ``prompt``; fresh ones if empty.
        edge_clicks: of a prompt model, the share of its training clicks on pets that are drawn near the pet's edge.
        views: into how many fixed ways the augmentations are cut, so that a frozen encoder's features can be cached;
            0: each epoch has its own.
        teacher: of ``captions``, the spec of an encoder whose features are learned from as well.
        label_fraction: share of the training photos whose masks are used, see
            :func:`petseg_utils.data.manifest.labelled_subset`.
        options: the model's own options, such as ``width``.
        recipe: a name of :data:`petseg_utils.training.recipes.RECIPES`.
        learning_rate, class_weights: instead of the recipe's.
        augmentation: ``none``, ``five``, ``zoomed`` or ``spoiled``.
        border: the border policy in training.
        batch_size: photos in a step.
        seed: of the weights, the order and the augmentations.
    """

    model: str
    data: str
    image_size: int
    epochs: int
    task: str = "segmentation"
    encoder: str = ""
    encoder_weights: str = ""
    encoder_code: str = ""
    frozen: bool = False
    start: str = ""
    edge_clicks: float = 0.0
    views: int = 0
    teacher: str = ""
    label_fraction: float = 1.0
    options: dict[str, Any] = field(default_factory=dict)
    recipe: str = "strong"
    learning_rate: float | None = None
    class_weights: tuple[float, float, float] | None = None
    augmentation: str = "none"
    border: str = "ignore"
    batch_size: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        get_recipe(self.recipe)
        if self.task not in TASK_NAMES:
            raise UsageError(f"unknown task {self.task!r}: choose one of {', '.join(TASK_NAMES)}")
        if not 0 < self.label_fraction <= 1:
            raise UsageError(f"label_fraction is {self.label_fraction!r}: give a number above 0, at most 1")
        self._check_encoder()
        check_border_policy(self.border)
        if self.augmentation not in AUGMENTATION_NAMES:
            known = ", ".join(AUGMENTATION_NAMES)
            raise UsageError(f"unknown augmentation {self.augmentation!r}: choose one of {known}")
        for name, least in (("image_size", 32), ("epochs", 1), ("batch_size", 2), ("seed", 0), ("views", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise UsageError(f"{name} is {value!r}: give a whole number of {least} or more")
            if value >= 2**63:  # torch's largest
                raise UsageError(f"{name} is {value!r}: give a smaller number")
        if self.learning_rate is not None and not 0 < self.learning_rate < math.inf:
            raise UsageError(f"learning_rate is {self.learning_rate!r}: give a number greater than 0")
        if self.class_weights is not None:
            weights = tuple(self.class_weights)  # JSON has lists
            if len(weights) != NUM_CLASSES or not all(0 < weight < math.inf for weight in weights):
                raise UsageError(f"class_weights are {self.class_weights!r}: give {NUM_CLASSES} numbers greater than 0")
            object.__setattr__(self, "class_weights", weights)

    def _check_encoder(self) -> None:
        if self.task not in SEGMENTING and (self.frozen or self.encoder or self.label_fraction != 1):
            raise UsageError(f"a run whose task is {self.task} begins from nothing, freezes nothing and looks at no "
                             "masks: leave out encoder, frozen and label_fraction")
        if self.task not in SEGMENTING and (self.views or self.border != "ignore" or self.class_weights):
            raise UsageError(f"a run whose task is {self.task} caches no views and weighs no pixels: leave out views, "
                             "border and class_weights")
        if self.task == "prompt" and self.border != "ignore":
            raise UsageError(f"border is {self.border!r} in a run whose task is prompt, which learns regions without "
                             "the border: leave it at ignore")
        if (self.task == "captions") != (self.model == CAPTION_MODEL):
            raise UsageError(f"model {self.model!r} and task {self.task!r} do not go together: captions teach "
                             f"{CAPTION_MODEL!r} only")
        if self.task == "captions" and self.augmentation != "none":
            raise UsageError(f"augmentation is {self.augmentation!r}, the task captions has one of its own: leave it "
                             "out")
        if (self.task == "prompt") != (self.model in PROMPT_NAMES):
            raise UsageError(f"model {self.model!r} and task {self.task!r} do not go together: prompts are for "
                             f"{', '.join(PROMPT_NAMES)}, and for nothing else")
        if self.start and self.model not in ("prompt-clip", "prompt"):
            raise UsageError(f"model {self.model!r} cannot start from run {self.start!r}: only prompt-clip continues a "
                             "decoder of notebook 04, and prompt another prompt")
        if self.edge_clicks and self.task != "prompt":
            raise UsageError(f"edge_clicks are {self.edge_clicks!r} in a run whose task is {self.task}: nobody clicks "
                             "there, leave them out")
        if not 0 <= self.edge_clicks <= 1:
            raise UsageError(f"edge_clicks are {self.edge_clicks!r}: give a share from 0 to 1")
        if self.teacher and self.task != "captions":
            raise UsageError(f"a teacher ({self.teacher!r}) is for the task captions, this is {self.task}: leave it "
                             "out")
        if self.task == "reconstruction" and self.model not in AUTOENCODER_NAMES:
            raise UsageError(f"model {self.model!r} does not learn by reconstructing: choose one of "
                             f"{', '.join(AUTOENCODER_NAMES)}")
        if (self.frozen or self.encoder) and self.model not in (*AUTOENCODER_NAMES, *FROZEN_ENCODER_NAMES):
            raise UsageError(f"model {self.model!r} has no encoder that comes from elsewhere: choose one of "
                             f"{', '.join((*AUTOENCODER_NAMES, *FROZEN_ENCODER_NAMES))}")
        if self.model in FROZEN_ENCODER_NAMES and not self.encoder:
            raise UsageError(f"model {self.model!r} needs an encoder: give its spec, such as petclip-mini")

    def get_recipe(self) -> Recipe:
        """The recipe, with the spec's own learning rate and class weights if it has them."""
        own: dict[str, Any] = {"learning_rate": self.learning_rate, "class_weights": self.class_weights}
        return dataclasses.replace(get_recipe(self.recipe), **{k: v for k, v in own.items() if v is not None})

    def build(self) -> nn.Module:
        """The spec's model with fresh weights (from the caller's torch seed)."""
        if self.task == "captions":
            return PetCLIP(**self.options)
        if self.task == "reconstruction":
            return build_autoencoder(self.model, **self.options)
        if self.model in FROZEN_ENCODER_NAMES:
            return build_model(self.model, encoder=self.encoder, **self.options)
        return build_model(self.model, **self.options)

    def to_json(self) -> str:
        """Canonical JSON of what differs from the defaults.

        Defaults are left out, so that a field added later, with the default that the code had before, changes no name.
        """
        return json.dumps(
            {
                f.name: getattr(self, f.name)
                for f in dataclasses.fields(self)
                if getattr(self, f.name) != _default(f)
            },
            sort_keys=True,
        )

    @classmethod
    def from_json(cls, text: str) -> "RunSpec":
        return cls(**json.loads(text))

    @property
    def run_name(self) -> str:
        """The run's name and folder: the model and ten digits of a hash of the spec and its recipe's numbers. In which
        folder an encoder's file lies does not count: its hashes say what is in it, and it may lie elsewhere tomorrow.
        """
        recipe = json.dumps(dataclasses.asdict(self.get_recipe()), sort_keys=True)
        spec = dataclasses.replace(self, encoder=in_folder(self.encoder, lambda file: file.name))
        return f"{self.model}-{hashlib.sha256((spec.to_json() + recipe).encode()).hexdigest()[:10]}"


def _default(f: dataclasses.Field) -> Any:
    return f.default_factory() if f.default_factory is not dataclasses.MISSING else f.default
