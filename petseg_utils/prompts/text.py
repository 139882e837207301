"""Texts as prompts: which class do the words speak of?"""

import re
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
from petseg_utils.petclip.vocabulary import check_words, words_of

_ANY_PET, _NONE = {"pet", "animal"}, {"no", "without"}
_ARTICLES = {"a", "an", "the", "of", "with", "in", "on", "and"}
_NO_PET = _NONE | {"background"}


class TextPrompts:
    """Brings texts to classes through a CLIP's text side: by the known sentence that a text is most like.

    Known are sentences about background, about cats and dogs, and about each breed that petclip-mini has learned. Of a
    text for a text side that knows few words, those count that name one of these; looks and places beside them do not.

    Args:
        language: has ``embed_texts``, ``words`` and ``scale``, see
            :class:`petseg_utils.encoders.language.LanguageModel`.
    """

    def __init__(self, language: Any):
        self.language = language
        known = [(BACKGROUND, list(EMPTY_CAPTIONS)), (CAT, species_prompts("cat")), (DOG, species_prompts("dog"))]
        # In the data set, the breeds of cats are written with a capital letter.
        known += [(CAT if breed[0].isupper() else DOG, breed_prompts(breed, "cat" if breed[0].isupper() else "dog"))
                  for breed in LOOKS if breed not in WITHHELD]
        self.species_words = {word for breed in LOOKS for word in words_of(breed.replace("_", " "))} | {"cat", "dog"}
        self.codes = torch.tensor([code for code, _ in known])
        self.embeddings: Tensor = language.embed_texts([sentences for _, sentences in known])

    @torch.inference_mode()
    def name_class(self, text: str) -> tuple[int, float]:
        """The code of the class that a text speaks of, and its probability: a softmax over what is known, summed by
        class. The names of the classes speak for themselves.

        Raises:
            UsageError: the text has no word, or one that the text side has not learned; near ones are named. Or it
                names two species, or none: of "pet" it was learned that photos of background show none, and looks and
                places were heard of beside a species only, so that what they are brought to is chance.
        """
        said = self._in_singular(text)
        words = set(words_of(said))
        if words and words <= _ARTICLES:
            raise UsageError(f"the text {text!r} names nothing: say cat, dog, background or a breed")
        if {"cat", "dog"} <= words and not words & _NONE:
            raise UsageError(f"the text {text!r} names two species: ask for one at a time, or take the text away (then "
                             "any pet is looked for)")
        if words & _NONE and words & self.species_words:
            raise UsageError(f"the text {text!r} says what is not meant, too: name what is meant, cat, dog, background "
                             "or a breed")
        if words & _ANY_PET and not words & _NONE:
            if not words & self.species_words:
                raise UsageError(f"the text {text!r} names no species: say cat or dog, or take the text away (then the "
                                 "pet is looked for)")
            said = re.sub(rf"\b({'|'.join(sorted(_ANY_PET))})\b", "", said.lower())  # a pet dog is a dog
        if self.language.words is not None:
            check_words(said, self.language.words)
            said = self._names_in(said)
            if not said:
                raise UsageError(f"the text {text!r} names no species: say cat, dog, background or a breed, with or "
                                 "without its looks")
        if said.strip().lower() in CLASS_NAMES:
            return CLASS_NAMES.index(said.strip().lower()), 1.0
        agreement = self.embeddings @ self.language.embed_texts([[said]])[0]
        of_known = (self.language.scale * agreement).softmax(0).cpu()
        of_class = torch.zeros(NUM_CLASSES).index_add(0, self.codes, of_known)
        code = int(of_class.argmax())
        return code, float(of_class[code])

    def _names_in(self, text: str) -> str:
        """The words of a text that name something. A small text side is led astray by the others: to petclip-mini, a
        tiny cat is a dog, since its captions spoke of tiny dogs only."""
        return " ".join(word for word in words_of(text) if word in self.species_words | _NO_PET | _ANY_PET)

    def _in_singular(self, text: str) -> str:
        """The text, its words in s that were not learned without it if that was."""
        known = (self.language.words or frozenset()) | _ANY_PET
        for word in words_of(text):
            if word not in known and word.removesuffix("s") in known:
                text = re.sub(rf"\b{re.escape(word)}\b", word.removesuffix("s"), text.lower())
        return text


def build_texts() -> TextPrompts:
    """Texts through the text side of petclip-mini, which every installation has."""
    return TextPrompts(build_language_model(PETCLIP_MINI, 128))
