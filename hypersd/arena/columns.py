"""Votes as columns of numbers: what a million of them are cleaned and counted by, in a few bytes each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hypersd.arena.battle import CHOICES, KINDS, Choice, Contestant, Kind, Purpose, Vote

PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
NAMES = (
    "battle_id", "repeat_of", "pair_id", "prompt", "prompt_set", "study", "voter", "kind", "purpose", "choice",
    "model_a", "model_b", "picture_a", "picture_b", "seconds_a", "seconds_b", "calls_a", "calls_b", "owner", "gold",
    "swapped", "gates", "decision_ms", "voted", "withdrawn",
)  # fmt: skip
"""The columns of the `arena` format that decide what counts, and for whom."""

Codes = NDArray[np.int32]
Truths = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """A column of N texts: the index of each in `values`, which are sorted; −1 for none."""

    codes: Codes
    values: tuple[str, ...]

    @classmethod
    def of(cls, column: pa.Array | pa.ChunkedArray) -> Coded:
        """A column of texts."""
        whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        coded = whole.dictionary_encode()
        order = pc.sort_indices(coded.dictionary).to_numpy()
        place = np.empty(len(order) + 1, dtype=np.int32)
        place[order] = np.arange(len(order))
        place[-1] = -1
        codes = pc.fill_null(coded.indices, len(order)).to_numpy(zero_copy_only=False)
        return cls(place[codes], tuple(coded.dictionary.take(pa.array(order)).to_pylist()))

    def __getitem__(self, rows: Any) -> Coded:
        return Coded(self.codes[rows], self.values)

    def among(self, words: Iterable[str]) -> Truths:
        """Which of the texts are one of these words, `(N,)`."""
        wanted = set(words)
        return np.array([*(value in wanted for value in self.values), False])[self.codes]

    def as_words(self, words: Sequence[str]) -> Coded:
        """The same with these words for `values`, in their order."""
        place = np.array([*(words.index(value) for value in self.values), -1], dtype=np.int32)
        return Coded(place[self.codes], tuple(words))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class VoteColumns:
    """N votes, a row each, in the order in which they were made. What is not said here is as in `Vote` and its parts.

    Args:
        left, right: the contestants' labels; both have the same `values`.
        left_picture, right_picture: likewise the pictures.
        seconds: of the left and the right picture, nan if they are not known, `(N, 2)`.
        gold: which side must win: 0 is left, 1 is right, −1 none.
        owned: whether the prompt was a visitor's own.
        failed: whether a gate said so.
        decision_ms: −1 if it is not known.
        voted: microseconds since 1970.
    """

    battle: Coded
    repeat_of: Coded
    pair: Coded
    prompt: Coded
    prompt_set: Coded
    study: Coded
    voter: Coded
    kind: Coded
    purpose: Coded
    choice: Coded
    left: Coded
    right: Coded
    left_picture: Coded
    right_picture: Coded
    seconds: NDArray[np.float64]
    gold: NDArray[np.int8]
    owned: Truths
    failed: Truths
    withdrawn: Truths
    decision_ms: NDArray[np.int64]
    voted: NDArray[np.int64]

    @classmethod
    def from_arrow(cls, columns: Mapping[str, pa.Array | pa.ChunkedArray]) -> VoteColumns:
        """From columns as the `arena` format has them (`NAMES`), each valid."""
        battles = Coded.of(pa.chunked_array([*_chunks(columns["battle_id"]), *_chunks(columns["repeat_of"])], pa.string()))
        left, right = _shared(columns["model_a"], columns["model_b"])
        left_picture, right_picture = _shared(columns["picture_a"], columns["picture_b"])
        count = len(left.codes)
        gold, swapped = _numbers(columns["gold"], np.int8), _numbers(columns["swapped"], np.int8)
        gates = Coded.of(columns["gates"])
        known = np.stack([_numbers(columns[f"calls_{side}"], np.int64) > 0 for side in "ab"], axis=1)
        seconds = np.stack([_numbers(columns[f"seconds_{side}"], np.float64) for side in "ab"], axis=1)
        return cls(
            battle=battles[:count],
            repeat_of=battles[count:],
            kind=Coded.of(columns["kind"]).as_words(KINDS),
            purpose=Coded.of(columns["purpose"]).as_words(PURPOSES),
            choice=Coded.of(columns["choice"]).as_words(CHOICES),
            left=left,
            right=right,
            left_picture=left_picture,
            right_picture=right_picture,
            seconds=np.where(known, seconds, np.nan),
            gold=np.where(gold < 0, gold, gold ^ swapped),
            owned=_given(columns["owner"]),
            failed=gates.among(text for text in gates.values if "failed" in json.loads(text).values()),
            withdrawn=_given(columns["withdrawn"]),
            decision_ms=_numbers(columns["decision_ms"], np.int64),
            voted=_numbers(columns["voted"], np.int64),
            pair=Coded.of(columns["pair_id"]),
            **{name: Coded.of(columns[name]) for name in ("prompt", "prompt_set", "study", "voter")},
        )

    @classmethod
    def of(cls, votes: Iterable[Vote]) -> VoteColumns:
        """The same of votes."""
        rows = [_row(vote) for vote in votes]
        columns = zip(*rows, strict=True) if rows else ((),) * len(NAMES)
        types = {"voted": pa.int64(), "decision_ms": pa.int64(), "gold": pa.int8(), "swapped": pa.bool_()}
        types |= dict.fromkeys(("seconds_a", "seconds_b"), pa.float64()) | {"withdrawn": pa.bool_()}
        types |= dict.fromkeys(("calls_a", "calls_b"), pa.int64())
        return cls.from_arrow(
            {
                name: pa.array(list(column), types.get(name, pa.string()))
                for name, column in zip(NAMES, columns, strict=True)
            }
        )

    def __len__(self) -> int:
        return len(self.voted)

    def __getitem__(self, rows: Any) -> VoteColumns:
        return replace(self, **{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    def is_kind(self, kind: Kind) -> Truths:
        """Which votes are of this kind of voter, `(N,)`."""
        return self.kind.codes == KINDS.index(kind)

    def chose(self, *choices: Choice) -> Truths:
        """Which votes are one of these, `(N,)`."""
        return np.isin(self.choice.codes, [CHOICES.index(choice) for choice in choices])

    def winner(self, left: Coded, right: Coded) -> Codes:
        """Of what stands left and right (contestants, pictures): which won; −1 for neither, `(N,)`."""
        loser = np.where(self.chose("right"), right.codes, -1)
        return np.where(self.chose("left"), left.codes, loser)

    def meetings(self) -> list[tuple[int, int]]:
        """Which contestants met, by number, each pair of sides once."""
        many = max(1, len(self.left.values))
        return [divmod(int(code), many) for code in np.unique(self.left.codes.astype(np.int64) * many + self.right.codes)]

    def contestants(self) -> list[Contestant]:
        """The contestants, as `left.values` and `right.values` number them."""
        return [Contestant.parse(label) for label in self.left.values]


def _row(vote: Vote) -> tuple[Any, ...]:
    battle, pair, (left, right) = vote.battle, vote.battle.pair, vote.battle.sides
    return (
        battle.id, battle.repeat_of, pair.id, pair.prompt, pair.prompt_set, pair.study, battle.voter, battle.kind,
        battle.purpose, vote.choice, left.contestant.label, right.contestant.label, left.picture, right.picture,
        left.seconds, right.seconds, left.calls, right.calls, pair.owner, pair.gold, battle.swapped,
        json.dumps(dict(vote.gates)), vote.client.decision_ms, round(vote.voted.timestamp() * 1e6),
        True if vote.withdrawn else None,
    )  # fmt: skip


def _chunks(column: pa.Array | pa.ChunkedArray) -> list[pa.Array]:
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    return [chunk.cast(pa.string()) for chunk in chunks]


def _shared(first: pa.Array | pa.ChunkedArray, second: pa.Array | pa.ChunkedArray) -> tuple[Coded, Coded]:
    """Two columns of as many texts, with the same values."""
    both = Coded.of(pa.chunked_array([*_chunks(first), *_chunks(second)], pa.string()))
    return both[: len(first)], both[len(first) :]


def _numbers(column: pa.Array | pa.ChunkedArray, kind: Any) -> NDArray[Any]:
    """A column of numbers, truths or moments; −1 where there is none."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64())
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    return pc.fill_null(column, -1).to_numpy(zero_copy_only=False).astype(kind)


def _given(column: pa.Array | pa.ChunkedArray) -> Truths:
    """Where there is something."""
    return pc.is_valid(column).to_numpy(zero_copy_only=False)
