"""Ways of doing the same work, measured side by side, and the rows that tell what came out."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

ROUNDS = 7


@dataclass(frozen=True)
class Row:
    """One line of the table: our number, the one beside it, and how many times better ours is (1: equal)."""

    what: str
    ours: str
    beside: str
    ratio: str


class Timings:
    """Seconds of several ways, one list a way; entry ``i`` of each is of the same round."""

    def __init__(self, seconds: dict[str, list[float]]):
        self._seconds = seconds

    def median(self, way: str) -> float:
        return statistics.median(self._seconds[way])

    def ratio(self, slow: str, fast: str) -> str:
        """How many times longer ``slow`` takes than ``fast``: the median of the rounds' own ratios, and their range.

        What slows a shared machine lasts longer than a round, so it cancels in a round's ratio.
        """
        ratios = [a / b for a, b in zip(self._seconds[slow], self._seconds[fast], strict=True)]
        return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def clock_name() -> str:
    return "processor time" if torch.get_num_threads() == 1 else "elapsed time"


def time_in_turns(ways: Mapping[str, Callable[[], object]], rounds: int = ROUNDS) -> Timings:
    """Run every way once to warm up, then once a round, in turns.

    With one thread we count processor time, which leaves out the waiting for a core that other programs hold. With
    several it would add the threads up, so there it is the time that passes.
    """
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    for way in ways.values():
        way()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            started = clock()
            way()
            seconds[name].append(clock() - started)
    return Timings(seconds)
