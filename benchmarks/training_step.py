"""Our training step beside others: segmentation_models_pytorch's UNet, plain float32 NCHW, and our own variant."""

from collections.abc import Callable

import segmentation_models_pytorch as smp
import torch
from timing import Row, Timings, time_in_turns
from torch import nn

from petseg_utils.models import build_model
from petseg_utils.precision import Precision, choose_precision
from petseg_utils.profiles import resolve
from petseg_utils.training import RECIPES, cross_entropy
from petseg_utils.training.recipes import build_optimizer
from petseg_utils.training.record import count_macs

PLAIN = Precision(torch.device("cpu"), torch.float32)
# Decoder channels that bring a ResNet-18 UNet down to the MACs of our UNet of width 16, and the width that brings ours
# up to the MACs of theirs as it comes.
NARROW_DECODER, WIDE = (64, 32, 24, 16, 8), 22
MACS_DIFFER = 0.05


def training_step(model: nn.Module, precision: Precision, memory_format: torch.memory_format, batch: int,
                  size: int) -> Callable[[], None]:
    """One step of the recipe ``strong`` on random photos: forward, cross-entropy, backward, AdamW."""
    model = model.to(memory_format=memory_format).train()
    optimizer = build_optimizer(RECIPES["strong"], model)
    images = torch.rand(batch, 3, size, size).to(memory_format=memory_format)
    targets = torch.randint(0, 3, (batch, size, size))

    def step() -> None:
        with precision.autocast():
            logits = model(images)
        loss = cross_entropy(logits, targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return step


def smp_unet(**options) -> nn.Module:
    return smp.Unet("resnet18", encoder_weights=None, classes=3, **options)


def measure(batch: int | None = None, size: int | None = None) -> list[Row]:
    """The pairs, all in turns; size, batch and width are those of profile ``oxford-128`` unless given."""
    settings = resolve("oxford-128")
    batch, size = batch or settings.batch_size, size or settings.image_size
    build: dict[str, Callable[[], nn.Module]] = {
        "ours": lambda: build_model("unet", width=settings.width, depth=settings.depth),
        "SMP narrow": lambda: smp_unet(decoder_channels=NARROW_DECODER),
        "ours wide": lambda: build_model("unet", width=WIDE, depth=settings.depth),
        "SMP": smp_unet,
        "resattn": lambda: build_model("unet-resattn", width=settings.width, depth=settings.depth),
    }
    macs = {name: count_macs(make(), size, PLAIN) for name, make in build.items()}
    for ours, theirs in (("ours", "SMP narrow"), ("ours wide", "SMP")):
        assert abs(macs[theirs] / macs[ours] - 1) <= MACS_DIFFER, f"{ours} {macs[ours]}, {theirs} {macs[theirs]} MACs"

    chosen = choose_precision("cpu")
    torch.manual_seed(0)
    ways = {name: training_step(make(), chosen, torch.channels_last, batch, size) for name, make in build.items()}
    for name in ("ours", "SMP narrow"):
        ways[f"{name}, NCHW"] = training_step(build[name](), PLAIN, torch.contiguous_format, batch, size)
    timings = time_in_turns(ways)

    def told(name: str) -> str:
        rate = batch / timings.median(name)
        return f"{rate:.1f} images/s, {macs[name.removesuffix(', NCHW')] / 1e6:.0f} M MACs"

    return rows(timings, told, f"training step, {size} px, batch {batch}, {chosen.name} channels_last",
                f"training step, {size} px, batch {batch}, float32 NCHW")


def rows(timings: Timings, told: Callable[[str], str], fast: str, plain: str) -> list[Row]:
    """The table's lines; ``told`` words a way's rate and cost, ``fast`` and ``plain`` the two kinds of step."""
    def row(what: str, ours: str, our_name: str, theirs: str, their_name: str) -> Row:
        return Row(what, f"{our_name}: {told(ours)}", f"{their_name}: {told(theirs)}", timings.ratio(theirs, ours))

    smp_narrow = f"SMP Unet, ResNet-18, decoder {NARROW_DECODER}"
    return [
        row(fast, "ours", "UNet 16", "SMP narrow", smp_narrow),
        row(plain, "ours, NCHW", "UNet 16", "SMP narrow, NCHW", smp_narrow),
        row(fast, "ours wide", f"UNet {WIDE}", "SMP", "SMP Unet, ResNet-18, decoder as it comes"),
        row(fast, "ours", "UNet 16", "ours, NCHW", "the same in float32 NCHW"),
        row(fast, "resattn", "unet-resattn 16", "ours", "UNet 16"),
    ]
