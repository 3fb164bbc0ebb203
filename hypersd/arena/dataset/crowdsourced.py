"""Rows that hold several votes on a pair or a group of pictures, as crowd-sourcing publishes them, converted to ours.

- Rapidata (`text-to-image-human-preference-6M` and its other sets): `detailed_results`, a JSON text with each person's
  vote and trust, or only numbers of votes, or only shares weighted by trust.
- Datapoint (`text-2-image-human-preferences-2m`): `votes`, a list or JSON text, with the trust in each annotator.
- HPDv2: `human_preference` of two files (train), or each annotator's `rank` of several (test); it names no models.

A vote of an annotator with trust 0 is kept and does not count (`gates`); all other votes count alike. The seed (-1),
the times and, where they are not in the row, voters and models are unknown; votes are a minute apart, from 1970 on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import combinations
from pathlib import PurePosixPath
from typing import Any

from hypersd.arena.dataset.imported import UNKNOWN, imported_entry, imported_pair
from hypersd.arena.dataset.logs import CHOICES as WORDS
from hypersd.arena.dataset.values import is_missing, whole
from hypersd.arena.votes.battle import Battle, CheckResult, Choice, Entry, Kind, Pair, Vote
from hypersd.arena.votes.images import ImageStore

STUDY = "crowdsourced"
"""The study of imported pairs; the open arena does not show them."""

IMAGES = frozenset({"image1", "image2", "image_a", "image_b"})
"""Columns that may hold pictures; without a place for them only their names are read."""

_MOST_VOTES = 10_000
"""Largest plausible number of votes in a row."""

_SIDES = (("1", "2"), ("_a", "_b"))
_MODELS = tuple((f"model{one}", f"model{other}") for one, other in _SIDES)
_DETAILS = ("detailed_results", "detailed_results_preference")
_COUNTS = ("votes_image1", "votes_image2")
_WEIGHTS = (
    ("weighted_results_image1_preference", "weighted_results_image2_preference"),
    ("weighted_results_image1", "weighted_results_image2"),
)
_TRUST = ("trust", "trust_score", "annotator_trust")
_VOTERS = ("annotator_id", "user_hash", "user_id", "voter")
_CHOSEN = ("winner", "choice", "vote", "preferred", "votedFor")
_TWO, _SEVERAL = {"prompt", "file_path", "human_preference"}, {"prompt", "image_path", "rank"}
COLUMNS = frozenset(
    {"prompt", "votes", "image1_path", "image2_path", "raw_annotations", *_COUNTS, *_DETAILS, *_TWO, *_SEVERAL, *IMAGES}
    | {name for names in (*_MODELS, *_WEIGHTS) for name in names}
)
"""All columns that are read."""


@dataclass(frozen=True, slots=True)
class _Choice:
    """One person's choice between two pictures; `voter` and `trust` are None if unknown."""

    choice: Choice
    voter: str | None = None
    trust: float | None = None


def is_crowdsourced(columns: AbstractSet[str]) -> bool:
    """True if rows with these columns hold several votes."""
    if columns >= _TWO or columns >= _SEVERAL:
        return True
    pairs = "prompt" in columns and any(columns >= set(names) for names in _MODELS)
    counted = any(columns >= set(names) for names in (_COUNTS, *_WEIGHTS)) or columns & {"votes", *_DETAILS}
    return pairs and bool(counted)


