"""A training method as the training loop sees it: players whose weights move, and a loss for each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

Batch = TypeVar("Batch")


class StopTraining(Exception):  # noqa: N818 - nothing is wrong
    """An objective ends its training early, from `after_step`; the message says why."""


@dataclass(frozen=True, kw_only=True)
class TrainedNetwork:
    """A set of weights with an optimiser of its own; a generator and its discriminator are two of them."""

    name: str
    module: nn.Module
    learning_rate: float
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0

    @property
    def parameters(self) -> list[nn.Parameter]:
        """The weights that move."""
        return [parameter for parameter in self.module.parameters() if parameter.requires_grad]

    def weights(self) -> dict[str, Tensor]:
        """The weights that move, by name."""
        return {name: value for name, value in self.module.named_parameters() if value.requires_grad}

    def configuration(self) -> dict[str, Any]:
        """The optimiser's settings, for a run's record."""
        return {"learning_rate": self.learning_rate, "betas": list(self.betas), "weight_decay": self.weight_decay}


@dataclass(frozen=True, kw_only=True)
class StepContext:
    """Context of a step: its number, the progress of the run in [0, 1), and its own random numbers."""

    number: int
    progress: float
    device: torch.device
    generator: torch.Generator
    rng: np.random.Generator


class Objective(Generic[Batch]):
    """Base class of the training methods: a method sets `networks` and defines `loss`; the rest has defaults.

    Attributes:
        networks: sets of weights in the order in which they take their turn within a step.
    """

    networks: Sequence[TrainedNetwork]

    def loss(self, network: str, batch: Batch, step: StepContext) -> Mapping[str, Tensor]:
        """Named scalar losses of a network; `"loss"` is the one that is minimised, the others are logged.

        Raises:
            NotImplementedError: always; each method defines its own.
        """
        raise NotImplementedError(f"{type(self).__name__} defines no loss")

    def after_step(self, step: StepContext) -> None:
        """Do what follows once all players have moved (move a target network, say); by default nothing.

        Raises:
            StopTraining: the training is to end here.
        """

    def state(self) -> Mapping[str, Tensor]:
        """Tensors besides the networks' weights that a resumed run needs, loaded in place; by default none."""
        return {}

    def sample(self) -> Image.Image | None:
        """A grid of what the model draws now, for people to look at; by default none."""
        return None

    def configuration(self) -> dict[str, Any]:
        """Everything that a run's record keeps of a method: its stage and settings, its optimisers."""
        parts = {name: getattr(self, name, None) for name in ("stage", "config")}
        described = {
            name: asdict(part) for name, part in parts.items() if is_dataclass(part) and not isinstance(part, type)
        }
        players = {network.name: network.configuration() for network in self.networks}
        return {**described, "players": players}
