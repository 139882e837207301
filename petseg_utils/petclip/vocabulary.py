"""Words that petclip-mini has learned; all others are refused, with near ones named."""

import difflib
import re

import torch
from open_clip import SimpleTokenizer
from torch import Tensor

from petseg_utils.errors import UsageError
from petseg_utils.petclip.network import CONTEXT_LENGTH

_tokenizer = SimpleTokenizer(context_length=CONTEXT_LENGTH)


def words_of(text: str) -> list[str]:
    """The words of a text, in small letters, of whatever alphabet."""
    return re.findall(r"[^\W\d_]+(?:[-'][^\W\d_]+)*", text.lower())


def tokenize(texts: list[str]) -> Tensor:
    """Token ids of open_clip's tokenizer, int64 (T, 32); what is longer is cut."""
    return _tokenizer(texts)


def check_words(text: str, known: frozenset[str]) -> None:
    """Refuse a text with a word that was not learned.

    Raises:
        UsageError: there is no word in the text, or one that is not known; near ones are named.
    """
    words = words_of(text)
    if not words:
        raise UsageError(f"the text {text!r} has no word in it: write what is to be found, such as 'dog'")
    for word in words:
        if word not in known:
            near = difflib.get_close_matches(word, sorted(known), n=3, cutoff=0.65) or ["cat", "dog", "background"]
            raise UsageError(f"the word {word!r} was not in the captions that the text side learned from: try "
                             f"{', '.join(near)}")


def ids_in_use(texts: list[str]) -> Tensor:
    """The token ids that the texts take, int64, ascending, with those of beginning, end and padding."""
    return torch.unique(torch.cat([tokenize(texts).flatten(), torch.tensor([0])]))
