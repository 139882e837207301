"""What the machine says of itself, and whether it is believed."""

import warnings

import pytest
import torch

from petseg_utils import hardware
from petseg_utils.precision import choose_precision
from petseg_utils.profiles import resolve
from petseg_utils.study import Study


@pytest.fixture
def old_card(monkeypatch):
    """A card that torch sees and holds no kernels for, as a P100 under a build for CUDA 13."""
    def fail(*given, device=None, **options):
        assert device == "cuda"
        raise torch.AcceleratorError("CUDA error: no kernel image is available for execution on the device")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "Pretended P100")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: (6, 0))
    monkeypatch.setattr(torch, "ones", fail)
    hardware.cuda_works.cache_clear()
    yield
    hardware.cuda_works.cache_clear()


def test_a_card_without_kernels_is_not_used_and_that_is_said_once(old_card):
    with pytest.warns(UserWarning, match=r"^the card Pretended P100 is there, but torch .* cannot compute on it \(CUDA "
                                         r"error: no kernel image .*\): the CPU is used"):
        assert not hardware.cuda_works()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert choose_precision().device.type == "cpu"
        assert resolve("auto").profile == "quick"


def test_a_study_made_for_a_gpu_says_so_where_there_is_none(monkeypatch):
    monkeypatch.setattr("petseg_utils.study.cuda_works", lambda: False)
    said = repr(Study(resolve("gpu")))
    assert said.endswith(f"; no CUDA card that torch {torch.__version__} can use: on the CPU this takes days")
    assert repr(Study(resolve("gpu", device="cpu"))).endswith("epochs"), "who asks for the CPU knows"
    assert repr(Study(resolve("quick"))).endswith("epochs")
    monkeypatch.setattr("petseg_utils.study.cuda_works", lambda: True)
    assert repr(Study(resolve("gpu"))).endswith("epochs")
