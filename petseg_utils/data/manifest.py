"""Which photo trains, which validates, which is only ever reported: the split manifest.

The official test list is left alone. Validation is a fifth of the official trainval list, drawn breed by breed with
a seed (species by species where breeds have too few photos). Near-duplicate photos are kept on one side, or a model
would be chosen on (or tested on) what it trained on.
"""

import hashlib

import numpy as np
import pandas as pd

from petseg_utils.classes import SPECIES_NAMES
from petseg_utils.data.duplicates import duplicate_groups, near_duplicates
from petseg_utils.data.layouts import Sample

VAL_FRACTION = 0.2
PARTS = ("train", "val", "test", "excluded")


def build_manifest(samples: list[Sample], thumbnails: np.ndarray, seed: int = 0) -> pd.DataFrame:
    """Give every photo its part.

    Args:
        samples: the photos, in the layout's order.
        thumbnails: uint8 (N, 16, 16, 3), one for each.
        seed: draws the validation photos.

    Returns:
        One row a photo, in order: ``name, breed, species, split, part, duplicate_of``. ``part`` is ``train``, ``val``,
        ``test``, or ``excluded`` for a trainval photo that repeats a test photo; ``duplicate_of`` names the first
        photo of its group of near-duplicates (empty for most).
    """
    n = len(samples)
    group = duplicate_groups(near_duplicates(thumbnails), n)
    is_test = np.array([sample.split == "test" for sample in samples])
    part = np.where(is_test, "test", "train").astype(object)
    part[~is_test & np.isin(group, group[is_test])] = "excluded"

    # A group of near-duplicates is drawn as one, for the breed of its first photo.
    rng = np.random.default_rng(seed)
    first = {g: i for i, g in reversed(list(enumerate(group)))}
    breeds = np.array([sample.breed for sample in samples])
    candidates = np.array([i for i in range(n) if part[i] == "train" and first[group[i]] == i], dtype=np.int64)
    few: dict[int, list[int]] = {}  # of breeds too small to give one: a fifth of each species' together
    for breed in sorted(set(breeds[candidates])):
        own = rng.permutation(candidates[breeds[candidates] == breed])
        for i in own[: round(VAL_FRACTION * len(own))]:
            part[group == group[i]] = "val"
        if not round(VAL_FRACTION * len(own)):
            few.setdefault(samples[own[0]].species, []).extend(own)
    for _, pooled in sorted(few.items()):
        for i in rng.permutation(pooled)[: round(VAL_FRACTION * len(pooled))]:
            part[group == group[i]] = "val"

    sizes = np.bincount(group)
    return pd.DataFrame({
        "name": [sample.name for sample in samples],
        "breed": breeds,
        "species": [SPECIES_NAMES[sample.species] for sample in samples],
        "split": [sample.split for sample in samples],
        "part": part,
        "duplicate_of": [samples[first[g]].name if sizes[g] > 1 and first[g] != i else "" for i, g in enumerate(group)],
    })


def labelled_subset(manifest: pd.DataFrame, rows: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Some of the photos, as if only these had masks: as near to ``fraction`` of each breed as whole photos allow.

    A larger fraction with the same seed holds the photos of a smaller one, so what it gains is gained by more masks.

    Args:
        manifest: as :func:`build_manifest` returns it.
        rows: int64 (N,), indices into it.
        fraction: in (0, 1]; at least one photo is kept.
        seed: draws each breed's order.

    Returns:
        int64 (round(fraction * N),), indices into the manifest, ascending.
    """
    rng = np.random.default_rng(seed)
    breeds = manifest["breed"].to_numpy()[rows]
    turn = np.empty(len(rows))  # when a photo is taken, from 0 to 1, alike in every breed
    for breed in sorted(set(breeds)):
        own = np.flatnonzero(breeds == breed)
        turn[own] = (rng.permutation(len(own)) + rng.random()) / len(own)
    n = max(1, round(fraction * len(rows)))
    return np.sort(rows[np.argsort(turn, kind="stable")[:n]])


def fingerprint(manifest: pd.DataFrame, digests: np.ndarray) -> str:
    """Name a data set by what is in it: the parts and the bytes of every file, wherever the files lie.

    Args:
        manifest: as :func:`build_manifest` returns it.
        digests: uint8 (N, 32), the SHA-256 of each photo's files.

    Returns:
        16 hexadecimal digits; another photo, mask or split gives others.
    """
    digest = hashlib.sha256()
    for row, content in zip(manifest[["name", "species", "part"]].itertuples(index=False), digests, strict=True):
        digest.update("\t".join(row).encode() + b"\n" + content.tobytes())
    return digest.hexdigest()[:16]
