"""Import of votes from our files and other arenas' logs: into a store with pictures, or into memory without."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Literal

from hypersd.arena.dataset.crowdsourced import STUDY as CROWDSOURCED
from hypersd.arena.dataset.crowdsourced import is_crowdsourced
from hypersd.arena.dataset.logs import STUDY as LOG
from hypersd.arena.dataset.logs import is_log
from hypersd.arena.dataset.pickapic import STUDY as PICKAPIC
from hypersd.arena.dataset.pickapic import number_of
from hypersd.arena.dataset.pickapic_row import COLUMNS, MOMENT
from hypersd.arena.dataset.vote_files import Rejects, Shard, Skipped, shards
from hypersd.arena.store.store import Store
from hypersd.arena.votes.battle import Kind, Vote
from hypersd.arena.votes.images import ImageStore

Layout = Literal["arena", "pickapic", "log", "crowdsourced"]
_IMPORTED = (PICKAPIC, LOG, CROWDSOURCED)
"""The studies of imported votes."""
_OURS = {"vote_id", "battle_id", "pair_id"}
"""Columns that only the `arena` format has; other arenas' logs share some of its other columns."""


_LOOKED_AT = 100
"""Number of rows of a text file that are read to find its columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """Counts of an import.

    Args:
        votes: votes read.
        new: votes that the store did not have yet.
        skipped: rows that are not valid votes.
        unlabelled: rows of Pick-a-Pic without a choice, and lines of a log that record no vote.
        studies: votes read, by study; the open arena's are under "".
    """

    votes: int
    new: int
    skipped: tuple[Skipped, ...] = ()
    unlabelled: int = 0
    studies: Mapping[str, int] = field(default_factory=dict[str, int])


def import_votes(source: str | Path, store: Store, pictures: ImageStore, kind: Kind = "human") -> Imported:
    """Read a file or a folder of votes into a store: the `arena` format, Pick-a-Pic, crowd-sourced sets, other logs.

    A second import of the same files changes nothing, nor does the import of an export of this store.

    Args:
        source: a path, or any URL that fsspec supports.
        store: receives the votes.
        pictures: receives their pictures.
        kind: of the voters, where a row does not say.

    Raises:
        FileNotFoundError: there is no such file, or the folder has no file of votes.
        OSError: the source cannot be reached.
        ValueError: a file does not hold votes, is damaged, or has no valid row; the message names it. Votes read
            before it stay in the store.
    """
    new, rejects = 0, Rejects()
    studies: Counter[str] = Counter()
    own: set[int] | None = None
    for shard in shards(source):
        layout = _layout(shard)
        if layout == "pickapic" and own is None:
            own = _own_numbers(store)
        for votes in _READERS[layout](shard, kind, pictures, own or set(), rejects):
            new += store.outbox.restore(votes)
            studies.update(vote.battle.pair.study or "" for vote in votes)
    return Imported(
        votes=studies.total(),
        new=new,
        skipped=tuple(rejects.skipped),
        unlabelled=rejects.unlabelled,
        studies=dict(studies),
    )


def read_votes(source: str | Path, rejects: Rejects | None = None) -> list[Vote]:
    """The votes of files without duplicates, oldest first; stores no picture and needs no store.

    Votes of other arenas are read as votes of the open arena, so that they can be ranked on their own.

    Raises:
        FileNotFoundError, OSError, ValueError: as `import_votes`.
    """
    votes_by_id: dict[str, Vote] = {}
    rejects = rejects or Rejects()
    for shard in shards(source):
        layout = _layout(shard)
        for votes in _READERS[layout](shard, "human", None, set(), rejects):
            for vote in votes if layout == "arena" else map(_in_the_open, votes):
                known = votes_by_id.setdefault(vote.battle.id, vote)  # one vote per battle, as in a store
                if known.id == vote.id:  # published again, because an answer or a withdrawal was added
                    answer, withdrawn = known.knowing_time or vote.knowing_time, known.withdrawn or vote.withdrawn
                    votes_by_id[vote.battle.id] = replace(known, knowing_time=answer, withdrawn=withdrawn)
    return sorted(votes_by_id.values(), key=lambda vote: (vote.voted, vote.id))


def count_studies(votes: Iterable[Vote], kind: Kind) -> Mapping[str, int]:
    """Number of votes of one kind of voter by study; the open arena's leaderboard shows none of them."""
    studies = (vote.battle.pair.study for vote in votes if vote.battle.kind == kind)
    return dict(Counter(study for study in studies if study is not None).most_common())


def whereabouts(studies: Mapping[str, int]) -> str:
    """A sentence that names the studies whose votes the open arena's ranking excludes; empty if there are none."""
    imported = {name: studies[name] for name in _IMPORTED if name in studies}
    others = {name: count for name, count in studies.items() if name and name not in imported}
    said = [f"{count:,} votes are in the study {name}" for name, count in others.items()]
    said += [
        f"{count:,} imported votes are in the study {name}: they come from another arena, and models at an "
        "unknown number of steps cannot be ranked here (rank them on their own with `rank --votes FILE`)"
        for name, count in imported.items()
    ]
    return "; ".join(said)


def _layout(shard: Shard) -> Layout:
    """Return the layout of the votes in a file.

    Raises:
        ValueError: the file does not hold votes, or lacks a column; the message names both.
        OSError: it cannot be read.
    """
    if shard.is_parquet():
        columns = shard.columns()
    else:
        columns = {name for _, row in islice(shard.text_rows(), _LOOKED_AT) if not isinstance(row, str) for name in row}
    if columns & _OURS:
        return "arena"
    if columns >= COLUMNS | {MOMENT}:
        return "pickapic"
    if is_log(columns):
        return "log"
    if is_crowdsourced(columns):
        return "crowdsourced"
    if columns >= COLUMNS:
        raise ValueError(
            f"{shard.path} has Pick-a-Pic's columns, but not {MOMENT}, and a vote needs its date and time: "
            "add that column, or read the file as preferences (`reward train --votes FILE`), which do not need it"
        )
    if columns & {"jpg_0", "jpg_1", "label_0", "label_1"}:
        missing = ", ".join(sorted((COLUMNS | {MOMENT}) - columns))
        raise ValueError(f"{shard.path} has Pick-a-Pic's columns, but not {missing}")
    listed = ", ".join(sorted(columns)[:6])[:200] or "nothing"
    raise ValueError(
        f"{shard.path} is not a file of votes: it has neither the columns model_a, model_b and winner, nor those of "
        f"Pick-a-Pic, Rapidata, HPDv2 or the arena format; its columns are {listed}"
    )


def _in_the_open(vote: Vote) -> Vote:
    return replace(vote, battle=replace(vote.battle, pair=replace(vote.battle.pair, study=None)))


def _own_numbers(store: Store) -> set[int]:
    """Pick-a-Pic identifiers of the votes that were given in this arena."""
    return {number_of(name) for name in store.vote_ids() if not name.startswith(PICKAPIC)}


_READERS: Mapping[
    Layout, Callable[[Shard, Kind, ImageStore | None, Container[int | None], Rejects], Iterator[list[Vote]]]
] = {
    "arena": lambda shard, _kind, pictures, _known, rejects: shard.batches(pictures, rejects),
    "pickapic": lambda shard, kind, pictures, known, rejects: shard.pickapic(kind, pictures, known, rejects),
    "log": lambda shard, kind, _pictures, _known, rejects: shard.log(kind, rejects),
    "crowdsourced": lambda shard, kind, pictures, _known, rejects: shard.crowdsourced(kind, pictures, rejects),
}
