"""Generators of images, as the pool of pairs asks them: what they give, and how they fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from PIL import Image

from hypersd.arena.votes.battle import Contestant


@dataclass(frozen=True, slots=True)
class GeneratedImage:
    """One picture, what it took, and of which weights it is."""

    image: Image.Image
    seconds: float
    calls: int
    version: str


class GenerationError(RuntimeError):
    """A contestant could not draw; `contestant` says which, the message why."""

    def __init__(self, contestant: Contestant, reason: str) -> None:
        super().__init__(reason)
        self.contestant = contestant


class GenerationInterrupted(Exception):  # noqa: N818 - nothing is wrong
    """Somebody else needs the models now: no pair was made, and nobody failed."""


class ImageGenerator(Protocol):
    """Generator of images: the package's sampler, in the app."""

    @property
    def device(self) -> str:
        """Device and precision that draw."""
        ...

    @property
    def software(self) -> Mapping[str, str]:
        """Versions that matter, by name."""
        ...

    def __call__(self, prompt: str, seed: int, contestants: Sequence[Contestant]) -> Sequence[GeneratedImage]:
        """Draw one prompt and one seed with each contestant.

        Raises:
            GenerationError: one of them failed.
            GenerationInterrupted: it had to make room.
        """
        ...
