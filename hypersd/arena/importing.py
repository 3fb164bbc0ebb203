"""Exported and published votes, read back: into a store with their pictures, or without pictures to be counted."""

from __future__ import annotations

import json
import math
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Table

from hypersd.arena.battle import CHOICES, KINDS, Battle, Client, Contestant, Entry, Gate, Kind, Pair, Purpose, Vote
from hypersd.arena.formats import BATTLE_FIELDS, FEATURES, PAIR_FIELDS
from hypersd.arena.pickapic import NEEDED, OPTIONAL, STUDY, number_of, vote_of_row
from hypersd.arena.pictures import Pictures
from hypersd.arena.records import battle_row, pair_row, vote_row
from hypersd.arena.store import Store
from hypersd.arena.tables import BATTLES, PAIRS, VOTES

_BATCH = 256
_DERIVED = {"winner", "dropped", "steps_a", "steps_b"}
_IMAGES = {"image_a", "image_b"}
_NEEDED = FEATURES["arena"].keys() - _DERIVED
_WORDS: Mapping[str, tuple[str, ...]] = {
    "choice": CHOICES,
    "knowing_time": CHOICES,
    "kind": KINDS,
    "purpose": get_args(Purpose),
}


@dataclass(frozen=True)
class Imported:
    """How many votes were read, and how many of them were new."""

    votes: int
    new: int


@dataclass(frozen=True)
class Shard:
    """A Parquet file of votes: in a folder, on the Hub, or wherever fsspec reaches."""

    system: Any
    path: str

    def columns(self) -> set[str]:
        """The names of its columns.

        Raises:
            ValueError: it is no Parquet file, or is damaged; the message names it.
            OSError: it cannot be read.
        """
        with self.system.open(self.path, "rb") as file:
            try:
                return set(pq.ParquetFile(file).schema_arrow.names)
            except pa.ArrowException as error:
                reason = str(error).partition("\n")[0]
                raise ValueError(f"{self.path} is damaged, or no Parquet file: {reason}") from error

    @property
    def name(self) -> str:
        """Its file name without ending."""
        return Path(self.path).stem

    def batches(self, pictures: Pictures | None) -> Iterator[list[Vote]]:
        """Its votes, some at a time; their pictures go into the folder, or are not read at all.

        Raises:
            ValueError: it is not an export of the `arena` format, or is damaged; the message names it.
            OSError: it cannot be read, or the pictures cannot be written.
        """
        with self.system.open(self.path, "rb") as file:
            try:
                table = pq.ParquetFile(file)
                _check_columns(table.schema_arrow)
                columns = sorted(_NEEDED if pictures else _NEEDED - _IMAGES)
                for batch in table.iter_batches(_BATCH if pictures is None else 16, columns=columns):
                    yield [_vote(row, pictures) for row in batch.to_pylist()]
            except (pa.ArrowException, ValueError, KeyError, TypeError, AttributeError, EOFError) as error:
                reason = str(error).partition("\n")[0]
                raise ValueError(f"{self.path} is damaged, or no export of the arena format: {reason}") from error

    def pickapic(self, kind: Kind, pictures: Pictures, known: Container[int]) -> Iterator[list[Vote]]:
        """The labelled votes of a file in the columns of Pick-a-Pic, some at a time; their pictures go into the folder.

        Args:
            kind: of the voters, where a row does not say.
            pictures: where the pictures are kept.
            known: `ranking_id`s that are left out.

        Raises:
            ValueError: it is damaged; the message names it.
            OSError: it cannot be read, or the pictures cannot be written.
        """
        columns = sorted(self.columns() & (NEEDED | OPTIONAL))
        with self.system.open(self.path, "rb") as file:
            try:
                for batch in pq.ParquetFile(file).iter_batches(16, columns=columns):
                    rows = [row for row in batch.to_pylist() if row.get("has_label", True)]
                    votes = [vote_of_row(row, kind, pictures) for row in rows if row.get("ranking_id") not in known]
                    for vote in votes:
                        _check_vote(vote)
                    yield votes
            except (pa.ArrowException, ValueError, TypeError) as error:
                reason = str(error).partition("\n")[0]
                raise ValueError(f"{self.path} has a row that no vote can be: {reason}") from error


def shards(source: str | Path) -> list[Shard]:
    """The Parquet files of a source: one file, or a folder with all that is below it; a path or any fsspec URL.

    Raises:
        FileNotFoundError: there is none.
        OSError: it cannot be reached.
        ValueError: the source is empty: that would be the current folder.
    """
    if not str(source).strip():
        raise ValueError("the source of votes is empty; name a file, a folder or hf://datasets/OWNER/NAME")
    try:
        system, root = fsspec.core.url_to_fs(str(source))
        system.invalidate_cache()
        found = [root] if system.isfile(root) else system.find(root)
    except (OSError, ValueError):
        raise
    except Exception as error:  # each kind of place has its own
        raise OSError(f"{source} cannot be reached: {error}") from error
    files = [Shard(system, path) for path in sorted(found) if path == root or path.endswith(".parquet")]
    if not files:
        raise FileNotFoundError(f"{source} has no Parquet files in it")
    return files


