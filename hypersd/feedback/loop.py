"""Votes → reward model → tuned adapter → contestant → blind battles → report, round after round.

Every stage leaves a file and is not done again: a loop that was broken off goes on where it stopped.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from hypersd.arena.battle import Kind
from hypersd.arena.pictures import Pictures
from hypersd.arena.simulate import Scorer
from hypersd.arena.store import Store
from hypersd.emoji.world import World
from hypersd.evaluate.judge import Judge
from hypersd.evaluate.prompts import common_prompts, held_out_prompts
from hypersd.feedback.battles import fight, open_folder
from hypersd.feedback.choices import keep
from hypersd.feedback.contestant import Group, enter, gained, groups_of, tune
from hypersd.feedback.hold import hold
from hypersd.feedback.loop_metrics import measure
from hypersd.feedback.loop_report import write_report
from hypersd.feedback.painter import contestants
from hypersd.feedback.preferences import Preferences, from_votes
from hypersd.feedback.reward_run import RewardTask
from hypersd.feedback.rounds import Round, has_entered, opponents
from hypersd.feedback.size import Size
from hypersd.feedback.tuning import Method, Tuned, digest
from hypersd.feedback.voters import all_pairs, cast, electorate, prepare, who_draws
from hypersd.models.cards import Family
from hypersd.models.entrants import entrants, with_entrants
from hypersd.models.registry import Machine
from hypersd.models.sharing import Engine

log = logging.getLogger(__name__)

_BATTLE_STEPS = (1, 2, 4)
_NOTHING = "None was fought: no weight of what was tuned is better than the model as it was, so nothing entered."


@dataclass(frozen=True, kw_only=True)
class Loop:
    """One loop in a folder.

    Args:
        family: with scenes of its own.
        start: the model that the first round tunes.
        entrants: the folder in which contestants are registered.
        gather: the votes of people (or other voters) and their pictures; None lets voters be simulated.
        taste: of the simulated voters.
        method: of the tuning; the next round starts from what it made.
        beside: another method, to tune the same model with the same votes and to be compared in the report.
        kind_of: the kind of a prompt, for reports.
    """

    family: Family
    start: str
    out: Path
    entrants: Path
    gather: Callable[[Path], tuple[Preferences, Pictures]] | None = None
    taste: str = "plain"
    method: Method = "refl"
    beside: Method | None = None
    kind_of: Callable[[str], str] = lambda _prompt: "all"
    size: Size = field(default_factory=Size)
    seed: int = 0

    def run(self, count: int) -> list[Round]:
        """Do rounds 1 to `count`; those that are done stay as they are.

        Raises:
            ValueError: there are too few votes, or a stage's file is damaged.
            OSError: something is missing, or the folder cannot be written.
            HeldError: somebody does rounds in the folder already.
        """
        self.out.mkdir(parents=True, exist_ok=True)
        with hold(self.out):
            return self._rounds(count)

    def _rounds(self, count: int) -> list[Round]:
        done: list[Round] = []
        parent = self.start
        for number in range(1, count + 1):
            one = Round(number, self.out / f"round-{number}")
            self._round(one, parent)
            told = one.done("contestant")
            parent = str(told["name"]) if told and has_entered(told) else parent
            done.append(one)
        return done

    def _round(self, one: Round, parent: str) -> None:
        if one.stage is not None:
            one.begin(self._plan(parent))
        votes = one.do("votes", lambda: self._votes(one, parent))
        log.info("round %d: reward", one.number)
        reward = one.do("reward", lambda: self._reward(one))
        log.info("round %d: feedback", one.number)
        lineage = {"votes": votes["data"], "kind": votes["kind"], "reward": reward["model"], "round": one.number}
        tuned = one.do("feedback", lambda: self._feedback(one, parent, self.method, lineage, one.tuning()))
        made = one.do("contestant", lambda: {"parent": parent, **tuned})
        log.info("round %d: battles", one.number)
        one.do("battles", lambda: self._battles(one, made, parent, votes["kind"]))
        log.info("round %d: metrics", one.number)
        one.do("metrics", lambda: self._metrics(one, made))
        one.do("beside", lambda: self._beside(one, made, lineage))
        one.do("report", lambda: write_report(one, self._engine(), made))

    def _plan(self, parent: str) -> dict[str, Any]:
        """What a round that goes on must not change: half of it would be of the one kind, half of the other."""
        return {
            "model": parent,
            "votes": "simulate" if self.gather is None else "given",
            "taste": self.taste,
            "method": self.method,
            "beside": self.beside,
            "shorten": self.size.shorten,
            "seed": self.seed,
        }

    def _name(self, lineage: Mapping[str, Any], results: Sequence[tuple[Group, Tuned]]) -> str:
        """The same for the same adapters of the same votes, so that a stage done again finds its own contestant."""
        told = f"{lineage['votes']}{lineage['reward']}" + "".join(digest(tuned.adapter) for _, tuned in results)
        return f"{self.start}-{sha256(told.encode()).hexdigest()[:6]}-r{lineage['round']}"

    def _engine(self) -> Engine:
        return Engine(with_entrants(self.family, self.entrants), Machine.here())

    def _world(self) -> World:
        if self.family.world is None:
            raise ValueError(f"{self.family.name} has no judge that simulated voters could see with")
        return World.load(self.family.world)

    def _scorer(self) -> Scorer:
        judge = Judge(self._world(), self.family.pixels)
        return lambda picture, prompt: judge.score(np.asarray(picture), prompt).match

    def _votes(self, one: Round, parent: str) -> dict[str, Any]:
        preferences, _ = self._gathered(one, parent)
        return {
            "kind": preferences.kind,
            "data": preferences.digest,
            "votes": len(preferences.examples),
            "cast": preferences.cast,
            "voters": len({example.voter for example in preferences.examples}),
            "taste": self.taste if self.gather is None else None,
        }

    def _gathered(self, one: Round, parent: str) -> tuple[Preferences, Pictures]:
        """The votes that count, as they were when the round began; simulated ones are cast then."""
        if self.gather is not None:
            found, pictures = self.gather(one.folder)
            return keep(found, one.folder / "choices.json"), pictures
        store, pictures = open_folder(one.folder / "training-votes")
        if store.count_votes() < self.size.votes:
            self._simulate(store, pictures, one, parent)
        return from_votes(store.votes(), "simulated"), pictures

    def _simulate(self, store: Store, pictures: Pictures, one: Round, parent: str) -> None:
        engine = self._engine()
        made = {entrant.name for entrant in entrants(self.entrants)}
        wanted = who_draws(contestants(engine.family, engine.machine), made - {parent})
        seed = self.seed * 1000 + one.number
        # Battles and metrics are on prompts that are held out.
        prompts = common_prompts(self._world(), self.size.pairs, seed)
        prepare(engine, store, pictures, all_pairs(wanted), prompts, count=self.size.pairs, seed=seed)
        missing = self.size.votes - store.count_votes()
        tastes = electorate(self.taste, self.size.voters, random.Random(seed))  # noqa: S311 - repeatable
        name = f"train-{one.number}"
        cast(store, pictures, self._scorer(), tastes, count=missing, name=name, seed=seed)

    def _reward(self, one: Round) -> dict[str, Any]:
        preferences, pictures = self._gathered(one, "")
        folder = one.folder / "reward"
        report = RewardTask(
            preferences=preferences,
            pictures=pictures,
            backbone=Path(str(self.family.folder)) / "clip",
            out=folder,
            kind_of=self.kind_of,
            seed=self.seed,
        ).run()
        return report.as_dict() | {"model": digest(folder / "model.safetensors")}

    def _feedback(
        self, one: Round, parent: str, method: Method, lineage: Mapping[str, Any], out: Path
    ) -> dict[str, Any]:
        family = with_entrants(self.family, self.entrants)
        results = tune(
            family,
            groups_of(family, parent),
            rewards=[one.folder / "reward"],
            out=out,
            method=method,
            votes=self._gathered(one, parent) if method == "dpo" else None,
            shorten=self.size.shorten,
            seed=self.seed,
        )
        name = self._name(lineage, results)
        papers = {**lineage, "method": method, "parent": parent}
        entered = gained(results)
        if entered and name not in {entrant.name for entrant in entrants(self.entrants)}:
            enter(name, self.family, self.start, results, folder=self.entrants, lineage=papers)
        return {
            "name": name,
            "entered": entered,
            "method": method,
            "adapters": [
                {
                    "name": group.file.stem,
                    "steps": [recipe.steps for recipe in group.recipes],
                    "weight": tuned.weight,
                    "stopped": tuned.stopped,
                    "points": [
                        {"weight": point.weight, "objection": point.objection, **asdict(point.check)}
                        for point in tuned.points
                    ],
                }
                for group, tuned in results
            ],
            "lineage": papers,
        }

    def _beside(self, one: Round, made: Mapping[str, Any], lineage: Mapping[str, Any]) -> dict[str, Any]:
        """What the other method makes of the same votes, against the untuned model and against what was made."""
        if self.beside is None:
            return {}
        log.info("round %d: %s beside it", one.number, self.beside)
        parent = str(made["parent"])
        other = self._feedback(one, parent, self.beside, lineage, one.tuning(self.beside))
        fought = {
            word: self._battles(one, other, old, lineage["kind"], f"{self.beside}-against-{word}")
            for word, old in opponents(made).items()
        }
        return {**other, "parent": parent, "battles": fought}

    def _battles(
        self, one: Round, new: Mapping[str, Any], old: str, kind: Kind, folder: str = "battles"
    ) -> dict[str, Any]:
        """Blind battles of a new contestant and an older one, by voters that were never learned from."""
        if not has_entered(new):
            return {"kind": kind, "steps": {}, "told": _NOTHING}
        if kind == "human":
            return {"kind": "human", "steps": {}, "told": "People vote next: the contestant is in the arena."}
        seed = self.seed * 1000 + 500 + one.number
        fought = fight(
            self._engine(),
            one.folder / folder,
            new=str(new["name"]),
            old=old,
            steps=_BATTLE_STEPS,
            scorer=self._scorer(),
            tastes=electorate(self.taste, self.size.judges, random.Random(seed)),  # noqa: S311 - repeatable
            prompts=self._unseen(one, self.size.battle_pairs * len(_BATTLE_STEPS), seed),
            votes=self.size.battles,
            name=f"judge-{one.number}",
            seed=seed,
        )
        return {**fought, "taste": self.taste}

    def _unseen(self, one: Round, count: int, seed: int) -> list[str]:
        """Held-out prompts that none of the round's votes was about: people vote on some of them in the arena."""
        seen = {example.prompt for example in self._gathered(one, "")[0].examples}
        return [prompt for prompt in held_out_prompts(self._world(), count + len(seen), seed) if prompt not in seen][
            :count
        ]

    def _metrics(self, one: Round, made: Mapping[str, Any]) -> dict[str, Any]:
        if not has_entered(made):
            return {}
        return measure(
            self._engine(),
            [str(made["parent"]), str(made["name"])],
            steps=_BATTLE_STEPS,
            prompts=self._unseen(one, self.size.prompts, 4242),
            reward=one.folder / "reward",
            out=one.folder / "metrics",
        )
