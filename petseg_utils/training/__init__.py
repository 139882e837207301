"""Training: a spec is plain data, a run is a folder, one loop turns one into the other."""

from petseg_utils.training.loop import train
from petseg_utils.training.recipes import RECIPES, cross_entropy
from petseg_utils.training.run import Run
from petseg_utils.training.spec import RunSpec

__all__ = ["RECIPES", "Run", "RunSpec", "cross_entropy", "train"]
