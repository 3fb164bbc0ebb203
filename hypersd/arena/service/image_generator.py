"""Interface of image generators for the pool of pairs, with their results and errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from PIL import Image

from hypersd.arena.votes.battle import Contestant


@dataclass(frozen=True, slots=True)
class GeneratedImage:
    """One picture, its cost, and the version of the weights that drew it."""

    image: Image.Image
    seconds: float
    calls: int
    version: str


class GenerationError(RuntimeError):
    """A contestant failed to draw; `contestant` names it, the message says why."""

    def __init__(self, contestant: Contestant, reason: str) -> None:
        super().__init__(reason)
        self.contestant = contestant


class GenerationInterrupted(Exception):  # noqa: N818 - nothing is wrong
    """The models are needed elsewhere: no pair was drawn, and no contestant failed."""


class ImageGenerator(Protocol):
    """Generator of images: the package's sampler, in the app."""

    @property
    def device(self) -> str:
        """Device and precision of the drawing."""
        ...

    @property
    def software(self) -> Mapping[str, str]:
        """Versions of the libraries that affect the pictures, by name."""
        ...

    def __call__(self, prompt: str, seed: int, contestants: Sequence[Contestant]) -> Sequence[GeneratedImage]:
        """Draw one prompt and one seed with each contestant.

        Raises:
            GenerationError: one of them failed.
            GenerationInterrupted: the models were needed elsewhere.
        """
        ...
