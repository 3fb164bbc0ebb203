"""Votes as numeric columns, a few bytes per vote, to clean and count a million of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from hypersd.arena.votes.battle import CHOICES, KINDS, Choice, Contestant, Kind, Purpose, Vote

pc: Any = pyarrow.compute
"""pyarrow.compute creates its functions at import, so type checkers do not know them."""

PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
NAMES = (
    "battle_id", "repeat_of", "pair_id", "prompt", "prompt_set", "study", "voter", "kind", "purpose", "choice",
    "model_a", "model_b", "picture_a", "picture_b", "seconds_a", "seconds_b", "calls_a", "calls_b", "owner", "gold",
    "swapped", "gates", "decision_ms", "voted", "withdrawn",
)  # fmt: skip
"""The columns of the `arena` format that cleaning and counting need."""

_NOT_TEXT = {
    **dict.fromkeys(("voted", "decision_ms", "calls_a", "calls_b"), pa.int64()),
    **dict.fromkeys(("seconds_a", "seconds_b"), pa.float64()),
    **dict.fromkeys(("swapped", "withdrawn"), pa.bool_()),
    "gold": pa.int8(),
}
Column: TypeAlias = pa.Array | pa.ChunkedArray
Codes = NDArray[np.int32]
Truths = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """A dictionary-encoded column of N strings: indices into `values`, −1 for null. Some values may be unused."""

    codes: Codes
    values: pa.StringArray

    @classmethod
    def of(cls, *columns: Column, ordered: bool = False) -> Coded:
        """Concatenate and encode columns of strings; `ordered` sorts the values."""
        chunks = [chunk for column in columns for chunk in _chunks(column)]
        coded = pa.chunked_array(chunks, pa.string()).dictionary_encode()  # chunks share their dictionary
        if not coded.num_chunks:
            return cls(np.zeros(0, np.int32), pa.array([], pa.string()))
        values = coded.chunk(coded.num_chunks - 1).dictionary
        order = pc.sort_indices(values) if ordered else pa.array(np.arange(len(values)))
        place = np.full(len(values) + 1, -1, dtype=np.int32)
        place[order.to_numpy()] = np.arange(len(values))
        codes = [place[pc.fill_null(chunk.indices, len(values)).to_numpy()] for chunk in coded.chunks]
        return cls(np.concatenate(codes), values.take(order) if ordered else values)

    def __getitem__(self, rows: Any) -> Coded:
        return Coded(self.codes[rows], self.values)

    def texts(self) -> list[str]:
        """The values."""
        return self.values.to_pylist()

    def among(self, words: Iterable[str]) -> Truths:
        """Mask of the rows whose string is one of these words, `(N,)`."""
        wanted = set(words)
        return np.array([*(value in wanted for value in self.texts()), False])[self.codes]

    def as_words(self, words: Sequence[str]) -> Coded:
        """The same column encoded with these words as values, in their order."""
        place = np.array([*(words.index(value) for value in self.texts()), -1], dtype=np.int32)
        return Coded(place[self.codes], pa.array(words))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class VoteColumns:
    """N votes, one row each, oldest first. Columns not listed here are as in `Vote` and its parts.

    Args:
        left, right: the contestants' labels; both have the same `values`.
        left_picture, right_picture: names of the pictures; both have the same `values`.
        seconds: of the left and the right picture, nan if unknown, `(N, 2)`.
        gold: the side that must win: 0 is left, 1 is right, −1 is no gold pair.
        owned: whether the prompt was a visitor's own.
        failed: whether a check failed.
        decision_ms: −1 if unknown.
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
    def from_arrow(cls, column: Callable[[str], Column]) -> VoteColumns:
        """Build from valid columns of the `arena` format (`NAMES`); `column` is called once for each name."""
        battle, repeat_of = _halves(Coded.of(column("battle_id"), column("repeat_of")))
        left, right = _halves(Coded.of(column("model_a"), column("model_b"), ordered=True))
        left_picture, right_picture = _halves(Coded.of(column("picture_a"), column("picture_b")))
        gold, swapped = _numbers(column("gold"), np.int8), _numbers(column("swapped"), np.int8)
        gates = Coded.of(column("gates"))
        known = np.stack([_numbers(column(f"calls_{side}"), np.int64) > 0 for side in "ab"], axis=1)
        seconds = np.stack([_numbers(column(f"seconds_{side}"), np.float64) for side in "ab"], axis=1)
        return cls(
            battle=battle,
            repeat_of=repeat_of,
            kind=Coded.of(column("kind")).as_words(KINDS),
            purpose=Coded.of(column("purpose")).as_words(PURPOSES),
            choice=Coded.of(column("choice")).as_words(CHOICES),
            left=left,
            right=right,
            left_picture=left_picture,
            right_picture=right_picture,
            seconds=np.where(known, seconds, np.nan),
            gold=np.where(gold < 0, gold, gold ^ swapped),
            owned=_given(column("owner")),
            failed=gates.among(text for text in gates.texts() if "failed" in json.loads(text).values()),
            withdrawn=_given(column("withdrawn")),
            decision_ms=_numbers(column("decision_ms"), np.int64),
            voted=_numbers(column("voted"), np.int64),
            pair=Coded.of(column("pair_id")),
            **{name: Coded.of(column(name), ordered=True) for name in ("prompt", "prompt_set", "study", "voter")},
        )

    @classmethod
    def of(cls, votes: Iterable[Vote]) -> VoteColumns:
        """Build from votes."""
        rows = [_row(vote) for vote in votes]
        columns = zip(*rows, strict=True) if rows else ((),) * len(NAMES)
        arrays: dict[str, tuple[Any, ...]] = dict(zip(NAMES, columns, strict=True))
        return cls.from_arrow(lambda name: pa.array(list(arrays[name]), _NOT_TEXT.get(name, pa.string())))

    def __len__(self) -> int:
        return len(self.voted)

    def __getitem__(self, rows: Any) -> VoteColumns:
        if rows.dtype == bool and rows.all():
            return self
        return replace(self, **{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    def is_kind(self, kind: Kind) -> Truths:
        """Mask of the votes by this kind of voter, `(N,)`."""
        return self.kind.codes == KINDS.index(kind)

    def chose(self, *choices: Choice) -> Truths:
        """Mask of the votes that are one of these choices, `(N,)`."""
        return np.isin(self.choice.codes, [CHOICES.index(choice) for choice in choices])

    def winner(self, left: Coded, right: Coded) -> Codes:
        """Index of the winner among the left and right values (contestants or pictures); −1 if none won, `(N,)`."""
        loser = np.where(self.chose("right"), right.codes, -1)
        return np.where(self.chose("left"), left.codes, loser)

    def count_studies(self, kind: Kind) -> dict[str, int]:
        """Number of votes of one kind of voter by study, most first."""
        codes = self.study.codes[self.is_kind(kind)]
        counts = zip(self.study.texts(), np.bincount(codes[codes >= 0], minlength=len(self.study.values)), strict=True)
        return {name: int(count) for name, count in sorted(counts, key=lambda each: -each[1]) if count}

    def meetings(self) -> list[tuple[int, int]]:
        """Distinct (left, right) index pairs of contestants that met."""
        many = max(1, len(self.left.values))
        return [
            divmod(int(code), many) for code in np.unique(self.left.codes.astype(np.int64) * many + self.right.codes)
        ]

    def contestants(self) -> list[Contestant]:
        """The contestants, in the order of `left.values` and `right.values`."""
        return [Contestant.parse(label) for label in self.left.texts()]


def _row(vote: Vote) -> tuple[Any, ...]:
    battle, pair, (left, right) = vote.battle, vote.battle.pair, vote.battle.sides
    return (
        battle.id, battle.repeat_of, pair.id, pair.prompt, pair.prompt_set, pair.study, battle.voter, battle.kind,
        battle.purpose, vote.choice, left.contestant.label, right.contestant.label, left.picture, right.picture,
        left.seconds, right.seconds, left.calls, right.calls, pair.owner, pair.gold, battle.swapped,
        json.dumps(dict(vote.gates)), vote.client.decision_ms, round(vote.voted.timestamp() * 1e6),
        None if vote.withdrawn is None else True,
    )  # fmt: skip


def _chunks(column: Column) -> list[pa.Array]:
    return [chunk.cast(pa.string()) for chunk in (column.chunks if isinstance(column, pa.ChunkedArray) else [column])]


def _halves(both: Coded) -> tuple[Coded, Coded]:
    middle = len(both.codes) // 2
    return both[:middle], both[middle:]


def _numbers(column: Column, kind: Any) -> NDArray[Any]:
    """A column of numbers, booleans or times as an array; −1 for null."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64())
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    return pc.fill_null(column, -1).to_numpy(zero_copy_only=False).astype(kind)


def _given(column: Column) -> Truths:
    """Mask of the rows that have a value, `(N,)`."""
    return pc.is_valid(column).to_numpy(zero_copy_only=False)
