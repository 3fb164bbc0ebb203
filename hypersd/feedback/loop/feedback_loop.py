"""Votes → reward model → tuned adapter → contestant → blind battles → report, round after round.

Every stage leaves a file and is not done again: a loop that was broken off goes on where it stopped.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from hashlib import sha256
from pathlib import Path

from pydantic import JsonValue

from hypersd.arena.service.simulation import Scorer
from hypersd.arena.votes.images import ImageStore
from hypersd.feedback.loop.head_to_head import open_folder, run_head_to_head
from hypersd.feedback.loop.lock import round_lock
from hypersd.feedback.loop.report_files import write_report
from hypersd.feedback.loop.results import (
    BattleResult,
    BesideResult,
    Lineage,
    MetricsResult,
    RewardResult,
    TuningResult,
)
from hypersd.feedback.loop.round_metrics import measure
from hypersd.feedback.loop.round_stages import BATTLES, BESIDE, CONTESTANT, FEEDBACK, METRICS, REPORT, REWARD, VOTES
from hypersd.feedback.loop.rounds import Round
from hypersd.feedback.loop.scale import LoopScale
from hypersd.feedback.loop.simulated_voters import sample_voters
from hypersd.feedback.loop.training_votes import Unseen, Votes, cast_training_votes, unseen_prompts, votes_result
from hypersd.feedback.preferences.cache import cached_preferences
from hypersd.feedback.preferences.dataset import Preferences, from_votes
from hypersd.feedback.reward.train import RewardTask
from hypersd.feedback.tuning.task import Tuned, digest
from hypersd.feedback.tuning.tune import AdapterGroup, enter, gained, groups_of, tune
from hypersd.feedback.tuning.tuning_methods import TuningMethod
from hypersd.models.engine import Engine
from hypersd.models.families.embedded import PromptSource, match_scorer, prompt_source
from hypersd.models.machine import Machine
from hypersd.models.registered import registered_models, with_registered
from hypersd.models.specs import Capability, Family

log = logging.getLogger(__name__)

_BATTLE_STEPS = (1, 2, 4, 8)
_METRIC_STEPS = (1, 2, 4)
"""In eight steps the metrics would take longer than in all the others together."""
_NOTHING = "None was fought: no weight of what was tuned is better than the model as it was, so nothing entered."


@dataclass(frozen=True, kw_only=True)
class FeedbackLoop:
    """One loop in a folder.

    Args:
        family: with scenes of its own.
        start: the model that the first round tunes.
        registered: the folder in which contestants are registered.
        gather: the votes of people (or other voters) and their pictures; None lets voters be simulated.
        taste: of the simulated voters.
        method: of the tuning; the next round starts from what it made.
        beside: another method, to tune the same model with the same votes and to be compared in the report.
        kind_of: the kind of a prompt, for reports.
    """

    family: Family
    start: str
    out: Path
    registered: Path
    gather: Callable[[Path], tuple[Preferences, ImageStore]] | None = None
    taste: str = "plain"
    method: TuningMethod = "refl"
    beside: TuningMethod | None = None
    kind_of: Callable[[str], str] = lambda _prompt: "all"
    scale: LoopScale = field(default_factory=LoopScale)
    seed: int = 0

    def run(self, count: int) -> list[Round]:
        """Do rounds 1 to `count`; those that are done stay as they are.

        Raises:
            ValueError: there are too few votes, or a stage's file is damaged.
            OSError: something is missing, or the folder cannot be written.
            LockHeldError: somebody does rounds in the folder already.
        """
        self.out.mkdir(parents=True, exist_ok=True)
        with round_lock(self.out):
            return self._rounds(count)

    def _rounds(self, count: int) -> list[Round]:
        done: list[Round] = []
        parent = self.start
        for number in range(1, count + 1):
            current = Round(number, self.out / f"round-{number}")
            if current.missing:
                self._round(current, parent)
            parent = current.result(CONTESTANT).successor
            done.append(current)
        return done

    def _round(self, current: Round, parent: str) -> None:
        if current.stage is not None:
            current.begin(self._plan(parent))
        votes = cache(lambda: self._votes(current, parent))  # read once, and only if a stage needs them
        summary = current.do(VOTES, lambda: votes_result(votes()[0], None if self.gather else self.taste))
        log.info("round %d: reward", current.number)
        reward = current.do(REWARD, lambda: self._reward(current, *votes()))
        log.info("round %d: feedback", current.number)
        lineage = Lineage(votes=summary.data, kind=summary.kind, reward=reward.model, round=current.number)
        tuned = current.do(FEEDBACK, lambda: self._feedback(current, parent, self.method, lineage, votes))
        contestant = current.do(CONTESTANT, lambda: replace(tuned, parent=parent))
        log.info("round %d: battles", current.number)
        unseen = unseen_prompts(self._prompts(), votes)
        current.do(BATTLES, lambda: self._battles(current, contestant, parent, unseen))
        log.info("round %d: metrics", current.number)
        current.do(METRICS, lambda: self._metrics(current, contestant, unseen))
        current.do(BESIDE, lambda: self._beside(current, contestant, lineage, votes, unseen))
        current.do(REPORT, lambda: write_report(current, self._engine()))

    def _plan(self, parent: str) -> Mapping[str, JsonValue]:
        """Settings that a round that goes on must keep: else half of it would be of one kind, half of another."""
        return {
            "model": parent,
            "votes": "simulate" if self.gather is None else "given",
            "taste": self.taste,
            "method": self.method,
            "beside": self.beside,
            "shorten": self.scale.shorten,
            "seed": self.seed,
        }

    def _name(self, lineage: Lineage, results: Sequence[tuple[AdapterGroup, Tuned]]) -> str:
        """The same for the same adapters of the same votes, so that a stage done again finds its own contestant."""
        content = f"{lineage.votes}{lineage.reward}" + "".join(digest(tuned.adapter) for _, tuned in results)
        return f"{self.start}-{sha256(content.encode()).hexdigest()[:6]}-r{lineage.round}"

    def _engine(self) -> Engine:
        return Engine(with_registered(self.family, self.registered), Machine.here())

    def _prompts(self) -> PromptSource:
        return prompt_source(self.family, "run the loop")

    def _scorer(self) -> Scorer:
        return match_scorer(self.family, "be judged by simulated voters")

    def _strangers(self, parent: str) -> set[str]:
        """Models whose pictures simulated voters do not see: of other loops, and variants, which differ too little."""
        others = {each.name for each in registered_models(self.registered)}
        variants = {spec.name for spec in self.family.specs if spec.variant}
        return (others | variants) - {parent}

    def _votes(self, current: Round, parent: str) -> tuple[Preferences, ImageStore]:
        """The votes that count, as they were when the round began, and their pictures; simulated ones are cast then."""
        if self.gather is not None:
            preferences, pictures = self.gather(current.folder)
            return cached_preferences(preferences, current.folder / "choices.json"), pictures
        store, pictures = open_folder(current.folder / "training-votes")
        if store.count_votes() < self.scale.votes:
            cast_training_votes(
                self._engine(),
                store,
                pictures,
                strangers=self._strangers(parent),
                prompts=self._prompts(),
                scorer=self._scorer(),
                taste=self.taste,
                scale=self.scale,
                name=f"train-{current.number}",
                seed=self.seed * 1000 + current.number,
            )
        return from_votes(store.votes(), "simulated"), pictures

    def _reward(self, current: Round, preferences: Preferences, pictures: ImageStore) -> RewardResult:
        folder = current.folder / "reward"
        report = RewardTask(
            preferences=preferences,
            pictures=pictures,
            backbone=self.family.require(Capability.CLIP, "train a reward model"),
            out=folder,
            kind_of=self.kind_of,
            seed=self.seed,
        ).run()
        return report.result(digest(folder / "model.safetensors"))

    def _feedback(
        self,
        current: Round,
        parent: str,
        method: TuningMethod,
        lineage: Lineage,
        votes: Votes,
    ) -> TuningResult:
        family = with_registered(self.family, self.registered)
        results = tune(
            family,
            groups_of(family, parent),
            rewards=[current.folder / "reward"],
            out=current.tuning(None if method == self.method else method),
            method=method,
            votes=votes() if method == "dpo" else None,
            shorten=self.scale.shorten,
            seed=self.seed,
        )
        name = self._name(lineage, results)
        lineage = replace(lineage, method=method, parent=parent)
        entered = gained(results)
        if entered and name not in {registered_model.name for registered_model in registered_models(self.registered)}:
            enter(name, self.family, self.start, results, folder=self.registered, lineage=asdict(lineage))
        adapters = tuple(tuned.result(group.file.stem, group.steps) for group, tuned in results)
        return TuningResult(name=name, entered=entered, method=method, adapters=adapters, lineage=lineage)

    def _beside(
        self,
        current: Round,
        contestant: TuningResult,
        lineage: Lineage,
        votes: Votes,
        unseen: Unseen,
    ) -> BesideResult | None:
        """The other method's model of the same votes, against the untuned model and against the contestant."""
        if self.beside is None:
            return None
        log.info("round %d: %s beside it", current.number, self.beside)
        other = self._feedback(current, contestant.parent, self.beside, lineage, votes)
        battles = {
            word: self._battles(current, other, model, unseen, f"{self.beside}-against-{word}")
            for word, model in contestant.opponents().items()
        }
        return BesideResult(
            name=other.name,
            method=other.method,
            adapters=other.adapters,
            lineage=other.lineage,
            parent=contestant.parent,
            entered=other.entered,
            battles=battles,
        )

    def _battles(
        self, current: Round, tuned: TuningResult, old: str, unseen: Unseen, folder: str = "battles"
    ) -> BattleResult:
        """Blind battles of a tuned model and an older one, by voters that were never learned from."""
        kind = tuned.lineage.kind
        if not tuned.entered:
            return BattleResult(kind=kind, reason=_NOTHING)
        if kind == "human":
            return BattleResult(kind=kind, reason="People vote next: the contestant is in the arena.")
        seed = self.seed * 1000 + 500 + current.number
        result = run_head_to_head(
            self._engine(),
            current.folder / folder,
            new=tuned.name,
            old=old,
            steps=_BATTLE_STEPS,
            scorer=self._scorer(),
            tastes=sample_voters(self.taste, self.scale.judges, random.Random(seed)),  # noqa: S311 - repeatable
            prompts=unseen(self.scale.battle_pairs * len(_BATTLE_STEPS), seed),
            votes=self.scale.battles,
            name=f"judge-{current.number}",
            seed=seed,
        )
        return replace(result, taste=self.taste)

    def _metrics(self, current: Round, tuned: TuningResult, unseen: Unseen) -> MetricsResult | None:
        if not tuned.entered:
            return None
        return measure(
            self._engine(),
            [tuned.parent, tuned.name],
            steps=_METRIC_STEPS,
            prompts=unseen(self.scale.prompts, 4242),
            seeds=self.scale.seeds,
            reward=current.folder / "reward",
            out=current.folder / "metrics",
        )
