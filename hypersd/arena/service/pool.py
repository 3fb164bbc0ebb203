"""Prepared pairs: the one way in which they are drawn, at once or by a worker that keeps voting from waiting."""

from __future__ import annotations

import logging
import math
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import numpy as np
from PIL import Image

from hypersd.arena.service.image_generator import GenerationError, GenerationInterrupted, ImageGenerator
from hypersd.arena.service.matchmaking import draw, least_used_prompt
from hypersd.arena.store.leases import Lease, PairPlan
from hypersd.arena.store.store import Store
from hypersd.arena.store.tables import PAIRS
from hypersd.arena.votes.battle import Contestant, Entry, Pair, new_id, now
from hypersd.arena.votes.images import ImageStore, same_pixels

log = logging.getLogger(__name__)

GOLD_SHARE = 0.06
TRIES = 3
"""Attempts for a failing contestant before it is benched."""

_TILES = 8
"""Number of tiles per row and per column of a spoiled picture; tiles are smaller than the objects it shows."""

_RELEASE_SECONDS = 60
"""Seconds between searches for abandoned pairs; each search reads all pairs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairSource:
    """Source of pairs: the open arena, or a study.

    Args:
        probabilities: returns the probability of each pair of contestants (labels); called for each draw.
        prompts: texts, all from `prompt_set`.
        low: number of unseen pairs below which more are drawn.
        scenes: returns the prompts and seeds of a pair of contestants (labels), where pictures exist already; None
            lets any prompt be drawn with any seed.
    """

    study: str | None
    probabilities: Callable[[], Mapping[tuple[str, str], float]]
    prompts: Sequence[str]
    prompt_set: str
    low: int = 40
    scenes: Callable[[tuple[str, str]], Sequence[tuple[str, int]]] | None = None


@dataclass
class PairPool:
    """Pool of prepared pairs, filled one pair after another: up to a number at once (`fill`), or by a worker (`run`).

    Args:
        busy: tells whether a visitor waits for the models; the worker then pauses.
        pause: seconds between checks of the pool when it is full, or the models are busy.
        shown: a page will show the pairs: what it sends is prepared too.
        lease: time after which a pair that this worker is drawing is drawn by another one, if this one was killed. The
            clocks of their machines may differ by less.
        worker: name of this worker among those that fill the same pool.
    """

    store: Store
    pictures: ImageStore
    generator: ImageGenerator
    sources: Sequence[PairSource]
    busy: Callable[[], bool] = lambda: False
    pause: float = 0.5
    shown: bool = False
    lease: timedelta = timedelta(minutes=1)
    worker: str = field(default_factory=new_id)
    rng: Any = field(default_factory=np.random.default_rng)
    failures: Counter[Contestant] = field(default_factory=Counter)
    last_release: float = field(default=-math.inf, init=False)

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set. Failing contestants are benched; pairs that cannot be stored are retried.

        All contestants are unbenched first: a restart often removes the cause of their failure.
        """
        forgiven = False
        while not stop.is_set():
            try:
                if not forgiven:
                    for contestant in self.store.bench.reasons():
                        self.store.bench.remove(contestant)
                    forgiven = True
                source = None if self.busy() else self.next_source_to_fill()
                if source is None or self.add_leased_pair(source) is None:
                    stop.wait(self.pause)
            except Exception:
                log.exception("no pair could be prepared; trying again")
                stop.wait(10 * self.pause)

    def fill(self, source: PairSource, count: int, progress: Callable[[str], None] = lambda _line: None) -> None:
        """Draw pairs of a source until there are `count`; a turn in which a contestant fails adds no pair.

        The prompts are used in cyclic order, continuing after the last one used. No prompt is repeated before all were
        used, because a reward model needs many different prompts.

        Args:
            source: of the pairs, with at least one prompt.
            count: pairs without an owner that the pool shall have, including the present ones.
            progress: receives a line before each pair.
        """
        drawn = self.store.pairs.count(source.study)
        for number in range(drawn, count):
            progress(f"drawing pair {number - drawn + 1} of {count - drawn}")
            self.add_pair(replace(source, prompts=[source.prompts[number % len(source.prompts)]]))

    def next_source_to_fill(self) -> PairSource | None:
        """The low source with the smallest fill ratio; first releases abandoned pairs, and images that were shown.

        Sources without pairs to draw, such as a complete study, are skipped.
        """
        source = self._emptiest()
        if source and time.monotonic() - self.last_release > _RELEASE_SECONDS:
            self.last_release = time.monotonic()
            if self.shown:
                self._remove_sheets()
            source = self._emptiest() if self.store.pairs.release(now()) else source
        return source

    def _remove_sheets(self) -> None:
        """Keep the prepared images of pairs that nobody has seen, and of gold pairs, which every voter sees."""
        pairs = self.store.pairs.select((PAIRS.c.served == 0) | (PAIRS.c.gold.is_not(None) & (PAIRS.c.served > 0)))
        self.pictures.remove_sheets(
            (first.picture, second.picture) for first, second in (pair.entries for pair in pairs)
        )

    def _emptiest(self) -> PairSource | None:
        filled = [(self._size(source.study) / source.low, index) for index, source in enumerate(self.sources)]
        low = (self.sources[index] for fill, index in sorted(filled) if fill < 1)
        return next((source for source in low if self._able(source.probabilities())), None)

    def add_pair(self, source: PairSource) -> Pair | None:
        """Add a pair on a least-used prompt to the pool; sometimes a gold pair.

        None if no contestant can draw, or both drew the same picture.
        """
        plan = self._plan(source)
        pair = self._drawn(plan) if plan else None
        if pair:
            self.store.pairs.add(pair)
        return pair

    def add_leased_pair(self, source: PairSource) -> Pair | None:
        """Add a pair to a pool that other workers fill too: one that a killed worker has left, or a new one.

        None if the others are drawing what the pool needs; and as for `add_pair`.
        """
        leases, lasts = self.store.leases, self.lease
        lease = leases.take_over(self.worker, source.study, now(), lasts)
        if lease is None and (plan := self._plan(source)):
            lease = leases.take(self.worker, plan, source.low, now(), lasts)
        if lease is None:
            return None
        added = False
        try:
            with self._renewing(lease):
                pair = self._drawn(lease.plan)
            added = pair is not None and leases.finish(lease, pair)
        finally:
            if not added:
                leases.give_back(lease)
        return pair if added else None

    @contextmanager
    def _renewing(self, lease: Lease) -> Generator[None]:
        """Renew a lease within this context, however long a picture takes."""
        done = threading.Event()

        def renew() -> None:
            while not done.wait(self.lease.total_seconds() / 3):
                try:
                    self.store.leases.renew(lease, now() + self.lease)
                except Exception:
                    log.exception("a lease could not be renewed; trying again")

        thread = threading.Thread(target=renew, name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _plan(self, source: PairSource) -> PairPlan | None:
        """A pair to draw; None if no contestant can."""
        able = self._able(source.probabilities())
        if not able:
            return None
        drawn = draw(able, self.rng)
        prompt, seed = self._scene(source, (drawn.first, drawn.second))
        return PairPlan(
            study=source.study,
            prompt=prompt,
            prompt_set=source.prompt_set,
            seed=int(self.rng.integers(2**32)) if seed is None else seed,
            contestants=(Contestant.parse(drawn.first), Contestant.parse(drawn.second)),
            probability=drawn.probability,
            gold=self.rng.random() < GOLD_SHARE or self._lacks_gold(source.study),
        )

    def _drawn(self, plan: PairPlan) -> Pair | None:
        pair = self.generate_pair(
            plan.prompt,
            plan.prompt_set,
            plan.contestants,
            probability=plan.probability,
            study=plan.study,
            gold=plan.gold,
            seed=plan.seed,
        )
        if pair and self.shown:
            self.pictures.prepare_sheets(*(entry.picture for entry in pair.entries))
        return pair

    def _scene(self, source: PairSource, pair: tuple[str, str]) -> tuple[str, int | None]:
        """A least-used prompt for a pair of contestants, and its seed; None lets a new one be drawn."""
        uses = self.store.pairs.prompt_uses(source.study) + self.store.leases.prompts(source.study)
        if source.scenes is None:
            return least_used_prompt(source.prompts, uses, self.rng), None
        scenes = source.scenes(pair)
        prompt = least_used_prompt(sorted({each for each, _ in scenes}), uses, self.rng)
        seeds = [seed for each, seed in scenes if each == prompt]
        return prompt, seeds[int(self.rng.integers(len(seeds)))]

    def generate_pair(
        self,
        prompt: str,
        prompt_set: str,
        contestants: tuple[Contestant, Contestant],
        *,
        probability: float,
        study: str | None = None,
        gold: bool = False,
        owner: str | None = None,
        seed: int | None = None,
    ) -> Pair | None:
        """Draw the two pictures of a pair. None if a contestant failed; three failures in a row bench it.

        None too if both pictures are equal, pixel for pixel: `ImageStore` gives equal pictures equal names.

        A gold pair is the first contestant's picture and a spoiled copy, so that everybody can tell which is better.
        A picture of one colour cannot be spoiled, so it gives no gold pair.
        """
        seed = int(self.rng.integers(2**32)) if seed is None else seed
        try:
            images = self.generator(prompt, seed, contestants[:1] if gold else contestants)
        except GenerationInterrupted:
            return None
        except GenerationError as error:
            self._failed(error)
            return None
        for contestant in contestants[: len(images)]:
            self.failures.pop(contestant, None)
        if gold:
            original = images[0]
            shuffled = replace(original, image=shuffle_tiles(original.image))
            if same_pixels(shuffled.image, original.image):
                return self.generate_pair(
                    prompt, prompt_set, contestants, probability=probability, study=study, owner=owner, seed=seed
                )
            images, contestants = (original, shuffled), (contestants[0], contestants[0])
        first, second = (
            Entry(
                contestant=contestant,
                picture=self.pictures.put(generated.image),
                seconds=generated.seconds,
                calls=generated.calls,
                version=generated.version,
            )
            for contestant, generated in zip(contestants, images, strict=True)
        )
        pair = Pair(
            prompt=prompt,
            prompt_set=prompt_set,
            seed=seed,
            entries=(first, second),
            probability=probability,
            study=study,
            gold=0 if gold else None,
            owner=owner,
            device=self.generator.device,
            software=self.generator.software,
        )
        if pair.identical:
            log.info("%s and %s drew the same picture; the pair is discarded", *(one.label for one in contestants))
            return None
        return pair

    def _lacks_gold(self, study: str | None) -> bool:
        """True if the pool has pairs, but no gold pair for the first visitors."""
        nobody = ""
        return self.store.pairs.pool_size(study) > 0 and self.store.pairs.candidate(nobody, study, gold=True) is None

    def _size(self, study: str | None) -> int:
        """Number of unseen pairs of a study, those that are being drawn included."""
        return self.store.pairs.pool_size(study) + self.store.leases.count(study, now())

    def _able(self, probabilities: Mapping[tuple[str, str], float]) -> dict[tuple[str, str], float]:
        """Pairs without benched contestants; their probabilities are rescaled to sum to 1."""
        benched = {contestant.label for contestant in self.store.bench.reasons()}
        able = {pair: share for pair, share in probabilities.items() if not benched & set(pair)}
        total = sum(able.values())
        return {pair: share / total for pair, share in able.items()} if total > 0 else {}

    def _failed(self, error: GenerationError) -> None:
        self.failures[error.contestant] += 1
        log.warning("%s failed: %s", error.contestant.label, error)
        if self.failures[error.contestant] >= TRIES:
            self.store.bench.add(error.contestant, str(error))


def shuffle_tiles(picture: Image.Image) -> Image.Image:
    """A copy that is worse for every taste: it is cut into tiles, which are shuffled.

    Colours and sharpness stay the same: an honest voter may prefer a blurred or a faded copy, but not this one.
    """
    width, height = (side // _TILES for side in picture.size)
    corners = [(column * width, row * height) for row in range(_TILES) for column in range(_TILES)]
    spoiled = picture.copy()
    for to, start in zip(corners, random.Random(0).sample(corners, len(corners)), strict=True):  # noqa: S311 - not for security
        spoiled.paste(picture.crop((*start, start[0] + width, start[1] + height)), to)
    return spoiled