@dataclass(slots=True)
class CrowdsourcedReader:
    """Reader of a file's rows. It gives the same votes each time.

    Args:
        kind: of the voters.
        pictures: receives the pictures; None stores none.
        read_file: reads a picture that a row names, relative to the file; raises an OSError if there is none.
    """

    kind: Kind
    pictures: ImageStore | None
    read_file: Callable[[str], bytes]
    number: int = 0

    def votes(self, row: Mapping[str, Any]) -> list[Vote]:
        """The votes of a row; empty if it has none.

        Raises:
            ValueError: the row is invalid; it then gives no vote.
            OSError: a picture cannot be written.
        """
        prompt = row.get("prompt")
        if not isinstance(prompt, str) or not prompt.strip():
            raise ValueError("it has no prompt")
        votes: list[Vote] = []
        for (left, right), choices in self._pairs(prompt, row):
            key = _digest(prompt, left.picture, right.picture, left.contestant.label, right.contestant.label)
            pair = imported_pair(key[:32], prompt, STUDY, (left, right), datetime.fromtimestamp(0, UTC))
            votes += [self._vote(pair, f"{key}{place}", choice) for place, choice in enumerate(choices)]
        return votes

    def _pairs(self, prompt: str, row: Mapping[str, Any]) -> Iterator[tuple[tuple[Entry, Entry], Sequence[_Choice]]]:
        if "human_preference" in row and "file_path" in row:
            files = _names(row["file_path"], "file_path")
            yield self._entries(files, (UNKNOWN, UNKNOWN)), _preference(row["human_preference"], len(files))
        elif "image_path" in row:
            yield from self._ranked(row)
        else:
            given = next(([row.get(name) for name in names] for names in _MODELS if names[0] in row), [])
            models = [model for model in given if isinstance(model, str) and model.strip()]
            if len(models) != 2:
                raise ValueError("it does not name two models")
            sides = _SIDES[0] if "model1" in row else _SIDES[1]
            paths = [_path(row, side) for side in sides]
            choices = _choices(row, paths)
            if choices:
                images = [row.get(f"image{side}") for side in sides]
                entries = [
                    self._entry(model, f"{prompt}\n{path or model}", image)
                    for model, path, image in zip(models, paths, images, strict=True)
                ]
                yield (entries[0], entries[1]), choices

    def _ranked(self, row: Mapping[str, Any]) -> Iterator[tuple[tuple[Entry, Entry], Sequence[_Choice]]]:
        """Every pair of a group of pictures, with the choices that each annotator's ranking implies."""
        files = _names(row["image_path"], "image_path")
        annotations = row.get("raw_annotations") or []
        rankings = [(_ranking(each.get("rank"), len(files)), each.get("user_hash")) for each in annotations]
        for first, second in combinations(range(len(files)), 2):
            choices = [_Choice(_better(ranks[first], ranks[second]), voter) for ranks, voter in rankings]
            if choices:
                yield self._entries([files[first], files[second]], (UNKNOWN, UNKNOWN)), choices

    def _entries(self, files: Sequence[str], models: tuple[str, str]) -> tuple[Entry, Entry]:
        if len(files) != 2:
            raise ValueError(f"it has {len(files)} pictures, not two")
        first, second = (self._file_entry(file, model) for file, model in zip(files, models, strict=True))
        return first, second

    def _file_entry(self, file: str, model: str) -> Entry:
        data = None
        if self.pictures:
            try:
                data = self.read_file(file)
            except OSError as error:
                raise ValueError(f"its picture {file[:80]} is not beside the file") from error
        return self._entry(model, file, data)

    def _entry(self, model: str, name: str, image: Any) -> Entry:
        """Entry of a picture; where it is not stored, its name is a hash that no real picture has."""
        data = image.get("bytes") if isinstance(image, dict) else image
        picture = f"none{sha256(name.encode(errors='surrogatepass')).hexdigest()[:60]}"
        if self.pictures and isinstance(data, bytes):
            picture = sha256(data).hexdigest()
            self.pictures.keep(picture, data)
        return imported_entry(model, picture)

    def _vote(self, pair: Pair, name: str, choice: _Choice) -> Vote:
        self.number += 1
        voted = datetime.fromtimestamp(0, UTC) + timedelta(minutes=self.number)
        vote_id = _digest(name, choice.choice, choice.voter)[:32]
        voter = _digest(vote_id if choice.voter is None else f"voter {choice.voter}")
        gates: dict[str, CheckResult] = {}
        if choice.trust is not None:
            gates["trust"] = "ok" if choice.trust > 0 else "failed"
        battle = Battle(
            id=vote_id,
            pair=pair,
            swapped=False,
            voter=f"c{voter[:22]}",
            kind=self.kind,
            drawn=voted,
            expires=voted,
        )
        return Vote(id=vote_id, battle=battle, choice=choice.choice, gates=gates, voted=voted)


