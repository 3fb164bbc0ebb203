"""Simulated voters with tastes, noise, a side bias, and cheaters. They vote through the battle service."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
from PIL import Image

from hypersd.arena.service.battles import BattleService
from hypersd.arena.votes.battle import Choice, Client, Entry
from hypersd.arena.votes.images import ImageStore

Scorer = Callable[[Image.Image, str], float]
Cheat = Literal["", "left", "hasty", "partisan"]
_BAD = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Taste:
    """Preferences of a voter, in log-odds per unit of each measure.

    Args:
        alignment: weight of the scorer (the judge's match, in [0, 1]).
        sharpness: weight of `sharpness`, about [0, 1].
        colour: weight of `colourfulness`, about [0, 1].
        left: bonus for the left side.
        noise: standard deviation of the random part.
        tie_below: difference below which the voter chooses a tie.
        bad_below: score below which both pictures are bad.
        cheat: `"left"` always takes that side, `"hasty"` chooses at random without looking, `"partisan"` recognises
            the pictures of `favourite` and always takes them.
        favourite: label of the partisan's contestant.
    """

    alignment: float = 8.0
    sharpness: float = 2.0
    colour: float = 1.0
    left: float = 0.1
    noise: float = 0.7
    tie_below: float = 0.3
    bad_below: float = 0.0
    cheat: Cheat = ""
    favourite: str = ""


def sharpness(picture: Image.Image) -> float:
    """Root mean square of the Laplacian of the brightness (in [0, 1]), times ten."""
    grey = np.asarray(picture.convert("L"), dtype=float) / 255
    inner = 4 * grey[1:-1, 1:-1] - grey[:-2, 1:-1] - grey[2:, 1:-1] - grey[1:-1, :-2] - grey[1:-1, 2:]
    return float(10 * np.sqrt(np.square(inner).mean()))


def colourfulness(picture: Image.Image) -> float:
    """The measure of Hasler and Süsstrunk 2003, with channels in [0, 1]."""
    red, green, blue = np.moveaxis(np.asarray(picture.convert("RGB"), dtype=float) / 255, -1, 0)
    red_green, other = red - green, (red + green) / 2 - blue
    return float(np.hypot(red_green.std(), other.std()) + 0.3 * np.hypot(red_green.mean(), other.mean()))


def population(voters: int, rng: random.Random, cheaters: float = 0.1, contestants: Sequence[str] = ()) -> list[Taste]:
    """Voters with random tastes, a share of them cheaters.

    Some cheaters are partisans if `contestants` (labels) are given.
    """
    cheats: list[Cheat] = ["left", "hasty", *(["partisan"] if contestants else [])]
    tastes: list[Taste] = []
    for _ in range(voters):
        cheat: Cheat = rng.choice(cheats) if rng.random() < cheaters else ""
        taste = Taste(
            alignment=rng.gauss(8, 2),
            sharpness=rng.gauss(2, 1),
            colour=rng.gauss(1, 1),
            left=rng.gauss(0.1, 0.2),
            bad_below=_BAD,
            cheat=cheat,
            favourite=rng.choice(contestants) if cheat == "partisan" else "",
        )
        tastes.append(taste)
    return tastes


@dataclass(frozen=True)
class SimulatedVoters:
    """Simulated voters, who vote through the battle service.

    Args:
        scorer: scores the match of picture and prompt; passed in, because the arena does not import models.
        name: prefix of the voters' names, at most 18 characters; it must differ from that of other voters.
        seen: cache of measurements by picture and prompt.
    """

    service: BattleService
    pictures: ImageStore
    scorer: Scorer
    tastes: Sequence[Taste]
    rng: random.Random
    name: str = "simulated"
    seen: dict[tuple[str, str], tuple[float, float, float]] = field(default_factory=dict)

    def vote(self, count: int, study: str | None = None) -> int:
        """Cast up to `count` votes, voters in turn; return the number cast: fewer if there are no more pairs."""
        cast = 0
        while cast < count:
            before = cast
            for number, taste in enumerate(self.tastes):
                cast += self._round(f"{self.name}-{number:04d}", taste, study) if cast < count else 0
            if cast == before:
                break
        return cast

    def _round(self, voter: str, taste: Taste, study: str | None) -> bool:
        battle = self.service.next_battle(voter, "simulated", study=study)
        if battle is None:
            return False
        self.service.mark_shown(battle.id, voter)
        left, right = battle.sides
        forced = "tie" not in self.service.allowed(study)
        choice = self.choose(taste, battle.pair.prompt, left, right, forced=forced)
        slow = int(self.rng.lognormvariate(7.8, 0.4))
        self.service.vote(battle.id, voter, choice, Client(decision_ms=200 if taste.cheat == "hasty" else slow))
        return True

    def choose(self, taste: Taste, prompt: str, left: Entry, right: Entry, *, forced: bool = False) -> Choice:
        """Choice of a voter with this taste; if `forced`, always one of the two."""
        if taste.cheat in {"left", "hasty"}:
            return "left" if taste.cheat == "left" or self.rng.random() < 0.5 else "right"
        here = [entry.contestant.label == taste.favourite for entry in (left, right)]
        if taste.cheat == "partisan" and any(here) and not all(here):
            return "left" if here[0] else "right"
        gap = self.utility(taste, prompt, left) - self.utility(taste, prompt, right)
        gap += taste.left + self.rng.gauss(0, taste.noise)
        if not forced and max(self.measures(prompt, entry)[0] for entry in (left, right)) < taste.bad_below:
            return "both_bad"
        if not forced and abs(gap) < taste.tie_below:
            return "tie"
        return "left" if gap > 0 else "right"

    def utility(self, taste: Taste, prompt: str, entry: Entry) -> float:
        """Utility of a picture for a voter, in log-odds."""
        alignment, sharp, colour = self.measures(prompt, entry)
        return taste.alignment * alignment + taste.sharpness * sharp + taste.colour * colour

    def measures(self, prompt: str, entry: Entry) -> tuple[float, float, float]:
        """Alignment with the prompt, sharpness and colourfulness of a picture; cached."""
        key = entry.picture, prompt
        if key not in self.seen:
            picture = self.pictures.open(entry.picture)
            self.seen[key] = self.scorer(picture, prompt), sharpness(picture), colourfulness(picture)
        return self.seen[key]


@dataclass
class SimulatedClock:
    """Clock for simulated voters: each call advances the time, so that no vote looks like part of a burst."""

    time: datetime
    pace: timedelta = timedelta(seconds=4)

    def __call__(self) -> datetime:
        """Return the time and advance it."""
        self.time += self.pace
        return self.time
