"""How a reward model learns from choices: Bradley–Terry with ties (Hyper-SD, eq. 9; PickScore's soft labels)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from hypersd.arena.pictures import Pictures
from hypersd.feedback.preferences import Preference
from hypersd.feedback.reward import RewardModel
from hypersd.feedback.statistics import as_tensor, statistics
from hypersd.training.objective import Objective, Player, Step, Stop

_BATCH = 64
"""Pictures that are looked at at once."""


@dataclass(frozen=True, slots=True)
class Choices:
    """B choices: what the head reads of the left and right pictures `(B, F)`, targets, bad, weights `(B,)`."""

    left: Tensor
    right: Tensor
    targets: Tensor
    both_bad: Tensor
    weights: Tensor


@dataclass(frozen=True, eq=False)
class ChoiceTable:
    """All choices of a part of the data; every picture is read once for each prompt that it was drawn for.

    Args:
        looks: what the head reads of each picture, `(N, F)`.
        measured: the pictures' statistics, `(N, 4)`.
        sides: of each choice, the rows of its pictures, `(C, 2)`.
    """

    looks: Tensor
    measured: Tensor
    sides: NDArray[np.int64]
    examples: tuple[Preference, ...]

    @classmethod
    @torch.no_grad()
    def of(cls, examples: Sequence[Preference], pictures: Pictures, model: RewardModel) -> ChoiceTable:
        """Look at the pictures.

        Raises:
            ValueError: there are no examples.
            OSError: a picture is missing or damaged.
        """
        if not examples:
            raise ValueError("there are no votes to learn from, or none to test on; collect votes on more prompts")
        keys = sorted({(name, one.prompt) for one in examples for name in one.pictures})
        looks, measured = [], []
        for start in range(0, len(keys), _BATCH):
            some = keys[start : start + _BATCH]
            seen = as_tensor([model.fitted(pictures.open(name)) for name, _ in some])
            looks.append(model.looks(seen, model.embed_prompts([prompt for _, prompt in some])))
            measured.append(statistics(seen))
        row = {key: index for index, key in enumerate(keys)}
        return cls(
            looks=torch.cat(looks),
            measured=torch.cat(measured),
            sides=np.array([[row[name, one.prompt] for name in one.pictures] for one in examples]),
            examples=tuple(examples),
        )

    def only(self, prompts: Collection[str]) -> ChoiceTable:
        """The choices of some prompts."""
        kept = [index for index, one in enumerate(self.examples) if one.prompt in prompts]
        return replace(self, sides=self.sides[kept], examples=tuple(self.examples[index] for index in kept))

    def batch(self, chosen: NDArray[np.int64]) -> Choices:
        """The choices of these indices."""
        some = [self.examples[index] for index in chosen]
        left, right = (self.looks[self.sides[chosen, side]] for side in (0, 1))
        return Choices(
            left,
            right,
            torch.tensor([one.target for one in some]),
            torch.tensor([one.both_bad for one in some]),
            torch.tensor([one.weight for one in some]),
        )

    @torch.no_grad()
    def rewards(self, model: RewardModel) -> NDArray[np.float64]:
        """The model's rewards of every choice's pictures, `(C, 2)`."""
        return model.judge(self.looks).double().numpy()[self.sides]

    def sample(self, size: int, step: Step) -> Choices:
        """A random batch."""
        return self.batch(step.rng.integers(len(self.examples), size=size))


def choice_loss(left: Tensor, right: Tensor, batch: Choices, absolute: float) -> Tensor:
    """Mean weighted loss of rewards `(B,)`.

    Cross-entropy of σ(r_left − r_right) with the target; and, weighted by `absolute`, what "both bad" says: both
    pictures lie below 0 then, and a preferred one above.
    """
    gap = F.binary_cross_entropy_with_logits(left - right, batch.targets, reduction="none")
    compared = torch.where(batch.both_bad, torch.zeros_like(gap), gap)
    both = F.softplus(left) + F.softplus(right)
    better = F.softplus(-torch.where(batch.targets > 0.5, left, right))
    decided = batch.targets != 0.5
    anchored = torch.where(batch.both_bad, both, torch.where(decided, better, torch.zeros_like(better)))
    return (batch.weights * (compared + absolute * anchored)).mean()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How long and how fast a reward model learns.

    Args:
        ridge: weight of the squared length of the head's weights.
        absolute: weight of the absolute part of the loss.
        patience: checks without a better validation loss, after which the training ends.
    """

    steps: int = 600
    batch_size: int = 256
    learning_rate: float = 3e-3
    ridge: float = 0.02
    absolute: float = 0.1
    check_every: int = 25
    patience: int = 6


