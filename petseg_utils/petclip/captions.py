"""Captions from a photo's breed and species: many sentences for one photo, so that words are learned, not sentences."""

import numpy as np

from petseg_utils.petclip.breeds import LOOKS, spoken

BEGINNINGS = ("a photo of", "a picture of", "a close photo of", "a snapshot of", "a portrait of", "")


def draw_caption(breed: str, species: str, rng: np.random.Generator) -> str:
    """A sentence about a photo of a breed that :data:`petseg_utils.petclip.breeds.LOOKS` knows.

    Args:
        species: ``cat`` or ``dog``.
        rng: draws which of the name, the build and the features are spoken of.
    """
    looks = LOOKS[breed]
    features = [looks.features[i] for i in rng.permutation(len(looks.features))[: rng.integers(1, 3)]]
    what = (
        with_article(f"{spoken(breed)} {species}"),
        with_article(spoken(breed)),
        f"{with_article(spoken(breed))}, {describe(looks.build, species, features)}",
        describe(looks.build, species, features),
        with_article(f"{looks.build} {species}"),
        with_article(species),
    )[rng.choice(6, p=(0.2, 0.1, 0.25, 0.25, 0.05, 0.15))]
    return f"{BEGINNINGS[rng.integers(len(BEGINNINGS))]} {what}".strip()


def describe(build: str, species: str, features: list[str]) -> str:
    """``a tiny dog with large upright ears and a short coat``"""
    return f"{with_article(f'{build} {species}')} with {' and '.join(features)}"


def with_article(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def species_prompts(species: str) -> list[str]:
    """The sentences whose mean stands for a species."""
    return [f"{beginning} {with_article(species)}".strip() for beginning in BEGINNINGS]


def breed_prompts(breed: str, species: str, *, named: bool = True) -> list[str]:
    """The sentences whose mean stands for a breed: its name with its looks, or its looks only."""
    looks = LOOKS[breed]
    described = [describe(looks.build, species, list(looks.features[:2])),
                 describe(looks.build, species, list(looks.features[1:]))]
    if named:
        described = ([with_article(f"{spoken(breed)} {species}")]
                     + [f"{with_article(spoken(breed))}, {words}" for words in described])
    return [f"{beginning} {words}" for beginning in BEGINNINGS[:2] for words in described]
