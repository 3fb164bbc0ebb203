"""Tune a few-step adapter with people's preferences: train the feedback's own adapter, weigh it, merge it."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from hypersd.arena.votes.images import ImageStore
from hypersd.distill.student import Student
from hypersd.feedback.loop.results import AdapterResult, SweepResult
from hypersd.feedback.preferences.dataset import Preference
from hypersd.feedback.reward.reward_folder import SECOND, WEIGHTS, check_tunable
from hypersd.feedback.reward.reward_model import RewardModel
from hypersd.feedback.tuning import dpo, merge, refl
from hypersd.feedback.tuning.merge import MergePoint
from hypersd.feedback.tuning.monitor import Limits, RewardHackingMonitor, ValidationSet
from hypersd.feedback.tuning.refl import PerceptionLoss
from hypersd.feedback.tuning.refl_defaults import PERCEPTION
from hypersd.feedback.tuning.rollout import PromptBatches, visible_times
from hypersd.feedback.tuning.tuning_methods import TuningMethod, default_rate
from hypersd.models.model_source import ModelSource
from hypersd.models.specs import Recipe
from hypersd.training.adapters import save_adapter
from hypersd.training.checkpoints import load_state
from hypersd.training.records import hash_text
from hypersd.training.trainer import Trainer
from hypersd.training.training_config import TrainingConfig, grids
from hypersd.utils.files import atomic_path, write_json

log = logging.getLogger(__name__)

RESULT = "feedback.json"
_ADAPTER, _PLUGIN = "adapter.safetensors", "feedback.safetensors"
_LOOK_EVERY = 20
_MOST, _MOST_AT = 16, 256
"""Pictures a step, and up to how many pixels on a side: memory grows with their area."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """Result of a tuning.

    Args:
        adapter: the merged adapter, which takes the place of the few-step one.
        plugin: the feedback's own adapter, at weight 1.
        weight: with which it was merged; 0 means that nothing better than the untuned model was found.
        stopped: why the training ended before its time; empty if it did not.
        lineage: hashes of the votes, the reward models and the adapter that it is made of, and the voters' kind.
    """

    adapter: Path
    plugin: Path
    weight: float
    stopped: str
    points: tuple[MergePoint, ...]
    lineage: Mapping[str, str]

    def result(self, name: str, steps: Sequence[int]) -> AdapterResult:
        """The adapter as a round's folder keeps it: its file's name, the steps at which it is run, and the sweep."""
        points = tuple(point.result for point in self.points)
        return AdapterResult(name=name, steps=tuple(steps), weight=self.weight, stopped=self.stopped, points=points)


@dataclass(frozen=True, kw_only=True)
class TuningTask:
    """One adapter to be tuned.

    Args:
        source: the base model.
        few_steps: the adapter's file.
        recipes: how it is run; all of one adapter.
        rewards: folders of `reward train`; all of them are pleased together. The first one's second model looks on.
        prompts: to train on; `validation` are others, to look at.
        perception: for `refl`, if there is a network for it; left out if the recipes have no `visible_times`.
        perception_weight: of that loss; 0 trains without it.
        learning_rate: None means `default_rate`.
        preferences, pictures: the votes themselves, for `dpo`.
        batch_size: pictures a step; None means as many as their size allows.
        shorten: factor on the number of steps, for a quick look, which tries fewer weights.
    """

    source: ModelSource
    few_steps: Path
    recipes: Sequence[Recipe]
    rewards: Sequence[Path]
    prompts: Sequence[str]
    validation: Sequence[str]
    out: Path
    method: TuningMethod = "refl"
    perception: PerceptionLoss | None = None
    perception_weight: float = PERCEPTION
    learning_rate: float | None = None
    preferences: Sequence[Preference] = ()
    pictures: ImageStore | None = None
    limits: Limits = field(default_factory=Limits)
    batch_size: int | None = None
    shorten: float = 1.0
    seed: int = 0

    def run(self) -> Tuned:
        """Train, weigh, merge, and write everything to `out`; a broken-off run goes on, a finished one is read.

        Raises:
            ValueError: the adapter or the reward model does not fit, the latter has learned nothing, or there are no
                votes for `dpo`.
            OSError: something is missing, or `out` cannot be written.
        """
        check_tunable(self.rewards)
        if (finished := self._finished()) is not None:
            return finished
        torch.manual_seed(self.seed)
        trainer = self._trainer((dpo.DPOConfig() if self.method == "dpo" else refl.ReFLConfig()).steps)
        device = trainer.accelerator.device
        rewards = [RewardModel.load(folder).to(device) for folder in self.rewards]
        second = RewardModel.load(self.rewards[0] / SECOND).to(device)
        student = Student(self.source, rank=refl.ReFLConfig().rank, few_steps=self.few_steps, device=device)
        validation = ValidationSet(student, rewards[0], second, self.recipes, self.validation)
        monitor = RewardHackingMonitor(validation, _LOOK_EVERY, self.limits, self.out / "training" / "looks.json")
        if self.method == "dpo":
            self._dpo(trainer, student, monitor)
        else:
            self._refl(trainer, student, monitor, rewards)
        plugin = self.out / _PLUGIN
        save_adapter(student.unet, plugin)
        points = merge.sweep(student, monitor, merge.WEIGHTS if self.shorten >= 1 else merge.FEW_WEIGHTS)
        chosen = merge.choose(points)
        adapter = self.out / _ADAPTER
        merge.write_merged(student.few_steps_layers, load_file(plugin), chosen.weight, adapter)
        with atomic_path(self.out / "merge.png") as part:
            merge.figure(points, chosen.weight).savefig(part, dpi=120)
        _, numbers = load_state(self.out / "training" / "state") or ({}, {})
        tuned = Tuned(
            adapter=adapter,
            plugin=plugin,
            weight=chosen.weight,
            stopped=str(numbers.get("stopped", "")),
            points=tuple(points),
            lineage=self._lineage(rewards[0]),
        )
        write_json(self.out / RESULT, self._document(tuned, monitor))
        return tuned

    def _finished(self) -> Tuned | None:
        """The result in `out`, if it is of this very task: the same data, settings and seed."""
        adapter, plugin = self.out / _ADAPTER, self.out / _PLUGIN
        try:
            document = json.loads((self.out / RESULT).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        if not isinstance(document, dict) or document.get("task") != self._fingerprint():
            return None
        if not (adapter.is_file() and plugin.is_file()):
            return None
        return Tuned(
            adapter=adapter,
            plugin=plugin,
            weight=document["weight"],
            stopped=document["stopped"],
            points=tuple(MergePoint.of(SweepResult(**point)) for point in document["merge"]),
            lineage=document["lineage"],
        )

    def _refl(
        self, trainer: Trainer, student: Student, monitor: RewardHackingMonitor, rewards: Sequence[RewardModel]
    ) -> None:
        config = refl.ReFLConfig(
            batch_size=self.batch_size or pictures_a_step(student.pixels),
            learning_rate=self._rate,
            perception=self.perception_weight,
        )
        wanted = self.perception if self.perception_weight else None
        perception = wanted if visible_times(student, self.recipes) else None
        if wanted and not perception:
            log.info("%s has no visual-perception loss: at its times noise hides what a picture shows", self.out.name)
        objective = refl.RewardFeedback(student, rewards, monitor, self.recipes, perception, config)
        trainer.run(objective, PromptBatches(self.prompts, student, config.batch_size), data=self._data())

    def _dpo(self, trainer: Trainer, student: Student, monitor: RewardHackingMonitor) -> None:
        config = dpo.DPOConfig(
            batch_size=self.batch_size or pictures_a_step(student.pixels),
            learning_rate=self._rate,
        )
        if self.pictures is None:
            raise ValueError("dpo learns from the votes themselves; name them")
        batches = dpo.RankedLatents.of(self.preferences, self.pictures, student, config.batch_size)
        objective = dpo.DirectPreference(student, monitor, self.recipes, config)
        trainer.run(objective, batches, data=self._data())

    @property
    def _rate(self) -> float:
        return self.learning_rate or default_rate(self.method, [recipe.steps for recipe in self.recipes])

    def _trainer(self, steps: int) -> Trainer:
        total = max(1, round(steps * self.shorten))
        return Trainer(
            TrainingConfig(
                out=self.out / "training", steps=total, seed=self.seed, warmup=10, sample_every=grids(total, 2)
            )
        )

    def _data(self) -> dict[str, Any]:
        """Digests of the adapter that is tuned and of the data that tune it, for the run's record."""
        return {
            "method": self.method,
            "adapter": digest(self.few_steps),
            "rewards": [digest(folder / WEIGHTS) for folder in self.rewards],
            "prompts": hash_text(*self.prompts),
            "validation": hash_text(*self.validation),
            "votes": hash_text(*(f"{one.prompt} {one.pictures} {one.target}" for one in self.preferences)),
            "recipes": hash_text(*map(repr, self.recipes)),
            "limits": asdict(self.limits),
            "perception": self.perception_weight,
            "learning_rate": self._rate,
        }

    def _lineage(self, reward: RewardModel) -> dict[str, str]:
        return {
            "votes": reward.metadata.get("data", ""),
            "kind": reward.metadata.get("kind", ""),
            "reward": ", ".join(digest(folder / WEIGHTS) for folder in self.rewards),
            "adapter": digest(self.few_steps),
        }

    def _fingerprint(self) -> str:
        """A hash of everything that the result depends on."""
        settings = {**self._data(), "seed": self.seed, "shorten": self.shorten, "batch_size": self.batch_size}
        return hash_text(json.dumps(settings, sort_keys=True))

    def _document(self, tuned: Tuned, monitor: RewardHackingMonitor) -> dict[str, Any]:
        return {
            "task": self._fingerprint(),
            "method": self.method,
            "steps": [recipe.steps for recipe in self.recipes],
            "weight": tuned.weight,
            "stopped": tuned.stopped,
            "lineage": tuned.lineage,
            "history": [{"step": step, **asdict(check)} for step, check in monitor.history],
            "merge": [asdict(point.result) for point in tuned.points],
        }


def pictures_a_step(pixels: int) -> int:
    """Number of pictures of this side that a training sees a step."""
    return max(1, min(_MOST, _MOST * _MOST_AT**2 // pixels**2))


def digest(file: Path) -> str:
    """Identify a file by the beginning of its SHA-256."""
    return sha256(file.read_bytes()).hexdigest()[:16]