def import_votes(source: str | Path, store: Store, pictures: Pictures, kind: Kind = "human") -> Imported:
    """Read a folder or a file of the `arena` format, or of Pick-a-Pic's columns, into a store.

    Doing so twice changes nothing, and an export that came from this store brings nothing new.

    Args:
        source: a path, or any URL that fsspec knows.
        store: where the votes go.
        pictures: where their pictures go.
        kind: of the voters of Pick-a-Pic, where a row does not say.

    Raises:
        FileNotFoundError: there is no such file, or no Parquet in the folder.
        OSError: it cannot be reached.
        ValueError: a file is not such an export, or is damaged; the message names it. What was read before stays.
    """
    read = new = 0
    own: set[int] | None = None
    for shard in shards(source):
        if shard.columns() >= NEEDED:
            own = _own_numbers(store) if own is None else own
            batches = shard.pickapic(kind, pictures, own)
        else:
            batches = shard.batches(pictures)
        for votes in batches:
            new += store.ledger.restore(votes)
            read += len(votes)
    return Imported(read, new)


def read_votes(source: str | Path) -> list[Vote]:
    """The votes of an export, each once, in the order in which they were made; no picture is read, no store needed.

    Raises:
        FileNotFoundError, OSError, ValueError: as `import_votes`.
    """
    found: dict[str, Vote] = {}
    for shard in shards(source):
        for votes in shard.batches(None):
            for vote in votes:
                known = found.setdefault(vote.battle.id, vote)  # one vote a battle, as in a store
                if known.id == vote.id and vote.knowing_time:
                    found[vote.battle.id] = vote
    return sorted(found.values(), key=lambda vote: (vote.voted, vote.id))


def _own_numbers(store: Store) -> set[int]:
    """What an export in the columns of Pick-a-Pic calls the votes that were made here."""
    return {number_of(name) for name in store.vote_ids() if not name.startswith(STUDY)}


def _check_columns(schema: pa.Schema) -> None:
    if missing := sorted(_NEEDED - set(schema.names)):
        raise ValueError(f"it has no column {missing[0]}")


def _vote(row: Mapping[str, Any], pictures: Pictures | None) -> Vote:
    """The vote of a row, its pictures kept.

    Raises:
        ValueError: the row says what no vote can.
    """
    for name, words in _WORDS.items():
        if row[name] not in words and not (name == "knowing_time" and row[name] is None):
            raise ValueError(f"{row[name]!r} is no {name}")
    if row["gold"] not in {None, 0, 1}:
        raise ValueError(f"the entry that must win is 0 or 1, not {row['gold']}")
    left, right = (_entry(row, side) for side in "ab")
    pair = Pair(
        id=row["pair_id"],
        entries=(right, left) if row["swapped"] else (left, right),
        software=_facts(row["software"]),
        **{name: row[name] for name in PAIR_FIELDS},
    )
    battle = Battle(id=row["battle_id"], pair=pair, **{name: row[name] for name in BATTLE_FIELDS})
    gates: dict[str, Any] = _facts(row["gates"])
    if not set(gates.values()) <= set(get_args(Gate)):
        raise ValueError(f"a gate says one of {', '.join(get_args(Gate))}")
    vote = Vote(
        id=row["vote_id"],
        battle=battle,
        choice=row["choice"],
        client=Client(decision_ms=row["decision_ms"], input=row["input"]),
        gates=gates,
        voted=row["voted"],
        knowing_time=row["knowing_time"],
    )
    _check_vote(vote)
    if pictures:
        for side in "ab":
            pictures.keep(row[f"picture_{side}"], row[f"image_{side}"]["bytes"])
    return vote


def _entry(row: Mapping[str, Any], side: str) -> Entry:
    entry = Entry(
        contestant=Contestant.parse(row[f"model_{side}"]),
        picture=row[f"picture_{side}"],
        seconds=row[f"seconds_{side}"],
        calls=row[f"calls_{side}"],
        version=row[f"version_{side}"],
    )
    if not (math.isfinite(entry.seconds) and entry.seconds >= 0):
        raise ValueError(f"drawing takes 0 or more seconds, not {entry.seconds}")
    return entry


def _facts(text: str) -> dict[str, str]:
    """Names and values from a JSON object.

    Raises:
        ValueError: it is none, or a value is no text.
    """
    facts = json.loads(text)
    if not isinstance(facts, dict) or not all(isinstance(value, str) for value in facts.values()):
        raise ValueError(f"{text[:80]!r} is no object of texts")
    return facts


def _check_vote(vote: Vote) -> None:
    """Whether the tables can keep a vote with its battle and pair.

    Raises:
        ValueError: they cannot.
    """
    battle = vote.battle
    if battle.kind not in KINDS:
        raise ValueError(f"{battle.kind!r} is no kind")
    for table, row in ((PAIRS, pair_row(battle.pair)), (BATTLES, battle_row(battle)), (VOTES, vote_row(vote))):
        _check(table, row)


def _check(table: Table, row: Mapping[str, Any]) -> None:
    """Whether a table can keep a row, on every database: SQLite takes texts that PostgreSQL does not.

    Raises:
        ValueError: it cannot.
    """
    for column in table.c:
        value, length = row.get(column.name), getattr(column.type, "length", None)
        if value is None and not column.nullable:
            raise ValueError(f"{table.name[:-1]} {row['id']} has no {column.name}")
        if isinstance(value, str) and ("\0" in value or (length is not None and len(value) > length)):
            raise ValueError(f"the {column.name} of {table.name[:-1]} {row['id']!r} cannot be kept")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"the {column.name} of {table.name[:-1]} {row['id']!r} is no number")
