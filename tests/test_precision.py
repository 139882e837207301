"""The compute type that each kind of hardware gets, and what becomes of a batch on its way to a model."""

from pathlib import Path

import pytest
import torch

from petseg_utils import precision
from petseg_utils.errors import UsageError
from petseg_utils.hardware import device_name
from petseg_utils.precision import Precision, choose_precision

CPU = torch.device("cpu")


@pytest.fixture
def machine(monkeypatch):
    """Pretend a machine: ``machine(capability of the card or None, the CPU's flags)``."""
    read_text, is_file = Path.read_text, Path.is_file

    def pretend(capability=None, flags="fpu sse avx2 avx512f"):
        monkeypatch.setattr(precision, "cuda_works", lambda: capability is not None)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
        here = str(Path("/proc/cpuinfo"))
        text = None if flags is None else f"model name\t: Pretended CPU @ 2 GHz\nflags\t\t: {flags}\n" * 2
        monkeypatch.setattr(Path, "is_file", lambda p: text is not None if str(p) == here else is_file(p))
        monkeypatch.setattr(Path, "read_text", lambda p, *a: text if str(p) == here else read_text(p, *a))

    return pretend


@pytest.mark.parametrize(("capability", "dtype"), [
    ((7, 5), torch.float16), ((8, 0), torch.bfloat16), ((8, 9), torch.bfloat16),
    ((9, 0), torch.bfloat16), ((10, 0), torch.bfloat16),
])
def test_cards_from_ampere_on_compute_in_bfloat16_older_ones_in_float16(machine, capability, dtype):
    machine(capability)
    for device in ("auto", "cuda"):
        assert choose_precision(device) == Precision(torch.device("cuda"), dtype)
    assert choose_precision("cpu") == Precision(CPU, torch.float32)


@pytest.mark.parametrize("asked", ["float32", "bfloat16", "float16"])
def test_another_type_can_be_asked_for(machine, asked):
    """Some cards compute no numbers in float16, and some training leaves its range."""
    machine((7, 5))
    for device, chosen in (("auto", "cuda"), ("cuda", "cuda"), ("cpu", "cpu")):
        assert choose_precision(f"{device}:{asked}") == Precision(torch.device(chosen), getattr(torch, asked))


@pytest.mark.parametrize(("flags", "dtype"), [
    ("fpu avx2 avx512f avx512_bf16", torch.bfloat16), ("fpu amx_bf16 amx_tile", torch.bfloat16),
    ("fpu avx512f avx512_bf16x", torch.float32), ("fpu avx2", torch.float32), (None, torch.float32),
])
def test_a_cpu_computes_in_bfloat16_only_if_it_has_the_instruction(machine, flags, dtype):
    machine(None, flags)
    for device in ("auto", "cpu"):
        assert choose_precision(device) == Precision(CPU, dtype)


def test_devices_that_are_not_there_are_refused_with_a_sentence(machine):
    machine(None)
    with pytest.raises(UsageError, match=r"^device 'cuda' is not available here: choose auto or cpu$"):
        choose_precision("cuda")
    for unknown in ("tpu", "cuda:1", "cpu:int8", ""):
        with pytest.raises(UsageError, match=rf"^unknown device '{unknown}': choose auto, cpu or cuda, with a type "):
            choose_precision(unknown)


def test_the_cpu_is_called_by_its_name(machine):
    machine(None)
    assert device_name(CPU) == "Pretended CPU @ 2 GHz"
    machine(None, None)
    assert device_name(CPU)  # some name, where there is no /proc


@pytest.mark.parametrize(("dtype", "name"), [(torch.float32, "float32"), (torch.bfloat16, "bfloat16")])
def test_autocast_computes_in_the_type_and_keeps_the_weights(dtype, name):
    chosen = Precision(CPU, dtype)
    convolution = chosen.model(torch.nn.Conv2d(3, 4, 3))
    with chosen.autocast():
        assert convolution(torch.rand(1, 3, 8, 8)).dtype == dtype
    assert convolution(torch.rand(1, 3, 8, 8)).dtype == convolution.weight.dtype == torch.float32
    assert chosen.name == name


def test_only_float16_scales_its_loss():
    for dtype, scales in ((torch.float32, False), (torch.bfloat16, False), (torch.float16, True)):
        assert Precision(CPU, dtype).grad_scaler().is_enabled() is scales


def test_images_become_floats_from_0_to_1_channels_last():
    batch = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16).repeat(2, 3, 1, 1)
    before = batch.clone()
    images = Precision(CPU, torch.bfloat16).images(batch)
    assert images.dtype == torch.float32 and images.shape == (2, 3, 16, 16)
    assert images.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(images[0, 0].flatten(), torch.arange(256) / 255)
    assert torch.equal(batch, before)


def test_models_are_channels_last():
    model = Precision(CPU, torch.float32).model(torch.nn.Conv2d(3, 4, 3))
    assert model.weight.is_contiguous(memory_format=torch.channels_last)


def test_this_machine_gets_a_precision_that_works():
    chosen = choose_precision()
    with chosen.autocast():
        logits = chosen.model(torch.nn.Conv2d(3, 3, 1))(chosen.images(torch.zeros(1, 3, 8, 8, dtype=torch.uint8)))
    assert torch.isfinite(logits).all()
    assert device_name(chosen.device)
