"""Votes as a reward model reads them: two pictures of one prompt, how much the first is preferred, what it weighs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from hypersd.arena.dataset.pickapic_row import COLUMNS, OPTIONAL, PickAPicRow
from hypersd.arena.dataset.splits import Split, split_of
from hypersd.arena.dataset.vote_files import shards
from hypersd.arena.votes.battle import Kind, Vote
from hypersd.arena.votes.images import ImageStore
from hypersd.arena.votes.quality import clean, gold_score, self_agreement
from hypersd.utils.estimates import Estimate, wilson

_HABITS = {"hasty voter", "one-sided", "failed gold pairs"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """One choice.

    Args:
        pictures: names in the folder of pictures, as they stood, left and right.
        target: how much the left one is preferred: 1, 0, or 0.5 for a tie (PickScore's soft labels).
        both_bad: the voter found neither good; then `target` says nothing.
        models: labels of who drew them, for what a report says; empty if it is not known.
        weight: of the example in the loss, 1 on average.
    """

    prompt: str
    pictures: tuple[str, str]
    target: float
    both_bad: bool = False
    voter: str = ""
    models: tuple[str, str] = ("", "")
    weight: float = 1.0

    @property
    def decisive(self) -> bool:
        """True if one picture was preferred."""
        return not self.both_bad and self.target != 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """Choices of one kind of voter, and how far these voters agree, which no model can be asked to exceed by much.

    Args:
        self_agreement: of pairs that a voter was shown twice, sides swapped, and both times preferred a picture of,
            how often it was the same one.
        agreement: of two voters who both preferred one picture of the same pair, how often it was the same.
        cast: how many votes of the open arena were read, those that do not count among them, as a board counts them.
    """

    examples: tuple[Preference, ...]
    kind: Kind
    self_agreement: Estimate
    agreement: Estimate
    cast: int

    @property
    def digest(self) -> str:
        """Hash of every choice, which identifies this data."""
        digest = sha256()
        for preference in self.examples:
            digest.update(
                repr((preference.prompt, preference.pictures, preference.target, preference.both_bad)).encode()
            )
        return digest.hexdigest()[:16]

    def split(self, part: Split) -> tuple[Preference, ...]:
        """The part's choices, by the one split of prompts that exports are written by too."""
        return tuple(one for one in self.examples if split_of(one.prompt) == part)


def one_kind(kinds: Iterable[Kind]) -> Kind:
    """Kind of voters to read where none is named: people if there are any. The two kinds never mix."""
    return "human" if "human" in (distinct := set(kinds)) or not distinct else "simulated"


def from_votes(votes: Iterable[Vote], kind: Kind | None = None) -> Preferences:
    """The choices that count (`quality.clean`) and, since they say something about pictures, those of "both bad".

    An example weighs by how reliable its voter is, and less the more there are of its prompt.

    Args:
        votes: any.
        kind: of the voters; None is as `one_kind`.
    """
    votes = list(votes)
    kind = kind or one_kind(vote.battle.kind for vote in votes)
    mine = [vote for vote in votes if vote.battle.kind == kind]
    cleaned = clean(mine, kind=kind)
    suspect = {vote.battle.voter for vote, reason in cleaned.dropped if reason in _HABITS}
    bad = [vote for vote, reason in cleaned.dropped if reason == "both bad" and vote.battle.voter not in suspect]
    trusted = [vote for vote in mine if vote.battle.voter not in suspect]
    reliable = reliability(trusted)
    examples = [
        Preference(
            prompt=vote.battle.pair.prompt,
            pictures=(vote.battle.sides[0].picture, vote.battle.sides[1].picture),
            target={"left": 1.0, "right": 0.0}.get(vote.choice, 0.5),
            both_bad=vote.choice == "both_bad",
            voter=vote.battle.voter,
            models=(vote.battle.sides[0].contestant.label, vote.battle.sides[1].contestant.label),
            weight=reliable[vote.battle.voter],
        )
        for vote in (*cleaned.kept, *bad)
    ]
    decided = [vote for vote in trusted if vote.winner is not None]
    return Preferences(
        examples=_weighted(examples),
        kind=kind,
        self_agreement=wilson(*self_agreement(decided)),
        agreement=_agreement(examples),
        cast=sum(vote.battle.pair.study is None for vote in mine),
    )


def reliability(votes: Iterable[Vote]) -> dict[str, float]:
    """Reliability of each voter, in (0, 1].

    It is the posterior mean (prior Beta(3, 1)) of answering pairs shown again alike and gold pairs right, as far
    above chance as that is.
    """
    by_voter: dict[str, list[Vote]] = defaultdict(list)
    for vote in votes:
        by_voter[vote.battle.voter].append(vote)
    weights: dict[str, float] = {}
    for voter, own_votes in by_voter.items():
        (alike, again), (right, wrong) = self_agreement(own_votes), gold_score(own_votes)
        share = (3 + alike + right) / (4 + again + right + wrong)
        weights[voter] = max(0.05, 2 * share - 1)
    return weights


def _weighted(examples: Sequence[Preference]) -> tuple[Preference, ...]:
    """Each prompt weighs by the root of its number of examples: more votes say more, but of the same pictures."""
    per_prompt = Counter(one.prompt for one in examples)
    raw = [one.weight / per_prompt[one.prompt] ** 0.5 for one in examples]
    mean = sum(raw) / len(raw) if raw else 1.0
    return tuple(replace(one, weight=weight / mean) for one, weight in zip(examples, raw, strict=True))


def _agreement(examples: Iterable[Preference]) -> Estimate:
    """Of all two decisive choices on the same pictures by different voters, how many agree."""
    by_pair: dict[frozenset[str], list[tuple[str, str]]] = defaultdict(list)
    for preference in examples:
        if preference.decisive and len(set(preference.pictures)) == 2:
            by_pair[frozenset(preference.pictures)].append(
                (preference.voter, preference.pictures[0 if preference.target > 0.5 else 1])
            )
    same = total = 0
    for choices in by_pair.values():
        for index, (voter, chosen) in enumerate(choices):
            others = [picture for other, picture in choices[index + 1 :] if other != voter]
            total += len(others)
            same += others.count(chosen)
    return wilson(same, total)


def read_preferences(source: str | Path, pictures: ImageStore, kind: Kind | None = None) -> Preferences:
    """Read a folder or file of Parquet: an export of the `arena` format, or the columns of Pick-a-Pic.

    Args:
        source: a path, or any URL that fsspec knows (`hf://datasets/OWNER/NAME`).
        pictures: where the pictures that come with the votes are kept.
        kind: of the voters; None is as `one_kind`. Pick-a-Pic's own votes do not say, and are people's.

    Raises:
        FileNotFoundError: there is no Parquet file.
        OSError: it cannot be reached, or pictures cannot be written.
        ValueError: a file is neither format, or damaged, or there are no votes of this kind in it.
    """
    votes: dict[str, Vote] = {}
    examples: list[tuple[Kind, Preference]] = []
    for shard in shards(source):
        if shard.columns() >= COLUMNS:
            rows = shard.pickapic_rows(lambda row: _of_pickapic(row, pictures), COLUMNS | OPTIONAL)
            examples += [example for batch in rows for example in batch]
        else:
            votes |= {vote.battle.id: vote for batch in shard.batches(pictures) for vote in batch}
    kind = kind or one_kind([*(vote.battle.kind for vote in votes.values()), *(whose for whose, _ in examples)])
    preferences = from_votes(votes.values(), kind)
    if mine := [one for whose, one in examples if whose == kind]:
        examples_of_both = (*preferences.examples, *_weighted(mine))
        preferences = replace(
            preferences, examples=examples_of_both, agreement=_agreement(mine), cast=preferences.cast + len(mine)
        )
    if not preferences.examples:
        raise ValueError(f"there are no {preferences.kind} votes that count in {source}")
    return preferences


def _of_pickapic(row: PickAPicRow, pictures: ImageStore) -> tuple[Kind, Preference]:
    """The kind of a row's voter and the choice, its pictures kept byte for byte.

    Raises:
        ValueError: a picture cannot be opened.
        OSError: a picture cannot be written.
    """
    left, right = (sha256(data).hexdigest() for data in row.images)
    for name, data in zip((left, right), row.images, strict=True):
        pictures.keep(name, data)
    return row.kind or "human", Preference(
        prompt=row.prompt,
        pictures=(left, right),
        target=0.5 + (row.labels[0] - row.labels[1]) / 2,
        voter="" if row.user is None else str(row.user),
        models=row.models,
    )
