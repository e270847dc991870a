"""The text that `glideslope train` learns: Python's own reference, which every Python carries."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pydoc_data.topics import topics

import torch
from torch import Tensor


def python_reference() -> str:
    """The topics of Python's `help()`, each paragraph once.

    Topics quote one another at length; the copies would put a twelfth of the held-out text
    into the training text.
    """
    paragraphs = "\n\n".join(text for _, text in sorted(topics.items())).split("\n\n")
    return "\n\n".join(dict.fromkeys(paragraphs))


@dataclass(frozen=True)
class Corpus:
    """A text as character numbers, its last tenth held out."""

    vocabulary: str
    train: Tensor
    held_out: Tensor
    sha256: str

    @classmethod
    def of(cls, text: str) -> Corpus:
        """The corpus of a text.

        >>> Corpus.of("abbabbabba").train
        tensor([0, 1, 1, 0, 1, 1, 0, 1, 1])
        """
        vocabulary = "".join(sorted(set(text)))
        number = {character: i for i, character in enumerate(vocabulary)}
        encoded = torch.tensor([number[character] for character in text])
        train, held_out = encoded.tensor_split([len(text) * 9 // 10])
        return cls(vocabulary, train, held_out, sha256(text.encode()).hexdigest())

    def batch(self, size: int, context: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Random windows of the training text, and the same windows one character later."""
        starts = torch.randint(len(self.train) - context, (size, 1), generator=generator)
        windows = self.train[starts + torch.arange(context + 1)]
        return windows[:, :-1], windows[:, 1:]

    def held_out_windows(self, context: int) -> tuple[Tensor, Tensor]:
        """The held-out text as windows side by side: each character is predicted once."""
        count = (len(self.held_out) - 1) // context
        text = self.held_out[: count * context + 1]
        return text[:-1].view(count, context), text[1:].view(count, context)
