"""Votes in the columns of Pick-a-Pic, converted to ours; missing data is marked as unknown.

Always unknown are the seed (-1), the probability of the pair (0), the times and calls (0), the weights, the time of
showing and the decision time; and, where the column is empty or missing, the voter and the models.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from hypersd.arena.dataset.imported import UNKNOWN, imported_entry, imported_pair
from hypersd.arena.dataset.pickapic_row import PickAPicRow
from hypersd.arena.votes.battle import Battle, Choice, Entry, Kind, Vote
from hypersd.arena.votes.images import ImageStore

STUDY = "pickapic"
"""The study of imported pairs; the open arena does not show them."""

_CHOICES: Mapping[tuple[float, float], Choice] = {(1.0, 0.0): "left", (0.0, 1.0): "right", (0.5, 0.5): "tie"}


def vote_of_row(row: PickAPicRow, kind: Kind, pictures: ImageStore | None) -> Vote:
    """The vote of a row; its pictures are stored byte for byte. The same row gives the same vote each time.

    Args:
        row: with the time of the vote.
        kind: of the voters, where the row does not say.
        pictures: receives the pictures; None stores none.

    Raises:
        ValueError: the row is not a valid vote, or has no time.
        OSError: a picture cannot be written.
    """
    choice = _CHOICES.get(row.labels)
    if choice is None:
        raise ValueError(f"labels must be 1 and 0, 0 and 1, or 0.5 each, not {row.labels[0]} and {row.labels[1]}")
    if row.created is None:
        raise ValueError("it has no date and time in created_at")
    left, right = (_entry(data, model, pictures) for data, model in zip(row.images, row.models, strict=True))
    swapped = (right.picture, right.contestant) < (left.picture, left.contestant)
    entries = (right, left) if swapped else (left, right)
    content = _digest(row.prompt, left, right, choice, row.user, row.created.isoformat())
    vote_id = f"pickapic{int(content[:15], 16) if row.ranking is None else row.ranking:016x}{content[:8]}"
    pair_id = f"pickapic{_digest(row.prompt, *entries)[:24]}"
    pair = imported_pair(pair_id, row.prompt, STUDY, entries, row.created)
    battle = Battle(
        id=vote_id,
        pair=pair,
        swapped=swapped,
        voter=f"{UNKNOWN}{content[:17]}" if row.user is None else f"p{row.user}",
        kind=row.kind or kind,
        drawn=row.created,
        expires=row.created,
    )
    return Vote(id=vote_id, battle=battle, choice=choice, voted=row.created)


def number_of(name: str) -> int:
    """The integer, of 62 bits at most, that identifies a vote or a voter in Pick-a-Pic's columns.

    An imported vote or voter keeps its number; the number of any other is a hash of the name.
    """
    if name.startswith("pickapic"):
        return int(name[8:24], 16)
    if name.startswith("p") and name[1:].isdecimal():
        return int(name[1:])
    return int.from_bytes(sha256(name.encode()).digest()[:8], "big") >> 2


def _entry(data: bytes, model: str, pictures: ImageStore | None) -> Entry:
    name = sha256(data).hexdigest()
    if pictures:
        pictures.keep(name, data)
    return imported_entry(model or UNKNOWN, name)


def _digest(*facts: object) -> str:
    """Hash that identifies a row, independent of its other columns."""
    plain_facts = [(fact.picture, fact.contestant.label) if isinstance(fact, Entry) else fact for fact in facts]
    return sha256(repr(plain_facts).encode(errors="surrogatepass")).hexdigest()
