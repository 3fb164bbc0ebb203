"""Dataclasses of the arena: contestant, pair of pictures, battle shown to a voter, vote."""

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
    """Current time in UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """A random id of 128 bits, which reveals nothing and cannot be guessed."""
    return secrets.token_hex(16)


def pseudonym(secret: bytes, name: str) -> str:
    """Pseudonym of a voter: a keyed hash, so that `name` (an address) is never stored."""
    return hmac.new(secret, name.encode(), sha256).hexdigest()[:24]


def account_pseudonym(secret: bytes, account: str) -> str:
    """Pseudonym of a voter who signed in, for the id of their account; never equal to that of an anonymous voter."""
    return f"hf-{hmac.new(secret, f'account:{account}'.encode(), sha256).hexdigest()[:21]}"


@dataclass(frozen=True, slots=True, order=True)
class Contestant:
    """A model at a number of steps; its label, `emoji/hyper@4`, is its name in every ranking.

    0 steps means unknown (an imported vote); the label then ends in `@?`.
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
            ValueError: the label is invalid.
        """
        family, slash, rest = label.partition("/")
        model, at, steps = rest.rpartition("@")
        known = steps.isdecimal() and int(steps)
        if not (slash and at and family and model and (known or steps == "?")):
            raise ValueError(f"{label!r} is not a contestant; write it like emoji/hyper@4")
        return cls(family, model, int(known))


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A contestant's picture in a pair.

    Args:
        picture: SHA-256 of the picture's bytes, its name in the picture folder.
        seconds: time for denoising and decoding.
        calls: UNet evaluations; 0 if calls and seconds are unknown.
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
        prompt_set: name and version of the prompt's set, or `"own"` for a visitor's own prompt.
        probability: probability with which matchmaking drew this pair of contestants.
        study: the study of the pair; None is the open arena.
        gold: index, 0 or 1, of the entry that must win; the other is a spoiled copy of it.
        owner: the voter of an own prompt; no other voter sees the pair.
        device: device that drew the pictures.
        software: versions of the libraries that affect pictures, by name.
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
        """True if both pictures have the same bytes, so that a vote carries no information."""
        first, second = self.entries
        return first.picture == second.picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Battle:
    """A pair as one voter sees it.

    Args:
        swapped: the second entry is on the left.
        repeat_of: the battle that this one repeats with swapped sides.
        shown: time when the pictures were sent; None until then, and no vote is accepted before.
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
        """The left and the right entry."""
        first, second = self.pair.entries
        return (second, first) if self.swapped else (first, second)


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Client's report about a vote; it is untrusted and can only count against a vote.

    Args:
        decision_ms: time from the display of the pictures to the vote; None if unknown.
        input: input device of the choice.
    """

    decision_ms: int | None = None
    input: Input = "api"

    def __post_init__(self) -> None:
        if self.input not in INPUTS:
            raise ValueError(f"unknown input {self.input!r}; use one of: {', '.join(INPUTS)}")
        if self.decision_ms is not None and not 0 <= self.decision_ms < 2**31:
            raise ValueError(f"the decision time must be 0 or more milliseconds, not {self.decision_ms}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One choice in one battle; it never changes.

    Args:
        gates: result of each check at the time of the vote. `unavailable` means that the check could not be done; this
            does not exclude the vote.
        knowing_time: the answer to "knowing the time that each took, which would you use?", if given.
        withdrawn: time when the voter took it back; None if they did not.
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
        """The chosen entry; None for choices other than left and right."""
        left, right = self.battle.sides
        return {"left": left, "right": right}.get(self.choice)
