"""What all tests share: a workspace of their own, one thread, and one small synthetic data set."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

import cv2
import pytest
import torch
from making_app import make_app
from making_data import write_oxford
from making_runs import few_photos, train_tiny

from petseg_utils.data import open_data
from petseg_utils.petclip import pretrain
from petseg_utils.petclip.pretrain import open_captioned
from petseg_utils.synthetic import write_synthetic_pets
from petseg_utils.workspace import Workspace

torch.set_num_threads(1)  # same threads, same bits
cv2.setNumThreads(0)


@pytest.fixture(autouse=True)
def workspace_root(tmp_path_factory, monkeypatch):
    """An empty ``PETSEG_ROOT``, no profile: a test never sees or touches the checkout's data, caches and runs."""
    root = tmp_path_factory.mktemp("workspace")
    monkeypatch.setenv("PETSEG_ROOT", str(root))
    monkeypatch.delenv("PETSEG_PROFILE", raising=False)
    return root


@pytest.fixture
def two_threads():
    """What is asked side by side is asked in two processes."""
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def synthetic_root(tmp_path_factory):
    """Folder of 80 synthetic pets of 64 x 64 pixels, 60 of them trainval."""
    root = tmp_path_factory.mktemp("synthetic")
    write_synthetic_pets(root, n_trainval=60, n_test=20, size=64, seed=0)
    return root


@pytest.fixture(scope="session")
def synthetic_data(synthetic_root, tmp_path_factory):
    """The same, opened at 64 pixels. Shared: do not write to it."""
    return open_data(synthetic_root, 64, tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def few(synthetic_data):
    """A few of these photos, for runs of a second. Shared: do not write to it."""
    return few_photos(synthetic_data)


@pytest.fixture(scope="session")
def whole(few, tmp_path_factory):
    """An uninterrupted run on them."""
    return train_tiny(few, tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="session")
def oxford_root(tmp_path_factory):
    """Photos of four breeds in the real data set's layout, two of them withheld from petclip-mini."""
    root = tmp_path_factory.mktemp("oxford")
    write_oxford(root, *([f"{breed}_{i}" for breed in ("Birman", "pug", "Bombay", "shiba_inu") for i in numbers]
                         for numbers in (range(6), range(10, 13))))
    return root


@pytest.fixture(scope="session")
def captioned(oxford_root, tmp_path_factory):
    """They and two dozen rendered pets, with the captions that petclip-mini learns from. Shared: do not write to it."""
    pretrain.N_SYNTHETIC, before = 24, pretrain.N_SYNTHETIC
    try:
        return open_captioned(oxford_root, Workspace(tmp_path_factory.mktemp("workspace")))
    finally:
        pretrain.N_SYNTHETIC = before


@pytest.fixture(params=[False, True], ids=["canvas", "plain"])
def app(request):
    """The app on a grey photo, with its canvas and with plain widgets."""
    return make_app(plain=request.param)
