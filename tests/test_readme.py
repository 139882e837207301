"""The programs that the README shows run as they stand."""

import re
from pathlib import Path

import torch
from making_encoders import write_encoder
from skimage.data import chelsea
from skimage.io import imsave

from petseg_utils.encoders.specs import build_encoder

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def program(word: str) -> str:
    (found,) = (block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if word in block)
    return found


def test_the_encoder_of_ones_own(tmp_path):
    source = program("def build()").replace('weights="DEFAULT"', "weights=None")  # which would be fetched
    encoder = build_encoder(write_encoder(tmp_path, source=source), 64)
    assert [m.shape[1:] for m in encoder(torch.rand(1, 3, 64, 64))] == [(128, 8, 8), (256, 4, 4), (512, 2, 2)]


def test_the_prompter(tmp_path):
    imsave(tmp_path / "cat.png", chelsea())
    names = {"path": tmp_path / "cat.png"}
    exec(program("load_prompter"), names)
    found = names["found"]
    assert found.label == "cat" and found.mask[85, 120] and found.mask.shape == (300, 451)
    assert 0.5 < found.score <= 1
