"""Semantic segmentation of pets: the module behind a study in seven notebooks."""

import os

__version__ = "0.1.0"

# albumentations asks the network for its newest version when it is imported; we pin the last MIT release.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
