"""The official archive, through torchvision's md5-checked download."""

import http.client
import shutil
from pathlib import Path

from torchvision.datasets import OxfordIIITPet

from petseg_utils.atomic import only_writer
from petseg_utils.errors import DataError


def ensure_oxford(root: Path) -> Path:
    """Return ``root`` with the official Oxford-IIIT Pet archive in it, fetched (800 MB) if it is not there.

    Raises:
        DataError: the archive cannot be fetched, or what came is damaged.
    """
    target, staging = root / "oxford-iiit-pet", root / ".download"
    if target.is_dir():
        return root
    try:
        with only_writer(target):  # another process may be fetching it
            if not target.is_dir():
                _fetch(staging, target)
    except (OSError, RuntimeError, http.client.HTTPException) as error:  # a wrong md5 is the second
        raise DataError(
            f"the Oxford-IIIT Pet archive cannot be fetched into {str(root)!r} ({' '.join(str(error).split())}): go "
            "online and try again, pass --data-root the folder of a copy, or use --dataset synthetic"
        ) from None
    return root


def _fetch(staging: Path, target: Path) -> None:
    unpacked = staging / "oxford-iiit-pet"
    for folder in ("images", "annotations"):  # half unpacked by a process that was stopped; the archives are kept
        shutil.rmtree(unpacked / folder, ignore_errors=True)
    staging.mkdir(parents=True, exist_ok=True)
    OxfordIIITPet(staging, download=True)
    for archive in unpacked.glob("*.tar.gz"):
        archive.unlink()
    unpacked.rename(target)
    staging.rmdir()
