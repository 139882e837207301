"""The setup cell, on a machine of its own: a notebook alone in an empty folder, a torch that is not ours."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
FIRST = ROOT / "notebooks" / "01_data_preparation.ipynb"
FOREIGN = {"torch": "2.6.0+foreign", "torchvision": "0.21.0+foreign"}
VERSIONS = """
import importlib.metadata, importlib.util, json
spec = importlib.util.find_spec("petseg_utils")
versions = {name: importlib.metadata.version(name) for name in ("torch", "torchvision")}
print(json.dumps({"petseg_utils": spec and spec.origin} | versions))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The package as others would install it, built from a copy of the sources."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT / "petseg_utils", source / "petseg_utils", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", built]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, source], check=True)
    (wheel,) = built.glob("petseg_utils-*.whl")
    return wheel


def is_hidden(name: str) -> bool:
    """What the machine does not have: this package, and our torch's version."""
    distribution = name.split("-")[0].lower()
    return "petseg" in name or name.endswith((".pth", ".egg-link")) or (
        name.endswith(".dist-info") and distribution in FOREIGN)


@pytest.fixture
def machine(tmp_path):
    """Python of a fresh environment, which sees our libraries under a torch version of its own, and an empty folder."""
    libraries = tmp_path / "libraries"
    libraries.mkdir()
    for installed in Path(sysconfig.get_path("purelib")).iterdir():
        if not is_hidden(installed.name):
            (libraries / installed.name).symlink_to(installed)
    for name, version in FOREIGN.items():
        metadata = libraries / f"{name}-{version}.dist-info" / "METADATA"
        metadata.parent.mkdir()
        needs = f"Requires-Dist: torch=={FOREIGN['torch'].split('+')[0]}\n" if name == "torchvision" else ""
        metadata.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    own = subprocess.check_output([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True)
    (Path(own.strip()) / "machine.pth").write_text(f"{libraries}\n")
    (tmp_path / "empty").mkdir()
    return python


@pytest.fixture
def run(machine, tmp_path, monkeypatch):
    """Run Python code in the empty folder, offline; returns the finished process."""
    for name in [*(name for name in os.environ if name.startswith("PIP_")), "PETSEG_ROOT", "PYTHONPATH"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # everything else is there
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)

    def run(*arguments):
        return subprocess.run([machine, *map(str, arguments)], cwd=tmp_path / "empty", capture_output=True, text=True)

    return run


def setup_cell() -> str:
    (cell,) = [cell for cell in nbformat.read(FIRST, 4).cells if "setup" in cell.metadata.get("tags", [])]
    return cell.source


def versions(run):
    return json.loads(run("-c", VERSIONS).stdout)


def test_without_the_package_the_cell_says_what_to_upload(run):
    done = run("-c", setup_cell())
    assert done.returncode == 1
    assert "RuntimeError: petseg_utils is not installed: upload" in done.stderr.splitlines()[-1]


def test_a_notebook_alone_installs_the_wheel_beside_it_and_keeps_the_machines_torch(run, wheel, tmp_path):
    shutil.copy(FIRST, tmp_path / "empty")
    shutil.copy(wheel, tmp_path / "empty")
    assert versions(run) == {"petseg_utils": None} | FOREIGN
    done = run("-m", "papermill", "-k", "python3", "-p", "PROFILE", "smoke", FIRST.name, "done.ipynb")
    assert done.returncode == 0, done.stderr
    after = versions(run)
    assert Path(after.pop("petseg_utils")).is_relative_to(tmp_path / "venv")  # the wheel's, not the checkout's
    assert after == FOREIGN
    assert (tmp_path / "empty" / "cache").is_dir()  # beside the notebook, as no other root is named


def test_a_package_that_asks_for_another_torch_is_refused(run, tmp_path, monkeypatch):
    write_wheel(tmp_path / "empty" / "petseg_utils-99-py3-none-any.whl", "petseg_utils", "99", "torch>=2.7")
    write_wheel(tmp_path / "torch-2.9.0-py3-none-any.whl", "torch", "2.9.0")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    done = run("-c", setup_cell())
    assert done.returncode == 1
    assert "RuntimeError: pip cannot install petseg_utils beside torch==2.6.0+foreign" in done.stderr.splitlines()[-1]
    assert versions(run) == {"petseg_utils": None} | FOREIGN


def write_wheel(path: Path, name: str, version: str, needs: str | None = None) -> None:
    """A wheel of an empty package."""
    info = f"{name}-{version}.dist-info"
    needs = f"Requires-Dist: {needs}\n" if needs else ""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}/__init__.py", "")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
