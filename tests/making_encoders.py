"""Encoder files that tests bring, as a user would."""

import socket
from pathlib import Path

from huggingface_hub import constants

TINY = '''
import torch
from torch import nn

class Tiny(nn.Module):
    channels, strides = (4, 6), (4, 8)
    mean, std = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)

    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 4, 4, stride=4), nn.BatchNorm2d(4), nn.ReLU())
        self.second = nn.Conv2d(4, 6, 2, stride=2)

    def forward(self, x):
        first = self.first(x)
        return [first, self.second(first)]

def build():
    torch.manual_seed(7)
    return Tiny()
'''


def write_encoder(folder: Path, name: str = "tiny.py", source: str = TINY) -> str:
    """Write an encoder file with two maps, 4 channels at stride 4 and 6 at stride 8; returns its spec."""
    path = folder / name
    path.write_text(source)
    return str(path)


def cut_off(monkeypatch, folder: Path) -> None:
    """A machine without a network and with an empty cache."""
    def refuse(*_, **__):
        raise OSError("no network")
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
