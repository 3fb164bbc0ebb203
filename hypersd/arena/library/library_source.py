"""Pairs of a library's pictures, for the pool: each pair of contestants meets once on each scene."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from hypersd.arena.library.picture_library import PromptSeed, WatchedLibrary
from hypersd.arena.service.image_generator import GeneratedImage, GenerationError
from hypersd.arena.service.pool import PairSource
from hypersd.arena.store.store import Store
from hypersd.arena.votes.battle import Contestant

_READ_SECONDS = 20.0
"""Seconds between reads of the pairs in the store, to which other processes add, too."""


@dataclass
class LibrarySource:
    """Source of pairs that have not met yet, and generator of their pictures.

    Args:
        library: the pictures.
        store: of the pairs that exist.
        probabilities: the probability of each pair, if all could meet.
        low: number of unseen pairs below which more are prepared.
    """

    library: WatchedLibrary
    store: Store
    probabilities: Callable[[], Mapping[tuple[str, str], float]]
    low: int
    device: str = ""
    software: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    _met: set[tuple[frozenset[str], PromptSeed]] = field(default_factory=set[tuple[frozenset[str], PromptSeed]])
    _read_at: float = -_READ_SECONDS

    def source(self) -> PairSource:
        """The source for the pool."""
        return PairSource(
            study=None,
            probabilities=self._remaining,
            prompts=(),
            prompt_set=self.library.latest.name,
            low=self.low,
            scenes=self.scenes,
        )

    def scenes(self, pair: tuple[str, str]) -> Sequence[PromptSeed]:
        """The scenes on which two contestants (labels) have not met."""
        labels = frozenset(pair)
        pairs = self.library.latest.pairs
        scenes = pairs.get(pair) or pairs.get((pair[1], pair[0]), ())
        return [scene for scene in scenes if (labels, scene) not in self._met]

    def __call__(self, prompt: str, seed: int, contestants: Sequence[Contestant]) -> Sequence[GeneratedImage]:
        """The contestants' pictures of a scene.

        Raises:
            GenerationError: a file is missing or damaged.
        """
        images: list[GeneratedImage] = []
        for contestant in contestants:
            try:
                picture = self.library.latest.open((prompt, seed), contestant)
            except (KeyError, OSError) as error:
                raise GenerationError(contestant, f"its picture cannot be read ({error})") from error
            images.append(GeneratedImage(picture, 0.0, 0, "unknown"))
        if len(contestants) > 1:
            self._met.add((frozenset(one.label for one in contestants), (prompt, seed)))
        return images

    def _remaining(self) -> Mapping[tuple[str, str], float]:
        self._refresh()
        return {pair: share for pair, share in self.probabilities().items() if self.scenes(pair)}

    def _refresh(self) -> None:
        """Read the library again if it has changed, and at intervals the pairs in the store."""
        name = self.library.current().name
        if time.monotonic() - self._read_at >= _READ_SECONDS:
            self._met |= {(frozenset(labels), scene) for labels, scene in self.store.pairs.meetings(name)}
            self._read_at = time.monotonic()
