"""The four dataset formats: their columns and the conversion of votes to rows."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, Literal, get_args

from datasets import Features, Image, Value

from hypersd.arena.dataset.pickapic import number_of
from hypersd.arena.votes.battle import Entry, Vote

Format = Literal["pickapic", "preference", "arena", "imagereward"]
FORMATS: tuple[Format, ...] = get_args(Format)
DatasetRow = dict[str, Any]
ReadImage = Callable[[str], bytes]
"""Gives the bytes of a picture by its name, or raises an OSError."""

_TEXT, _NUMBER, _WHOLE, _TRUTH = Value("string"), Value("float64"), Value("int64"), Value("bool")
_MOMENT = Value("timestamp[us, tz=UTC]")
FEATURES: Mapping[Format, Features] = {
    "pickapic": Features(
        {
            **dict.fromkeys(("caption", "image_0_uid", "image_1_uid", "best_image_uid", "model_0", "model_1"), _TEXT),
            **dict.fromkeys(("image_0_url", "image_1_url"), _TEXT),
            **dict.fromkeys(("jpg_0", "jpg_1"), Value("binary")),
            **dict.fromkeys(("label_0", "label_1"), _NUMBER),
            **dict.fromkeys(("has_label", "are_different"), _TRUTH),
            **dict.fromkeys(("ranking_id", "user_id", "num_example_per_prompt"), _WHOLE),
            "created_at": _MOMENT,
            "kind": _TEXT,
        }
    ),
    "preference": Features({"prompt": _TEXT, "chosen": Image(), "rejected": Image(), "kind": _TEXT}),
    "arena": Features(
        {
            **dict.fromkeys(("vote_id", "battle_id", "pair_id", "prompt", "prompt_set", "study", "voter"), _TEXT),
            **dict.fromkeys(("kind", "purpose", "repeat_of", "choice", "winner", "knowing_time", "dropped"), _TEXT),
            **dict.fromkeys(("model_a", "model_b", "version_a", "version_b", "picture_a", "picture_b"), _TEXT),
            **dict.fromkeys(("input", "gates", "software", "device", "owner"), _TEXT),
            **dict.fromkeys(("image_a", "image_b"), Image()),
            **dict.fromkeys(("seconds_a", "seconds_b", "probability"), _NUMBER),
            **dict.fromkeys(("seed", "steps_a", "steps_b", "calls_a", "calls_b", "decision_ms", "gold"), _WHOLE),
            "swapped": _TRUTH,
            **dict.fromkeys(("created", "drawn", "shown", "expires", "voted", "withdrawn"), _MOMENT),
        }
    ),
    "imagereward": Features(
        {
            **dict.fromkeys(("id", "prompt", "kind"), _TEXT),
            "generations": [Image()],
            "models": [_TEXT],
            "ranking": [_WHOLE],
        }
    ),
}
PAIR_FIELDS = ("prompt", "prompt_set", "seed", "probability", "study", "gold", "owner", "device", "created")
BATTLE_FIELDS = ("voter", "kind", "purpose", "repeat_of", "swapped", "drawn", "shown", "expires")


def arena_row(vote: Vote, dropped: str | None, read: ReadImage) -> DatasetRow:
    """A vote with all its data; `dropped` is the reason why it does not count, if any.

    Raises:
        OSError: a picture is missing or damaged.
    """
    battle, pair = vote.battle, vote.battle.pair
    spelling = {"left": "model_a", "right": "model_b"}
    row = {name: getattr(pair, name) for name in PAIR_FIELDS} | {name: getattr(battle, name) for name in BATTLE_FIELDS}
    row |= {"pair_id": pair.id, "battle_id": battle.id, "vote_id": vote.id, "dropped": dropped}
    row |= {"choice": vote.choice, "winner": spelling.get(vote.choice, vote.choice), "voted": vote.voted}
    row |= {"knowing_time": vote.knowing_time, "decision_ms": vote.client.decision_ms, "input": vote.client.input}
    row |= {"withdrawn": vote.withdrawn}
    row |= {"gates": _facts(vote.gates), "software": _facts(pair.software)}
    for side, entry in zip("ab", battle.sides, strict=True):
        row |= {
            f"model_{side}": entry.contestant.label,
            f"steps_{side}": entry.contestant.steps,
            f"version_{side}": entry.version,
            f"picture_{side}": entry.picture,
            f"seconds_{side}": entry.seconds,
            f"calls_{side}": entry.calls,
            f"image_{side}": {"bytes": read(entry.picture), "path": None},
        }
    return row


def _facts(facts: Mapping[str, str]) -> str:
    """Names and values as a sorted JSON object, so that no value can be mistaken for a separator."""
    return json.dumps(dict(facts), sort_keys=True, ensure_ascii=False)


def pickapic_rows(votes: Sequence[Vote], read: ReadImage) -> Iterator[DatasetRow]:
    """Votes in the columns of Pick-a-Pic; a tie has labels of 0.5 each.

    Raises:
        OSError: a picture is missing or damaged.
    """
    per_prompt = Counter(vote.battle.pair.prompt for vote in votes)
    for vote in votes:
        left, right = vote.battle.sides
        label = {"left": 1.0, "right": 0.0}.get(vote.choice, 0.5)
        yield {
            "caption": vote.battle.pair.prompt,
            "jpg_0": read(left.picture),
            "jpg_1": read(right.picture),
            "image_0_uid": left.picture,
            "image_1_uid": right.picture,
            "image_0_url": None,  # required by Pick-a-Pic's layout; the picture is in jpg_0
            "image_1_url": None,
            "best_image_uid": vote.winner.picture if vote.winner else "tie",
            "model_0": left.contestant.label,
            "model_1": right.contestant.label,
            "label_0": label,
            "label_1": 1 - label,
            "has_label": True,
            "are_different": left.picture != right.picture,
            "ranking_id": number_of(vote.id),
            "user_id": number_of(vote.battle.voter),
            "num_example_per_prompt": per_prompt[vote.battle.pair.prompt],
            "created_at": vote.voted,
            "kind": vote.battle.kind,
        }


def preference_rows(votes: Iterable[Vote], read: ReadImage) -> Iterator[DatasetRow]:
    """The preferred and the rejected picture of every decisive vote.

    Raises:
        OSError: a picture is missing or damaged.
    """
    for vote in votes:
        left, right = vote.battle.sides
        if vote.winner:
            better, worse = (left, right) if vote.winner is left else (right, left)
            yield {
                "prompt": vote.battle.pair.prompt,
                "chosen": {"bytes": read(better.picture), "path": None},
                "rejected": {"bytes": read(worse.picture), "path": None},
                "kind": vote.battle.kind,
            }


def imagereward_rows(votes: Iterable[Vote], read: ReadImage) -> Iterator[DatasetRow]:
    """The pictures of each prompt and seed, ranked by their share of votes; equal shares get equal ranks.

    Raises:
        OSError: a picture is missing or damaged.
    """
    groups: dict[tuple[str, int], list[Vote]] = defaultdict(list)
    for vote in votes:
        groups[vote.battle.pair.prompt, vote.battle.pair.seed].append(vote)
    for (prompt, seed), group in groups.items():
        entries, shares = _shares(group)
        levels = sorted(set(shares.values()), reverse=True)
        yield {
            "id": f"{sha256(prompt.encode()).hexdigest()[:12]}-{seed}",
            "prompt": prompt,
            "kind": group[0].battle.kind,
            "generations": [{"bytes": read(picture), "path": None} for picture in entries],
            "models": [entry.contestant.label for entry in entries.values()],
            "ranking": [1 + levels.index(shares[picture]) for picture in entries],
        }


def _shares(votes: Iterable[Vote]) -> tuple[dict[str, Entry], dict[str, float]]:
    """Each picture of these votes, and its share of won votes; a tie counts as half a win for both."""
    won: Counter[str] = Counter()
    met: Counter[str] = Counter()
    entries: dict[str, Entry] = {}
    for vote in votes:
        for entry in vote.battle.pair.entries:
            entries[entry.picture] = entry
            met[entry.picture] += 2
            won[entry.picture] += 1 if vote.winner is None else 2 * (vote.winner.picture == entry.picture)
    return entries, {picture: won[picture] / met[picture] for picture in entries}
