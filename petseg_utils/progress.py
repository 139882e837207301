"""How long work goes on, on standard error."""

from collections.abc import Iterable

from tqdm import tqdm

from petseg_utils.data.cache import Progress


def bar(unit: str) -> Progress:
    """What shows a loop over ``unit``s while it runs; see :data:`petseg_utils.data.cache.Progress`."""
    def show(items: Iterable, what: str) -> Iterable:
        return tqdm(items, desc=what, unit=unit, mininterval=2)

    return show
