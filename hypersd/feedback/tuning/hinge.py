"""The human-feedback loss on pictures (Hyper-SD, eq. 13): a hinge on what reward models say of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from hypersd.feedback.reward.reward_folder import check_tunable
from hypersd.feedback.reward.reward_model import RewardModel


@dataclass(frozen=True, slots=True, eq=False)
class HingeFeedback:
    """Σ_d ReLU(α_d − r_d(x, c)), each reward in units of its own spread.

    Args:
        rewards: all of them are to be pleased together.
        thresholds: α of each, above which nothing is gained.
    """

    rewards: Sequence[RewardModel]
    thresholds: Sequence[float]

    @classmethod
    def of(cls, rewards: Sequence[RewardModel], quantile: str = "0.75") -> HingeFeedback:
        """The loss whose α is a quantile of what each model gives to pictures that people preferred.

        Raises:
            KeyError: the models do not keep this quantile.
        """
        return cls(rewards, [float(model.preferred[quantile]) for model in rewards])

    @classmethod
    def load(cls, folders: Sequence[Path], device: torch.device) -> HingeFeedback:
        """The loss of the reward models in some folders, on a device.

        Raises:
            FileNotFoundError, ValueError: as `check_tunable`.
        """
        check_tunable(folders)
        return cls.of([RewardModel.load(folder).to(device) for folder in folders])

    @property
    def fingerprint(self) -> str:
        """A hash of the models and their thresholds."""
        weights = [value.cpu().numpy().tobytes() for model in self.rewards for value in model.state_dict().values()]
        return sha256(b"".join([*weights, repr(list(self.thresholds)).encode()])).hexdigest()

    def scores(self, pictures: Tensor, prompts: Sequence[str]) -> Tensor:
        """Rewards `(D, B)` of pictures `(B, 3, H, W)` in [-1, 1] for their prompts; differentiable."""
        return torch.stack([model(pictures, model.embed_prompts(prompts)) for model in self.rewards])

    def loss(self, scores: Tensor) -> Tensor:
        """The hinge on rewards `(D, B)`, a mean over the pictures."""
        missing = [
            F.relu(alpha - score).mean() / model.reward_iqr
            for alpha, model, score in zip(self.thresholds, self.rewards, scores, strict=True)
        ]
        return torch.stack(missing).sum()

    def __call__(self, pictures: Tensor, prompts: Sequence[str]) -> Tensor:
        """The loss of pictures around [-1, 1]."""
        return self.loss(self.scores(pictures.clamp(-1, 1), prompts))
