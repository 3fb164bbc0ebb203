"""The declared studies of the current family: availability, progress, and description for participants."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.services.engines import EngineManager
from hypersd.arena.service.studies import Study, read_prompts
from hypersd.arena.service.study_progress import StudyProgressCounter
from hypersd.arena.service.vote_rules import VoteRejected
from hypersd.arena.store.store import Store
from hypersd.arena.votes.battle import Contestant

if TYPE_CHECKING:
    from hypersd.arena.service.pool import PairSource

log = logging.getLogger(__name__)

_UNABLE_SECONDS = 20.0
"""Seconds for which the list of unavailable contestants is cached: computing it reads files."""

_REST_SECONDS = 1.0
"""Seconds between reads of the studies' votes: each joins all votes of the last minute."""

_POOL_SHARE = 4
"""Size of the open arena's pool relative to a study's: surplus pairs of a study are never used."""


def read_studies(folder: Path, family: str) -> dict[str, Study]:
    """The studies of a family declared in a folder, by name; an invalid one is left out and logged."""
    studies: dict[str, Study] = {}
    for file in sorted(folder.glob("*.json")):
        try:
            study = Study.read(file)
            read_prompts(study.prompts)
        except ValueError as error:
            log.error("a study is left out: %s", error)  # noqa: TRY400 - the message says it
        else:
            studies |= {study.name: study} if study.family == family else {}
    return studies


@dataclass
class OpenStudies:
    """Studies that the arena offers besides the open arena.

    Args:
        declared: the studies of the family in use, by name.
    """

    engines: EngineManager
    store: Store
    declared: Mapping[str, Study]
    _unable: Mapping[Contestant, str] = field(default_factory=dict[Contestant, str])
    _unable_until: float = 0.0

    def __post_init__(self) -> None:
        self.counting = StudyProgressCounter(self.store, _REST_SECONDS)

    def find(self, name: str) -> Study:
        """The study of a name.

        Raises:
            VoteRejected: there is none, or it cannot be held here.
        """
        if name not in self.declared:
            raise VoteRejected("there is no such study here; vote in the open arena instead")
        study = self.declared[name]
        if problem := self.problem(study):
            raise VoteRejected(f"this study cannot run here: {problem}")
        return study

    def unable(self) -> Mapping[Contestant, str]:
        """Contestants of the studies that cannot run on this machine, with reasons; empty while unknown."""
        machine = self.engines.machine
        if machine is not None and time.monotonic() >= self._unable_until:
            from hypersd.feedback.generator import unavailable_reason  # noqa: PLC0415 - brings torch

            family, benched = self.engines.family(self.engines.first), self.store.bench.reasons()
            wanted = {who for study in self.declared.values() for who in _contestants(study)}
            reasons = {who: benched.get(who) or unavailable_reason(family, machine, who) for who in wanted}
            self._unable = {who: reason for who, reason in reasons.items() if reason}
            self._unable_until = time.monotonic() + _UNABLE_SECONDS
        return self._unable

    def problem(self, study: Study) -> str:
        """Reason why none of a study's comparisons can be drawn here; empty if one can."""
        unable = self.unable()
        reasons = [unable.get(row.ours) or unable.get(row.rival, "") for row in study.comparisons]
        return reasons[0] if all(reasons) else ""

    def probabilities(self, study: Study) -> dict[tuple[str, str], float]:
        """Probability of each of a study's pairs; empty if it needs no more votes here."""
        unable = self.unable()
        able = [who.label for who in _contestants(study) if who not in unable]
        return study.probabilities(self.counting.progress(study).counts, able)

    def sources(self, low: int) -> list[PairSource]:
        """Sources of pairs for studies, when the open arena has a pool of `low`."""
        from hypersd.arena.service.pool import PairSource  # noqa: PLC0415 - brings scipy

        return [
            PairSource(
                study=study.name,
                probabilities=partial(self.probabilities, study),
                prompts=read_prompts(study.prompts),
                prompt_set=study.prompts,
                low=max(1, low // _POOL_SHARE),
            )
            for study in self.declared.values()
        ]

    def describe(self, study: Study) -> dict[str, Any]:
        """Description of a study for participants: only totals, because the comparisons must stay hidden."""
        progress, problem = self.counting.progress(study), self.problem(study)
        return {
            "name": study.name,
            "title": study.title,
            "forced": not study.ties,
            "given": progress.given,
            "wanted": progress.wanted,
            "complete": progress.complete,
            "comparisons": len(study.comparisons),
            "done": not problem and not self.probabilities(study),
            "problem": problem,
        }


def _contestants(study: Study) -> Iterable[Contestant]:
    return (who for row in study.comparisons for who in (row.ours, row.rival))