def _choices(row: Mapping[str, Any], paths: Sequence[str]) -> list[_Choice]:
    """The choices of a row: each person's, or else by their numbers, or else the heavier side's."""
    details = next((row[name] for name in ("votes", *_DETAILS) if not is_missing(row.get(name))), None)
    if details is not None:
        choices = [_detail(each, paths) for each in _list(details)]
        if all(choices):
            return [choice for choice in choices if choice]
    if all(name in row for name in _COUNTS):
        counts = [whole(row[name], name) or 0 for name in _COUNTS]
        if max(counts) > _MOST_VOTES:
            raise ValueError(f"it has {max(counts):,} votes; {_MOST_VOTES:,} are the most")
        return [_Choice("left")] * counts[0] + [_Choice("right")] * counts[1]
    for names in _WEIGHTS:
        if all(not is_missing(row.get(name)) for name in names):
            left, right = (_number(row[name], name) for name in names)
            return [_Choice(_better(-left, -right))]
    if details is not None:
        raise ValueError("its votes name neither of the two pictures")
    return []


def _better(left: float, right: float) -> Choice:
    """The choice between two ranks, of which the lower is better."""
    return "left" if left < right else "right" if right < left else "tie"


def _detail(vote: Any, paths: Sequence[str]) -> _Choice | None:
    """One person's choice; None if it names neither picture.

    Raises:
        ValueError: it is not a vote.
    """
    if not isinstance(vote, dict):
        raise ValueError("a vote in it is not an object")  # noqa: TRY004 - the data is wrong, not a call
    said = next((vote[name] for name in _CHOSEN if not is_missing(vote.get(name))), None)
    if not isinstance(said, str):
        raise ValueError("a vote in it has no choice")  # noqa: TRY004 - as above
    person = vote.get("userDetails") or {}
    scores = person.get("userScores") or {}
    trust = next((vote[name] for name in _TRUST if not is_missing(vote.get(name))), scores.get("global"))
    voter = next((str(vote[name]) for name in _VOTERS if not is_missing(vote.get(name))), None)
    names = [PurePosixPath(path).name for path in paths]
    chosen = PurePosixPath(said).name
    choice = WORDS.get(said.strip().lower())
    if choice is None and names.count(chosen) == 1:
        choice = "left" if names[0] == chosen else "right"
    return _Choice(choice, voter, None if trust is None else _number(trust, "trust")) if choice else None


def _list(value: Any) -> list[Any]:
    """A list, maybe as JSON text.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise ValueError("its votes are not valid JSON") from error
    if not isinstance(value, list) or len(value) > _MOST_VOTES:
        raise ValueError("its votes are not a list")
    return value


def _names(value: Any, column: str) -> list[str]:
    files = _list(value) if isinstance(value, list | str) else []
    if len(files) < 2 or not all(isinstance(file, str) and file for file in files):
        raise ValueError(f"{column} does not name two pictures or more")
    return files


def _preference(value: Any, count: int) -> list[_Choice]:
    flags = _list(value)
    if len(flags) != count or sorted(flags) != [0] * (count - 1) + [1]:
        raise ValueError(f"human_preference must be 1 for one picture and 0 for the other, not {flags}")
    return [_Choice("left" if flags[0] == 1 else "right")]


def _ranking(value: Any, count: int) -> list[float]:
    ranks = _list(value)
    if len(ranks) != count:
        raise ValueError(f"a ranking has {len(ranks)} places for {count} pictures")
    return [_number(rank, "rank") for rank in ranks]


def _path(row: Mapping[str, Any], side: str) -> str:
    image = row.get(f"image{side}")
    path = row.get(f"image{side}_path") or (image.get("path") if isinstance(image, dict) else None)
    return path if isinstance(path, str) else ""


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} must be a number, not {value!r}")  # noqa: TRY004 - the data is wrong, not a call
    return float(value)


def _digest(*facts: object) -> str:
    return sha256(repr(facts).encode(errors="surrogatepass")).hexdigest()
