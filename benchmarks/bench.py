"""Ratios that this project claims, each measured side by side in one run: ``make bench``, or ``make bench ARGS=step``.

Prints the rows of the table in benchmarks/README.md.
"""

import datetime
import sys
from collections.abc import Callable

import cv2
import data_preparation
import feature_cache
import memory
import metric_update
import perturbing
import prompting
import torch
import training_step
from timing import Row, clock_name

from petseg_utils.hardware import device_name
from petseg_utils.precision import choose_precision

TOPICS: dict[str, Callable[[], list[Row]]] = {
    "wait": data_preparation.measure_waiting,
    "step": training_step.measure,
    "memory": memory.measure,
    "augmentation": data_preparation.measure_augmentation,
    "features": feature_cache.measure,
    "prompts": prompting.measure,
    "perturbing": perturbing.measure,
    "metric": metric_update.measure,
    "renderer": data_preparation.measure_renderer,
}


def main(topics: list[str]) -> None:
    unknown = [topic for topic in topics if topic not in TOPICS]
    if unknown:
        sys.exit(f"bench: unknown topic {unknown[0]!r}: choose among {', '.join(TOPICS)}")
    cv2.setNumThreads(torch.get_num_threads())  # augmentations get the cores that the model gets
    threads = torch.get_num_threads()
    machine = f"{device_name(torch.device('cpu'))}, {threads} thread{'s' * (threads > 1)}"
    print(f"{machine}, torch {torch.__version__}, {clock_name()}; choose_precision says {choose_precision('cpu').name}")
    print("| what | ours | beside it | ratio | machine and date |\n|---|---|---|---|---|")
    for topic in topics or TOPICS:
        for row in TOPICS[topic]():
            print(f"| {row.what} | {row.ours} | {row.beside} | {row.ratio} | {machine}, {datetime.date.today()} |",
                  flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
