"""Declared studies: comparisons, prompts, number of votes for each, and whether a choice is forced.

Votes given in a study count only in that study: a forced choice is a different question from one that allows ties, and
a study's pairs are drawn differently from the open arena's.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypersd.arena.service.prompt_files import read_prompt_file
from hypersd.arena.votes.battle import CHOICES, Choice, Contestant, Vote
from hypersd.resources import assets_folder

STUDIES = assets_folder() / "studies"
"""Folder of the shipped studies."""


def read_prompts(name: str) -> list[str]:
    """The texts of a shipped prompt set.

    Raises:
        ValueError: there is no such set.
    """
    file = assets_folder() / "prompts" / f"{name}.txt"
    if not file.is_file():
        raise ValueError(f"there is no set of prompts {name!r} in {file.parent}")
    return read_prompt_file(file)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One row of a study.

    Args:
        ours: the contestant whose share of the votes is reported.
        paper: that share in the paper, in percent; None if the paper has no such row.
    """

    ours: Contestant
    rival: Contestant
    paper: float | None = None

    @property
    def labels(self) -> tuple[str, str]:
        """Both contestants' labels, ours first."""
        return self.ours.label, self.rival.label


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A study as its file declares it.

    Args:
        prompts: name of the prompt set.
        votes: number of decisive votes wanted for each comparison.
        ties: whether "tie" and "both bad" may be chosen; the paper's study forced a choice.
    """

    name: str
    title: str
    prompts: str
    votes: int
    ties: bool
    comparisons: tuple[Comparison, ...]

    @classmethod
    def read(cls, file: Path) -> Study:
        """Read a study's JSON file; the study's name is the file's name.

        Raises:
            ValueError: it is not a study; the message names the file and what is wrong.
        """
        try:
            document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            rows = tuple(
                Comparison(
                    ours=Contestant.parse(row["ours"]), rival=Contestant.parse(row["rival"]), paper=row.get("paper")
                )
                for row in document["comparisons"]
            )
            study = cls(
                name=file.stem,
                title=str(document["title"]),
                prompts=str(document["prompts"]),
                votes=int(document["votes"]),
                ties=bool(document["ties"]),
                comparisons=rows,
            )
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            raise ValueError(f"{file} is not a study: {error!r}") from error
        if not rows or study.votes < 1 or len({frozenset(row.labels) for row in rows}) < len(rows):
            raise ValueError(f"{file} is not a study: its comparisons must differ, and each needs a number of votes")
        return study

    @property
    def family(self) -> str:
        """Model family of the study."""
        return self.comparisons[0].ours.family

    def choices(self) -> tuple[Choice, ...]:
        """Choices that a voter may make."""
        return CHOICES if self.ties else ("left", "right", "skip")

    def progress(self, votes: Iterable[Vote]) -> dict[Comparison, int]:
        """Decisive votes so far for each comparison."""
        return {row: decisive for row, (_, decisive) in self.shares(votes).items()}

    def probabilities(self, counts: Mapping[Comparison, int], able: Iterable[str]) -> dict[tuple[str, str], float]:
        """Probability of each pair: in proportion to the votes still missing, among contestants that can run here."""
        here = set(able)
        missing = {
            row.labels: max(0, self.votes - counts.get(row, 0))
            for row in self.comparisons
            if here.issuperset(row.labels)
        }
        total = sum(missing.values())
        return {labels: count / total for labels, count in missing.items() if count} if total else {}

    def shares(self, votes: Iterable[Vote]) -> dict[Comparison, tuple[int, int]]:
        """Votes for ours and number of decisive votes, by comparison."""
        return {
            row: (sum(wins for wins, _ in voters), sum(decisive for _, decisive in voters))
            for row, voters in self.by_voter(votes).items()
        }

    def by_voter(self, votes: Iterable[Vote]) -> dict[Comparison, list[tuple[int, int]]]:
        """Votes for ours and decisive votes of each voter, by comparison."""
        wins: Counter[tuple[Comparison, str]] = Counter()
        decisive: defaultdict[Comparison, Counter[str]] = defaultdict(Counter)
        rows = {frozenset((row.ours, row.rival)): row for row in self.comparisons}
        for vote in votes:
            row = rows.get(frozenset(entry.contestant for entry in vote.battle.pair.entries))
            if row and vote.winner:
                decisive[row][vote.battle.voter] += 1
                wins[row, vote.battle.voter] += vote.winner.contestant == row.ours
        return {row: [(wins[row, voter], count) for voter, count in decisive[row].items()] for row in self.comparisons}


def shipped_study(name: str, family: str) -> Study:
    """The shipped study of a name.

    Raises:
        ValueError: there is none, or it belongs to another family.
    """
    known = [study for study in map(Study.read, sorted(STUDIES.glob("*.json"))) if study.family == family]
    declared = next((study for study in known if study.name == name), None)
    if declared is None:
        raise ValueError(f"{family} has no study {name!r}; choose from: {', '.join(study.name for study in known)}")
    return declared
