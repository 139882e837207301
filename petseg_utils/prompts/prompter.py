"""Encode once, prompt many: a photo, clicks and a text to a region, the same in evaluation and app.

The interface follows Kirillov et al., "Segment Anything", ICCV 2023: ``set_image`` does what needs no prompt,
``predict`` what each click costs.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from petseg_utils.classes import BACKGROUND, NUM_CLASSES
from petseg_utils.data.decode import squeeze
from petseg_utils.errors import UsageError
from petseg_utils.evaluation import resize_logits
from petseg_utils.precision import Precision
from petseg_utils.prompts.heatmap import prompt_maps
from petseg_utils.prompts.selection import Selection, as_logits, compose, label_region, lean_on_seen, name_region
from petseg_utils.prompts.simulator import Click
from petseg_utils.prompts.text import TextPrompts


class _Answer(NamedTuple):
    """Of the square that the model sees: logits (S, S) of the region, probabilities (3, S, S) of the classes."""

    region: Tensor
    classes: Tensor


class Prompter:
    """Asks a model about one photo after another; :func:`build_prompter` chooses the kind that fits the model.

    Args:
        model: in eval mode on ``precision.device``.
        image_size: the square S that the model was trained on, in pixels.
        precision: device and compute type.
        texts: what understands texts; without it, they are refused.
    """

    def __init__(self, model: Any, image_size: int, precision: Precision, texts: TextPrompts | None = None):
        self.model, self.image_size, self.precision, self.texts = model, image_size, precision, texts
        self._size: tuple[int, int] | None = None

    @torch.inference_mode()
    def set_image(self, image: np.ndarray) -> None:
        """Take a photo, uint8 (H, W, 3) RGB of any size, and compute what does not depend on prompts.

        Raises:
            UsageError: it is no such array.
        """
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise UsageError(f"the photo is {image.dtype} {image.shape}: give uint8 (H, W, 3), RGB")
        self.set_squeezed(squeeze(image, self.image_size), (image.shape[0], image.shape[1]))

    @torch.inference_mode()
    def set_squeezed(self, image: np.ndarray, size: tuple[int, int], maps: Sequence[Tensor] | None = None) -> None:
        """Take a photo that a data set has squeezed already.

        Args:
            image: uint8 (S, S, 3) RGB.
            size: the photo's own (H, W), in whose pixels clicks come and answers go.
            maps: the frozen encoder's maps (1, C_i, h_i, w_i), if they have been computed.
        """
        images = self.precision.images(torch.tensor(image).permute(2, 0, 1)[None])
        with self.precision.autocast():
            if maps is None and hasattr(self.model, "encode"):
                maps = self.model.encode(images)
            logits = self._look(images, [of_layer.to(images.device) for of_layer in maps or []])
        self._unprompted = logits[0, :NUM_CLASSES].float().softmax(0)
        self._size = size

    @torch.inference_mode()
    def predict(self, points: Sequence[Sequence[float]] | np.ndarray = (), labels: Sequence[int] | np.ndarray = (),
                text: str | None = None) -> Selection:
        """The region that the prompt points at, see :mod:`petseg_utils.prompts.selection`.

        Args:
            points: (N, 2), clicks as (x, y) in pixels of the photo; (0, 0) is the upper left corner. In the order they
                were made.
            labels: (N,), 1 for a click in, 0 for a click out.
            text: a class, a breed, or words about either; clicks correct what it selects.

        Raises:
            UsageError: no photo was set, points and labels do not fit, a click lies outside of the photo, or the text
                holds an unknown word.
        """
        if self._size is None:
            raise UsageError("there is no photo yet: call set_image first")
        clicks = self._clicks(points, labels)
        base = None
        if text is not None:
            if self.texts is None:
                raise UsageError(f"the text {text!r} cannot be understood: this prompter was built without texts")
            base = self._unprompted[self.texts.name_class(text)[0]]
        if not clicks:
            region = base if base is not None else self._pet()
            answer = _Answer(as_logits(region), self._unprompted)
        else:
            answer = self._ask(clicks, base)
        return self._at_photo_size(answer)

    def _at_photo_size(self, answer: _Answer) -> Selection:
        assert self._size is not None
        small = answer.region.float().sigmoid()
        label, score = name_region(small, answer.classes)
        parts = label_region(small, answer.classes).cpu().numpy()
        region = resize_logits(answer.region[None].float(), self._size)[0].sigmoid().cpu().numpy()
        return Selection(region > 0.5, region, label, score, parts)

    def _pet(self) -> Tensor:
        return 1 - self._unprompted[BACKGROUND]

    def _clicks(self, points: Any, labels: Any) -> list[Click]:
        assert self._size is not None
        where, signs = np.asarray(points, float), np.asarray(labels).reshape(-1)
        if where.size and (where.ndim != 2 or where.shape[1] != 2):
            raise UsageError(f"points have the shape {where.shape}: give one pair (x, y) for each click")
        where = where.reshape(-1, 2)
        if len(where) != len(signs):
            raise UsageError(f"{len(where)} points and {len(signs)} labels were given: give one label for each point")
        if not np.isin(signs, (0, 1)).all():
            raise UsageError(f"labels are {signs.tolist()}: give 1 for a click in, 0 for a click out")
        height, width = self._size
        for x, y in where:
            if not (0 <= x <= width and 0 <= y <= height):
                raise UsageError(f"click ({x:g}, {y:g}) lies outside of the photo of {width} x {height} pixels: give x "
                                 "and y in its pixels")
        scale = self.image_size / np.array([width, height])
        return [Click(x, y, bool(sign)) for (x, y), sign in zip((where * scale).tolist(), signs, strict=True)]

    def _look(self, images: Tensor, maps: Sequence[Tensor]) -> Tensor:
        """Logits (1, 3 or more, S, S) without a prompt; keeps what :meth:`_ask` needs."""
        raise NotImplementedError

    def _ask(self, clicks: list[Click], base: Tensor | None) -> _Answer:
        """What the clicks, in pixels of the square, point at; ``base``, probabilities (S, S), is what a text has
        pointed at before them."""
        raise NotImplementedError


class _ModelPrompter(Prompter):
    """Of a :class:`petseg_utils.models.prompt.PromptModel`."""

    def _look(self, images: Tensor, maps: Sequence[Tensor]) -> Tensor:
        self._embedding = self.model.embed(maps, images)
        self._memory: dict[Any, _Answer] = {}
        return self._select(images.new_zeros(1, self.model.planes, *images.shape[-2:]))

    def _select(self, prompts: Tensor) -> Tensor:
        with self.precision.autocast():
            return self.model.select(self._embedding, prompts.to(self.precision.device))

    def _answer(self, clicks: Sequence[Click], mask: Tensor) -> _Answer:
        prompts = prompt_maps(clicks, mask.cpu(), self.model.planes, self.model.sigma)
        logits = self._select(prompts[None])[0].float()
        return _Answer(logits[NUM_CLASSES], logits[:NUM_CLASSES].softmax(0))


class DialoguePrompter(_ModelPrompter):
    """Of a model that takes clicks in, clicks out and the mask so far: click by click, each answer remembered."""

    def _ask(self, clicks: list[Click], base: Tensor | None) -> _Answer:
        key = (tuple(clicks), None if base is None else base.cpu().numpy().tobytes())
        if key not in self._memory:
            if len(clicks) > 1:
                previous = self._ask(clicks[:-1], base).region.sigmoid()
            elif base is not None:
                previous = base
            else:  # who begins by clicking something out carves it from the pet
                previous = torch.zeros_like(self._unprompted[0]) if clicks[0].positive else self._pet()
            answer = self._answer(clicks, previous)
            if len(clicks) == 1 and base is None and clicks[0].positive:
                answer = answer._replace(region=lean_on_seen(answer.region, self._pet(), clicks[0].x, clicks[0].y))
            self._memory[key] = answer
        return self._memory[key]


class OneClickPrompter(_ModelPrompter):
    """Of a model that takes one click in: each click is asked by itself, the answers are composed."""

    def _ask(self, clicks: list[Click], base: Tensor | None) -> _Answer:
        regions: dict[bool, list[Tensor]] = {True: [], False: []}
        classes = []
        for click in clicks:
            place = (click.x, click.y)
            if place not in self._memory:
                self._memory[place] = self._answer([Click(*place, True)], torch.zeros_like(self._unprompted[0]))
            regions[click.positive].append(self._memory[place].region.sigmoid())
            classes.append(self._memory[place].classes)
        if base is None and not regions[True]:
            base = self._pet()
        return _Answer(as_logits(compose(regions[True], regions[False], base)), torch.stack(classes).mean(0))


class PromptlessPrompter(Prompter):
    """Of a model that takes no prompts, as a control: a click points at the connected part, of the class predicted
    under it, that it lies in; or, with ``components`` off, clicks are not looked at and the region is the pet."""

    def __init__(self, *args: Any, components: bool = True, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.components = components

    def _look(self, images: Tensor, maps: Sequence[Tensor]) -> Tensor:
        self._memory: dict[tuple[int, int], Tensor] = {}
        return self.model.decode(maps, images) if maps else self.model(images)

    def _ask(self, clicks: list[Click], base: Tensor | None) -> _Answer:
        if not self.components:
            return _Answer(as_logits(self._pet()), self._unprompted)
        regions: dict[bool, list[Tensor]] = {True: [], False: []}
        for click in clicks:
            regions[click.positive].append(self._component(click))
        if base is None and not regions[True]:
            base = self._pet()
        return _Answer(as_logits(compose(regions[True], regions[False], base)), self._unprompted)

    def _component(self, click: Click) -> Tensor:
        row, column = (min(int(value), self.image_size - 1) for value in (click.y, click.x))
        if (row, column) not in self._memory:
            codes = self._unprompted.argmax(0).cpu().numpy()
            same = (codes == codes[row, column]).astype(np.uint8)
            _, parts = cv2.connectedComponents(same, connectivity=8)
            code = int(codes[row, column])
            of_class = self._unprompted[code]
            rival = torch.cat([self._unprompted[:code], self._unprompted[code + 1:]]).amax(0)
            # Beside its strongest rival: all of the part lies above one half, also where two species share a pet.
            inside = of_class / (of_class + rival)
            self._memory[row, column] = inside * torch.tensor(parts == parts[row, column]).to(inside)
        return self._memory[row, column]


def build_prompter(model: Any, image_size: int, precision: Precision, texts: TextPrompts | None = None,
                   **options: Any) -> Prompter:
    """The prompter of any segmentation model, by what it takes.

    Args:
        options: ``components`` of :class:`PromptlessPrompter`.
    """
    kind = {0: PromptlessPrompter, 1: OneClickPrompter}.get(getattr(model, "planes", 0), DialoguePrompter)
    return kind(model, image_size, precision, texts, **options)
