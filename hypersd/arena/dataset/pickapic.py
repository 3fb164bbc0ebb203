"""Votes in the columns of Pick-a-Pic, read as ours; what these columns do not say is marked as not known.

Not known are always the seed (-1), the probability of the pair (0), the times and calls (0), the weights, the moment of
showing and the decision's time; and, where the column is empty or missing, the voter and who drew the pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from hypersd.arena.dataset.pickapic_row import PickAPicRow
from hypersd.arena.votes.battle import Battle, Choice, Contestant, Entry, Kind, Pair, Vote
from hypersd.arena.votes.images import ImageStore

STUDY = "pickapic"
"""The study that such pairs are of: the open arena shows them to nobody."""

_CHOICES: Mapping[tuple[float, float], Choice] = {(1.0, 0.0): "left", (0.0, 1.0): "right", (0.5, 0.5): "tie"}
_UNKNOWN = "unknown"


def vote_of_row(row: PickAPicRow, kind: Kind, pictures: ImageStore | None) -> Vote:
    """The vote of a row, its pictures kept byte for byte; the same row is the same vote each time.

    Args:
        row: with the moment of the vote.
        kind: of the voters, where the row does not say.
        pictures: where the pictures are kept; None keeps them nowhere.

    Raises:
        ValueError: the row says what no vote can, or has no moment.
        OSError: a picture cannot be written.
    """
    choice = _CHOICES.get(row.labels)
    if choice is None:
        raise ValueError(f"labels are 1 and 0, 0 and 1, or 0.5 each, not {row.labels[0]} and {row.labels[1]}")
    if row.created is None:
        raise ValueError("created_at is a moment, and it has none")
    left, right = (_entry(data, model, pictures) for data, model in zip(row.images, row.models, strict=True))
    swapped = (right.picture, right.contestant) < (left.picture, left.contestant)
    entries = (right, left) if swapped else (left, right)
    content = _digest(row.prompt, left, right, choice, row.user, row.created.isoformat())
    vote_id = f"pickapic{int(content[:15], 16) if row.ranking is None else row.ranking:016x}{content[:8]}"
    pair = Pair(
        id=f"pickapic{_digest(row.prompt, *entries)[:24]}",
        prompt=row.prompt,
        prompt_set=STUDY,
        seed=-1,
        entries=entries,
        probability=0.0,
        study=STUDY,
        device=_UNKNOWN,
        created=row.created,
    )
    battle = Battle(
        id=vote_id,
        pair=pair,
        swapped=swapped,
        voter=f"{_UNKNOWN}{content[:17]}" if row.user is None else f"p{row.user}",
        kind=row.kind or kind,
        drawn=row.created,
        expires=row.created,
    )
    return Vote(id=vote_id, battle=battle, choice=choice, voted=row.created)


def number_of(name: str) -> int:
    """The whole number, of 62 bits at most, by which Pick-a-Pic's columns name a vote or a voter.

    It is the one that an imported vote or voter came with; of any other it is a hash of the name.
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
    try:
        contestant = Contestant.parse(model or _UNKNOWN)
    except ValueError:
        contestant = Contestant(_UNKNOWN, model or _UNKNOWN, 0)
    return Entry(contestant=contestant, picture=name, seconds=0.0, calls=0, version=_UNKNOWN)


def _digest(*facts: object) -> str:
    """Hash that identifies a row, whatever other columns came with it."""
    plain_facts = [(fact.picture, fact.contestant.label) if isinstance(fact, Entry) else fact for fact in facts]
    return sha256(repr(plain_facts).encode(errors="surrogatepass")).hexdigest()
