"""Counting one prediction beside torchmetrics' updates."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from timing import Row, time_in_turns
from torchmetrics.classification import MulticlassJaccardIndex
from torchmetrics.functional.classification import multiclass_confusion_matrix
from torchmetrics.segmentation import MeanIoU

from petseg_utils.classes import BORDER
from petseg_utils.metrics import confusion_counts


def measure(side: int = 384, repeats: int = 20) -> list[Row]:
    """A prediction of ``side`` x ``side`` pixels.

    The plain matrix counts what ours counts, with the border as a fourth class. The two metrics keep less: the Jaccard
    index leaves the border out, and MeanIoU, which knows no ignored pixels, is given a truth without any.
    """
    rng = np.random.default_rng(0)
    truth, prediction = rng.integers(0, 4, (side, side), np.uint8), rng.integers(0, 3, (side, side), np.uint8)
    there, here = torch.tensor(prediction).long(), torch.tensor(truth).long()
    without_border = here.clamp(max=BORDER - 1)
    jaccard = MulticlassJaccardIndex(num_classes=3, ignore_index=BORDER, validate_args=False)
    mean_iou = MeanIoU(num_classes=3, input_format="index")
    timings = time_in_turns({
        "ours": partial(_repeat, repeats, confusion_counts, truth, prediction),
        "multiclass_confusion_matrix": partial(_repeat, repeats, multiclass_confusion_matrix, there, here, 4),
        "MulticlassJaccardIndex.update": partial(_repeat, repeats, jaccard.update, there[None], here[None]),
        "MeanIoU.update": partial(_repeat, repeats, mean_iou.update, there[None], without_border[None]),
    })

    def milliseconds(way: str) -> str:
        return f"{timings.median(way) / repeats * 1e3:.2f} ms"

    return [Row(f"counting one {side} x {side} px prediction", milliseconds("ours"),
                f"torchmetrics {way}, {milliseconds(way)}", timings.ratio(way, "ours"))
            for way in ("multiclass_confusion_matrix", "MulticlassJaccardIndex.update", "MeanIoU.update")]


def _repeat(times: int, work: Callable, *arguments: Any) -> None:
    for _ in range(times):
        work(*arguments)
