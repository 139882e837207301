"""Synthetic pets: a seeded renderer of cats and dogs, and the data set that it writes."""

from petseg_utils.synthetic.dataset import write_synthetic_pets
from petseg_utils.synthetic.scene import SyntheticPet, render_pet

__all__ = ["SyntheticPet", "render_pet", "write_synthetic_pets"]
