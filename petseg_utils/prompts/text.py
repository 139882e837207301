"""Texts as prompts: which class do the words speak of?"""

from typing import Any

import torch
from torch import Tensor

from petseg_utils.classes import BACKGROUND, CAT, CLASS_NAMES, DOG, NUM_CLASSES
from petseg_utils.encoders.language import build_language_model
from petseg_utils.errors import UsageError
from petseg_utils.petclip.breeds import LOOKS, WITHHELD
from petseg_utils.petclip.captions import breed_prompts, species_prompts
from petseg_utils.petclip.data import EMPTY_CAPTIONS
from petseg_utils.petclip.shipped import PETCLIP_MINI

_ANY_PET, _ARTICLES = {"pet", "pets", "animal", "animals"}, {"a", "an", "the", "my", "this"}


class TextPrompts:
    """Brings texts to classes through a CLIP's text side: by the known sentence that a text is most like.

    Known are sentences about background, about cats and dogs, and about each breed that petclip-mini has learned.

    Args:
        language: has ``embed_texts`` and ``scale``, see :class:`petseg_utils.encoders.language.LanguageModel`.
    """

    def __init__(self, language: Any):
        self.language = language
        known = [(BACKGROUND, list(EMPTY_CAPTIONS)), (CAT, species_prompts("cat")), (DOG, species_prompts("dog"))]
        # In the data set, the breeds of cats are written with a capital letter.
        known += [(CAT if breed[0].isupper() else DOG, breed_prompts(breed, "cat" if breed[0].isupper() else "dog"))
                  for breed in LOOKS if breed not in WITHHELD]
        self.codes = torch.tensor([code for code, _ in known])
        self.embeddings: Tensor = language.embed_texts([sentences for _, sentences in known])

    @torch.inference_mode()
    def name_class(self, text: str) -> tuple[int, float]:
        """The code of the class that a text speaks of, and its probability: a softmax over what is known, summed by
        class. The names of the classes speak for themselves.

        Raises:
            UsageError: the text has no word, or one that the text side has not learned; near ones are named. Or it says
                no more than "pet": what was learned of that word is that photos of background show none.
        """
        if text.strip().lower() in CLASS_NAMES:
            return CLASS_NAMES.index(text.strip().lower()), 1.0
        if set(text.lower().split()) & _ANY_PET and set(text.lower().split()) <= _ANY_PET | _ARTICLES:
            raise UsageError(f"the text {text!r} names no species: say cat or dog, or take the text away (then the pet "
                             "is looked for)")
        agreement = self.embeddings @ self.language.embed_texts([[text]])[0]
        of_known = (self.language.scale * agreement).softmax(0).cpu()
        of_class = torch.zeros(NUM_CLASSES).index_add(0, self.codes, of_known)
        code = int(of_class.argmax())
        return code, float(of_class[code])


def build_texts() -> TextPrompts:
    """Texts through the text side of petclip-mini, which every installation has."""
    return TextPrompts(build_language_model(PETCLIP_MINI, 128))
