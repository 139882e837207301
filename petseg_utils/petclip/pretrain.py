"""The command that trains petclip-mini: data, run, file."""

from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

from petseg_utils.data.cache import PetData, open_data
from petseg_utils.encoders.specs import build_encoder
from petseg_utils.errors import UsageError
from petseg_utils.petclip.breeds import LOOKS, WITHHELD, spoken
from petseg_utils.petclip.captions import BEGINNINGS, species_prompts
from petseg_utils.petclip.data import EMPTY_CAPTIONS, TEACHER_SIZE, breeds_of, captioned_data
from petseg_utils.petclip.network import IMAGE_SIZE, PetCLIP
from petseg_utils.petclip.shipped import save_clip
from petseg_utils.petclip.vocabulary import ids_in_use, words_of
from petseg_utils.synthetic import write_synthetic_pets
from petseg_utils.training.run import Run
from petseg_utils.training.spec import RunSpec
from petseg_utils.workspace import Workspace

OBJECTIVES = ("captions", "labels")
N_SYNTHETIC, SYNTHETIC_SEED = 1024, 1  # other pets than those of the embedded data set, whose seed is 0


def open_captioned(data_root: str | Path, workspace: Workspace) -> PetData:
    """Oxford-IIIT Pet and rendered pets at 128 px, with captions; see :func:`captioned_data`."""
    rendered = write_synthetic_pets(workspace.data / f"petclip-{N_SYNTHETIC}", n_trainval=N_SYNTHETIC, n_test=12,
                                    size=IMAGE_SIZE, seed=SYNTHETIC_SEED)
    return captioned_data(open_data(data_root, IMAGE_SIZE, workspace.cache),
                          open_data(rendered, IMAGE_SIZE, workspace.cache))


def petclip_spec(data: PetData, *, objective: str = "captions", teacher: str = "", epochs: int = 50,
                 seed: int = 0) -> RunSpec:
    """How petclip-mini, or its control, is trained.

    Args:
        data: as :func:`open_captioned` returns it.
        objective: ``captions``, or ``labels`` for the control.
        teacher: spec of an encoder whose features are learned from as well; none if empty.
    """
    if objective not in OBJECTIVES:
        raise UsageError(f"unknown objective {objective!r}: choose one of {', '.join(OBJECTIVES)}")
    options: dict[str, Any] = {}
    if teacher:
        options["teacher_channels"] = build_encoder(teacher, TEACHER_SIZE).channels[-1]
    if objective == "labels":
        options |= {"objective": objective, "n_labels": len(breeds_of(data))}
    return RunSpec(model="petclip", task="captions", data=data.fingerprint, image_size=IMAGE_SIZE, epochs=epochs,
                   recipe="strong", learning_rate=1.5e-3, batch_size=64, options=options, teacher=teacher, seed=seed)


def texts_learned(data: PetData) -> list[str]:
    """Texts with all the words that captions of the training part are made of; no withheld breed's name is there."""
    of_breeds = [f"a an and with photo picture {spoken(breed)} {looks.build} {' '.join(looks.features)}"
                 for breed, looks in LOOKS.items() if breed not in WITHHELD]
    train = data.manifest["part"] == "train"
    captions = [caption for caption in data.manifest["caption"][train].unique() if caption]
    return [*of_breeds, *captions, *EMPTY_CAPTIONS, *BEGINNINGS, *species_prompts("cat"), *species_prompts("dog")]


def export(run: Run, data: PetData, path: Path) -> None:
    """Write a finished run as the one file that is shipped, with its recipe and its scores."""
    model = run.load_model()
    assert isinstance(model, PetCLIP)
    texts = texts_learned(data)
    words = sorted({word for text in texts for word in words_of(text)})
    save_clip(path, model, ids_in_use(texts), words, {"run": run.name, "spec": run.spec.to_json(),
                                                      "scores": score_rows(run)})


def score_rows(run: Run, split: str = "test") -> list[dict[str, Any]]:
    """One row a question: ``question, n, chance, value, ci_low, ci_high``; the share of photos that were named rightly,
    with Wilson's 95 % interval."""
    classes = {"species": 2, "species by breed": 2, "breed": len(LOOKS) - len(WITHHELD), "withheld": len(WITHHELD)}
    rows = []
    for question, right in run.answers(split).items():
        test = binomtest(int(np.sum(right)), len(right))
        low, high = test.proportion_ci(method="wilson")
        rows.append({"question": question, "n": len(right), "chance": round(1 / classes[question], 4),
                     "value": round(float(test.statistic), 4), "ci_low": round(low, 4), "ci_high": round(high, 4)})
    return rows
