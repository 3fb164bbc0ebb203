"""A training method as the training loop sees it: players whose weights move, and a loss for each of them."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any, Generic, Protocol, Self, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

Batch = TypeVar("Batch")


class _Rows(Protocol):
    """A tensor, an array or a list with a row a sample."""

    def __getitem__(self, index: slice, /) -> Self:
        """Some of the rows."""
        ...


AnyRows = TypeVar("AnyRows", bound=_Rows)


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
    """Context of a step, or of a shard of its samples: its number, its progress, and its random numbers.

    A step's samples may be spread over processes, and over passes whose gradients are added up. Shard i of n has every
    n-th sample, from the i-th on, so that a share of the first samples is the same share of each shard. `rng` and
    `generator` are in the same state in all shards: a draw for the whole step, of which each takes its own, makes the
    samples independent of how many shards there are. `normal`, `uniform` and `integers` draw so.

    Args:
        number: of the step, from 0.
        progress: of the run, in [0, 1).
        device: of the trained networks.
        shard: the number of this one, from 0.
        shards: how many there are.
    """

    number: int
    progress: float
    device: torch.device
    generator: torch.Generator
    rng: np.random.Generator
    shard: int = 0
    shards: int = 1

    def mine(self, rows: AnyRows) -> AnyRows:
        """Those rows, of a row for each sample of the whole step, that are this shard's."""
        return rows[self.shard :: self.shards]

    def normal(self, shape: Sequence[int]) -> Tensor:
        """Unit noise for samples of this shard, `shape`, whose first number counts the samples."""
        whole = torch.randn(self._whole(shape), generator=self.generator, device=self.generator.device)
        return self.mine(whole).to(self.device)

    def uniform(self, low: float, high: float, count: int) -> Tensor:
        """Random numbers in [low, high), `(count,)`, one for each sample."""
        whole = torch.empty(self._whole((count,)), device=self.generator.device)
        return self.mine(whole.uniform_(low, high, generator=self.generator)).to(self.device)

    def integers(self, low: int, high: int, count: int) -> Tensor:
        """Random whole numbers from `low` to `high` − 1, `(count,)`, one for each sample."""
        shape = self._whole((count,))
        whole = torch.randint(low, high, shape, generator=self.generator, device=self.generator.device)
        return self.mine(whole).to(self.device)

    def _whole(self, shape: Sequence[int]) -> tuple[int, ...]:
        return (shape[0] * self.shards, *shape[1:])


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

    @contextmanager
    def remember(self, shard: dict[str, Any]) -> Generator[None]:
        """Within this context the objective has the attributes that earlier turns on the same samples have set.

        A discriminator judges what the student has just drawn; where a step has several shards, each has its own.

        Args:
            shard: those attributes; what this turn sets is added.
        """
        vars(self).update(shard)
        before = dict(vars(self))
        yield
        shard.update((name, value) for name, value in vars(self).items() if before.get(name) is not value)
