"""The nouns of the arena: contestants, the pair that they drew, the battle that a visitor sees, the vote."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from types import MappingProxyType
from typing import Literal, get_args

Choice = Literal["left", "right", "tie", "both_bad", "skip"]
Kind = Literal["human", "simulated"]
Purpose = Literal["open", "gold", "repeat"]
CheckResult = Literal["ok", "failed", "unavailable"]
Input = Literal["key", "pointer", "api"]
CHOICES: tuple[Choice, ...] = get_args(Choice)
INPUTS: tuple[Input, ...] = get_args(Input)
KINDS: tuple[Kind, ...] = get_args(Kind)


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """An opaque name of 128 random bits: it says nothing, and nobody guesses another."""
    return secrets.token_hex(16)


def pseudonym(secret: bytes, name: str) -> str:
    """A voter's name in the records: a keyed hash, so that what `name` says (an address) is stored nowhere."""
    return hmac.new(secret, name.encode(), sha256).hexdigest()[:24]


@dataclass(frozen=True, slots=True, order=True)
class Contestant:
    """A model at a number of steps; its label, `emoji/hyper@4`, is its name in every ranking.

    0 steps mean that they are not known (a vote from elsewhere); the label then ends in `@?`.
    """

    family: str
    model: str
    steps: int

    @property
    def label(self) -> str:
        """`family/model@steps`."""
        return f"{self.family}/{self.model}@{self.steps or '?'}"

    @classmethod
    def parse(cls, label: str) -> Contestant:
        """The contestant of a label.

        Raises:
            ValueError: it is none.
        """
        family, slash, rest = label.partition("/")
        model, at, steps = rest.rpartition("@")
        known = steps.isdecimal() and int(steps)
        if not (slash and at and family and model and (known or steps == "?")):
            raise ValueError(f"{label!r} names no contestant; write it like emoji/hyper@4")
        return cls(family, model, int(known))


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Make an entry of a contestant.

    Args:
        picture: SHA-256 of the picture's bytes, its name in the picture folder.
        seconds: denoising and decoding.
        calls: UNet evaluations; 0 if neither they nor the seconds are known.
        version: of the contestant's weights.
    """

    contestant: Contestant
    picture: str
    seconds: float
    calls: int
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two pictures of one prompt and one seed, ready to be voted on, any number of times.

    Args:
        prompt_set: name and version of the set that the prompt is from, or `"own"` for a visitor's own.
        probability: with which matchmaking drew this pair of contestants.
        study: the study that it was drawn for; None is the open arena.
        gold: which entry, 0 or 1, must win, where the other is a spoiled copy of it.
        owner: the voter whose own prompt this is; it is shown to nobody else.
        device: what drew the pictures.
        software: versions that matter, by name.
    """

    id: str = field(default_factory=new_id)
    prompt: str
    prompt_set: str
    seed: int
    entries: tuple[Entry, Entry]
    probability: float
    study: str | None = None
    gold: int | None = None
    owner: str | None = None
    device: str = ""
    software: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    created: datetime = field(default_factory=now)

    @property
    def identical(self) -> bool:
        """True if both pictures are the same bytes: then nobody can prefer one, and no vote on it says anything."""
        first, second = self.entries
        return first.picture == second.picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Battle:
    """A pair as one voter sees it.

    Args:
        swapped: the second entry stands on the left.
        repeat_of: the battle that this one shows again, sides swapped.
        shown: when the pictures were handed over; None until then, and no vote is taken before.
    """

    id: str = field(default_factory=new_id)
    pair: Pair
    swapped: bool
    voter: str
    kind: Kind
    purpose: Purpose = "open"
    repeat_of: str | None = None
    drawn: datetime = field(default_factory=now)
    expires: datetime
    shown: datetime | None = None

    @property
    def sides(self) -> tuple[Entry, Entry]:
        """The entries as they stand, left and right."""
        first, second = self.pair.entries
        return (second, first) if self.swapped else (first, second)


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Client's report about a vote; it is believed only as far as it makes a vote look worse.

    Args:
        decision_ms: from the reveal to the vote; None if it is not known.
        input: how the choice was made.
    """

    decision_ms: int | None = None
    input: Input = "api"

    def __post_init__(self) -> None:
        if self.input not in INPUTS:
            raise ValueError(f"unknown input {self.input!r}; it is one of: {', '.join(INPUTS)}")
        if self.decision_ms is not None and not 0 <= self.decision_ms < 2**31:
            raise ValueError(f"a decision takes 0 or more milliseconds, not {self.decision_ms}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One choice in one battle: as it was made, for ever.

    Args:
        gates: what each check of the moment said. `unavailable` means that it could not be made, which is nobody's
            fault and excludes nothing.
        knowing_time: the answer to "knowing the time that each took, which would you use?", if it was given.
        withdrawn: when the voter took it back; None if it stands.
    """

    id: str = field(default_factory=new_id)
    battle: Battle
    choice: Choice
    client: Client = field(default_factory=Client)
    gates: Mapping[str, CheckResult] = field(default_factory=lambda: MappingProxyType({}))
    voted: datetime = field(default_factory=now)
    knowing_time: Choice | None = None
    withdrawn: datetime | None = None

    @property
    def winner(self) -> Entry | None:
        """The entry that was chosen; None for everything but left and right."""
        left, right = self.battle.sides
        return {"left": left, "right": right}.get(self.choice)
