"""Classification by text: a photo is of the class whose sentences it agrees with most."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from petseg_utils.data.cache import PetData
from petseg_utils.evaluation import batches_of
from petseg_utils.petclip.breeds import WITHHELD
from petseg_utils.petclip.captions import breed_prompts, species_prompts
from petseg_utils.petclip.data import breeds_of
from petseg_utils.petclip.network import PetCLIP
from petseg_utils.petclip.vocabulary import tokenize
from petseg_utils.precision import Precision

SPECIES = ("cat", "dog")


@torch.inference_mode()
def embed_photos(model: PetCLIP, data: PetData, part: str, precision: Precision) -> Tensor:
    """Image embeddings of a part's photos in order, float (N, 128), of length 1."""
    model.eval()
    found = []
    for _, images in batches_of(data, part, precision):
        with precision.autocast():
            found.append(model(images))
    return torch.cat(found)


@torch.inference_mode()
def embed_classes(model: PetCLIP, prompts: list[list[str]]) -> Tensor:
    """One embedding a class, float (K, 128), of length 1: the mean over the class's sentences.

    Source: the prompt ensembling of Radford et al., 2021, section 3.1.4.
    """
    device = next(model.parameters()).device
    means = [model.encode_text(tokenize(of_class).to(device)).mean(0) for of_class in prompts]
    return F.normalize(torch.stack(means), dim=-1)


@torch.inference_mode()
def correct_answers(model: PetCLIP, data: PetData, part: str, precision: Precision) -> dict[str, np.ndarray]:
    """Which photos of a part are put into the right class, bool (N,) for each question.

    Returns:
        ``species`` (cat or dog, all photos), ``species by breed`` (the same, asked for by the names of all breeds that
        were learned: the species whose breeds together are more probable), ``breed`` (photos of these breeds, among
        these), and ``withheld`` (photos of the breeds that were not learned, among those, asked for by their looks;
        only where there are any). A model that learned labels answers by its classifier, by breed throughout, and of
        withheld breeds nothing.
    """
    manifest = data.manifest[data.manifest["part"] == part]
    species = dict(zip(data.manifest["breed"], data.manifest["species"], strict=True))
    photos = embed_photos(model, data, part, precision)
    seen = [breed for breed in breeds_of(data) if breed in set(manifest["breed"])]
    questions = {
        "species": ("species", list(SPECIES), [species_prompts(name) for name in SPECIES]),
        "breed": ("breed", seen, [breed_prompts(breed, species[breed]) for breed in seen]),
        "withheld": ("breed", list(WITHHELD), [breed_prompts(breed, species.get(breed, "dog"), named=False)
                                               for breed in WITHHELD]),
    }
    correct = {}
    for question, (column, classes, prompts) in questions.items():
        asked = manifest[column].isin(classes).to_numpy()
        if not asked.any() or (model.classify is not None and question == "withheld"):
            continue
        if model.classify is None:
            scores = photos @ embed_classes(model, prompts).T
        else:
            scores = _by_labels(model, photos, breeds_of(data), classes, species)
        nearest = scores[torch.tensor(asked, device=scores.device)].argmax(1).cpu().numpy()
        correct[question] = np.array(classes)[nearest] == manifest[column].to_numpy()[asked]
    if model.classify is None:
        names = embed_classes(model, [breed_prompts(breed, species[breed]) for breed in seen])
        breeds = (model.clip.logit_scale.exp().clamp(max=100) * photos @ names.T).softmax(1)
        cats = torch.tensor([species[breed] == "cat" for breed in seen], device=breeds.device)
        called_cat = (breeds[:, cats].sum(1) > 0.5).cpu().numpy()
        correct["species by breed"] = called_cat == (manifest["species"] == "cat").to_numpy()
    return correct


def _by_labels(model: PetCLIP, photos: Tensor, labels: list[str], classes: list[str],
               species: dict[str, str]) -> Tensor:
    """Probabilities of classes, breeds or species, from those of the breeds that were learned: float (N, K)."""
    assert model.classify is not None
    probabilities = (model.clip.logit_scale.exp().clamp(max=100) * model.classify(photos)).softmax(1)
    members = [[i for i, breed in enumerate(labels) if name in (breed, species[breed])] for name in classes]
    return torch.stack([probabilities[:, of_class].sum(1) for of_class in members], dim=1)