@dataclass(eq=False)
class RewardTraining(Objective[Choices]):
    """Objective: the head learns; the best one on validation choices is kept."""

    model: RewardModel
    train: ChoiceTable
    validation: ChoiceTable
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        spread = self.train.looks.std(dim=0)
        self.model.center.copy_(self.train.looks.mean(dim=0))
        self.model.scale.copy_(spread.clamp(min=1e-3 * float(spread.mean())))
        self.players = [Player(name="reward", network=self.model.head, learning_rate=self.settings.learning_rate)]
        self.best_loss = torch.tensor(float("inf"))
        self.since = torch.tensor(0)
        self.best = {name: value.detach().clone() for name, value in self.model.head.state_dict().items()}

    def loss(self, player: str, batch: Choices, step: Step) -> Mapping[str, Tensor]:
        """Logs `right`: how often the preferred picture has the higher reward."""
        left, right = self.model.judge(torch.cat([batch.left, batch.right])).chunk(2)
        decided = (batch.targets != 0.5) & ~batch.both_bad
        hits = ((left > right) == (batch.targets > 0.5))[decided].float()
        return {
            "loss": choice_loss(left, right, batch, self.settings.absolute)
            + self.settings.ridge * self.model.head.weight.square().sum(),
            "right": hits.mean() if len(hits) else torch.tensor(0.5),
        }

    @torch.no_grad()
    def after_step(self, step: Step) -> None:
        """Look at the validation choices now and then; keep the best model.

        Raises:
            Stop: it has not become better for a while.
        """
        if (step.number + 1) % self.settings.check_every:
            return
        loss = self.validation_loss()
        if loss < self.best_loss:
            self.best_loss.copy_(loss)
            self.since.zero_()
            for name, value in self.model.head.state_dict().items():
                self.best[name].copy_(value)
            return
        self.since += 1
        if self.since >= self.settings.patience:
            raise Stop(f"the validation loss was lowest {int(self.since) * self.settings.check_every} steps ago")

    def validation_loss(self) -> Tensor:
        """The same loss over all validation choices."""
        left, right = torch.from_numpy(self.validation.rewards(self.model)).float().T
        return choice_loss(
            left, right, self.validation.batch(np.arange(len(self.validation.examples))), self.settings.absolute
        )

    def finish(self) -> RewardModel:
        """The best model, frozen, its rewards on the scale on which its odds are right (temperature scaling)."""
        self.model.head.load_state_dict(self.best)
        decided = np.array([one.decisive for one in self.validation.examples])
        if decided.any():
            self.model.temperature.fill_(self._temperature(decided))
        return self.model.requires_grad_(False).eval()

    def _temperature(self, decided: NDArray[np.bool_]) -> float:
        """By how much to divide rewards so that validation choices are likeliest (Guo et al. 2017)."""
        scores = self.validation.rewards(self.model)[decided]
        targets = np.array([one.target for one in self.validation.examples])[decided]
        gap = np.where(targets > 0.5, 1, -1) * (scores[:, 0] - scores[:, 1])
        candidates = np.geomspace(0.25, 4, 81)
        losses = [np.logaddexp(0, -gap / candidate).mean() for candidate in candidates]
        return float(candidates[int(np.argmin(losses))])

    def state(self) -> Mapping[str, Tensor]:
        """The best model so far."""
        kept = {f"best.{name}": value for name, value in self.best.items()}
        return kept | {"best_loss": self.best_loss, "since": self.since}
