"""Interface of a training method: trained networks, and a loss for each of them."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any, Generic, Protocol, Self, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from hypersd.training.adapters import is_of_adapter

Batch = TypeVar("Batch")


class _Rows(Protocol):
    """A tensor, an array or a list with one row per sample."""

    def __getitem__(self, index: slice, /) -> Self:
        """Some of the rows."""
        ...


AnyRows = TypeVar("AnyRows", bound=_Rows)


class StopTraining(Exception):  # noqa: N818 - not an error
    """An objective ends its training early, from `after_step`; the message says why."""


@dataclass(frozen=True, kw_only=True)
class TrainedNetwork:
    """A set of weights with its own optimiser; a generator and its discriminator are two of them.

    Args:
        updates: number of updates per step, each with different random numbers.
        adapter: name of the LoRA adapter of `module` that is trained; None: all weights that require a gradient.
    """

    name: str
    module: nn.Module
    learning_rate: float
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    updates: int = 1
    adapter: str | None = None

    @property
    def parameters(self) -> list[nn.Parameter]:
        """The trained weights."""
        return list(self.weights().values())

    def weights(self) -> dict[str, nn.Parameter]:
        """The trained weights, by name."""
        return {
            name: value
            for name, value in self.module.named_parameters()
            if value.requires_grad and (self.adapter is None or is_of_adapter(name, self.adapter))
        }

    def configuration(self) -> dict[str, Any]:
        """The optimiser's settings, for a run's record."""
        return {
            "learning_rate": self.learning_rate,
            "betas": list(self.betas),
            "weight_decay": self.weight_decay,
            "updates": self.updates,
        }


@dataclass(frozen=True, kw_only=True)
class StepContext:
    """Context of a step, or of a shard of its samples: its number, its progress, and its random numbers.

    A step's samples may be split over processes, and over passes whose gradients are accumulated. Shard i of n has
    every n-th sample, starting with the i-th, so a share of the first samples is the same share of each shard. `rng`
    and `generator` have the same state in all shards: each shard draws for the whole step and takes its own rows, so
    that samples do not depend on the number of shards. `normal`, `uniform` and `integers` work like this.

    Args:
        number: of the step, from 0.
        progress: of the run, in [0, 1).
        device: of the trained networks.
        shard: index of this shard, from 0.
        shards: number of shards.
    """

    number: int
    progress: float
    device: torch.device
    generator: torch.Generator
    rng: np.random.Generator
    shard: int = 0
    shards: int = 1

    def mine(self, rows: AnyRows) -> AnyRows:
        """Select this shard's rows from rows for all samples of the step."""
        return rows[self.shard :: self.shards]

    def normal(self, shape: Sequence[int]) -> Tensor:
        """Unit noise of `shape` for this shard; the first dimension counts the samples."""
        whole = torch.randn(self._whole(shape), generator=self.generator, device=self.generator.device)
        return self.mine(whole).to(self.device)

    def uniform(self, low: float, high: float, count: int) -> Tensor:
        """Random numbers in [low, high), `(count,)`, one for each sample."""
        whole = torch.empty(self._whole((count,)), device=self.generator.device)
        return self.mine(whole.uniform_(low, high, generator=self.generator)).to(self.device)

    def integers(self, low: int, high: int, count: int) -> Tensor:
        """Random integers from `low` to `high` − 1, `(count,)`, one for each sample."""
        shape = self._whole((count,))
        whole = torch.randint(low, high, shape, generator=self.generator, device=self.generator.device)
        return self.mine(whole).to(self.device)

    def _whole(self, shape: Sequence[int]) -> tuple[int, ...]:
        return (shape[0] * self.shards, *shape[1:])


class Objective(Generic[Batch]):
    """Base class of the training methods: a method sets `networks` and defines `loss`; the rest has defaults.

    Attributes:
        networks: the trained networks in the order of their updates within a step.
    """

    networks: Sequence[TrainedNetwork]

    def loss(self, network: str, batch: Batch, step: StepContext) -> Mapping[str, Tensor]:
        """Named scalar losses of a network; `"loss"` is minimised, the others are logged.

        Raises:
            NotImplementedError: always; each method defines its own.
        """
        raise NotImplementedError(f"{type(self).__name__} defines no loss")

    def after_step(self, step: StepContext) -> None:
        """Hook after all networks were updated (for example to update a target network); by default does nothing.

        Raises:
            StopTraining: the training ends here.
        """

    def state(self) -> Mapping[str, Tensor]:
        """Tensors besides the networks' weights that a resumed run needs, loaded in place; by default none."""
        return {}

    def sample(self) -> Image.Image | None:
        """A grid of the model's current pictures; by default none."""
        return None

    def configuration(self) -> dict[str, Any]:
        """The method's part of a run's record: its stage and settings, its optimisers."""
        parts = {name: getattr(self, name, None) for name in ("stage", "config")}
        described = {
            name: asdict(part) for name, part in parts.items() if is_dataclass(part) and not isinstance(part, type)
        }
        players = {network.name: network.configuration() for network in self.networks}
        return {**described, "players": players}

    @contextmanager
    def remember(self, shard: dict[str, Any]) -> Generator[None]:
        """Within this context the objective has the attributes set by earlier updates on the same shard.

        A discriminator reads the student's latest output; with several shards per step each shard needs its own.

        Args:
            shard: those attributes; attributes set within the context are added.
        """
        vars(self).update(shard)
        before = dict(vars(self))
        yield
        shard.update((name, value) for name, value in vars(self).items() if before.get(name) is not value)
