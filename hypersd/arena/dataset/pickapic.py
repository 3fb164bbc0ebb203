"""Votes in the columns of Pick-a-Pic, read as ours; what these columns do not say is marked as not known.

Not known are always the seed (-1), the probability of the pair (0), the times and calls (0), the weights, the moment of
showing and the decision's time; and, where the column is empty or missing, the voter and who drew the pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from hypersd.arena.dataset.values import moment, picture_bytes, whole
from hypersd.arena.votes.battle import Battle, Choice, Contestant, Entry, Kind, Pair, Vote
from hypersd.arena.votes.images import ImageStore

NEEDED = frozenset({"caption", "jpg_0", "jpg_1", "label_0", "label_1", "created_at"})
"""The columns without which a row is no vote."""

OPTIONAL = frozenset({"has_label", "user_id", "ranking_id", "model_0", "model_1", "kind"})
"""Those that say more, where they are there."""

STUDY = "pickapic"
"""The study that such pairs are of: the open arena shows them to nobody."""

_CHOICES: Mapping[tuple[float, float], Choice] = {(1.0, 0.0): "left", (0.0, 1.0): "right", (0.5, 0.5): "tie"}
_UNKNOWN = "unknown"


def vote_of_row(row: Mapping[str, Any], kind: Kind, pictures: ImageStore | None) -> Vote:
    """The vote of a labelled row, its pictures kept byte for byte; the same row is the same vote each time.

    Args:
        row: of Pick-a-Pic's columns.
        kind: of the voter, where the row does not say.
        pictures: where the pictures are kept; None keeps them nowhere.

    Raises:
        ValueError: the row says what no vote can.
        OSError: a picture cannot be written.
    """
    if not isinstance(row["caption"], str):
        raise ValueError("it has no prompt in caption")  # noqa: TRY004 - what was read is wrong, no call
    choice = _CHOICES.get((row["label_0"], row["label_1"]))
    if choice is None:
        raise ValueError(f"labels are 1 and 0, 0 and 1, or 0.5 each, not {row['label_0']} and {row['label_1']}")
    left, right = (_entry(row, side, pictures) for side in (0, 1))
    swapped = (right.picture, right.contestant) < (left.picture, left.contestant)
    entries = (right, left) if swapped else (left, right)
    value = moment(row["created_at"], "created_at")
    user, ranking = (whole(row.get(name), name) for name in ("user_id", "ranking_id"))
    content = _digest(row["caption"], left, right, choice, user, value.isoformat())
    vote_id = f"pickapic{int(content[:15], 16) if ranking is None else ranking:016x}{content[:8]}"
    pair = Pair(
        id=f"pickapic{_digest(row['caption'], *entries)[:24]}",
        prompt=row["caption"],
        prompt_set=STUDY,
        seed=-1,
        entries=entries,
        probability=0.0,
        study=STUDY,
        device=_UNKNOWN,
        created=value,
    )
    battle = Battle(
        id=vote_id,
        pair=pair,
        swapped=swapped,
        voter=f"{_UNKNOWN}{content[:17]}" if user is None else f"p{user}",
        kind=row.get("kind") or kind,
        drawn=value,
        expires=value,
    )
    return Vote(id=vote_id, battle=battle, choice=choice, voted=value)


def number_of(name: str) -> int:
    """The whole number, of 62 bits at most, by which Pick-a-Pic's columns name a vote or a voter.

    It is the one that an imported vote or voter came with; of any other it is a hash of the name.
    """
    if name.startswith("pickapic"):
        return int(name[8:24], 16)
    if name.startswith("p") and name[1:].isdecimal():
        return int(name[1:])
    return int.from_bytes(sha256(name.encode()).digest()[:8], "big") >> 2


def _entry(row: Mapping[str, Any], side: int, pictures: ImageStore | None) -> Entry:
    data = picture_bytes(row[f"jpg_{side}"], f"jpg_{side}")
    name = sha256(data).hexdigest()
    if pictures:
        pictures.keep(name, data)
    model = row.get(f"model_{side}") or _UNKNOWN
    try:
        contestant = Contestant.parse(model)
    except ValueError:
        contestant = Contestant(_UNKNOWN, model, 0)
    return Entry(contestant=contestant, picture=name, seconds=0.0, calls=0, version=_UNKNOWN)


def _digest(*facts: object) -> str:
    """Hash that identifies a row, whatever other columns came with it."""
    plain_facts = [(fact.picture, fact.contestant.label) if isinstance(fact, Entry) else fact for fact in facts]
    return sha256(repr(plain_facts).encode(errors="surrogatepass")).hexdigest()
