"""Draws the arena's pairs with the package's models."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType

from hypersd import __version__
from hypersd.arena.service.image_generator import GeneratedImage, GenerationError, GenerationInterrupted
from hypersd.arena.votes.battle import Contestant
from hypersd.models.engine import Engine
from hypersd.models.machine import Machine
from hypersd.models.registry import availability
from hypersd.models.specs import Family
from hypersd.models.weights import Weights
from hypersd.sampling.comparison import compare
from hypersd.sampling.request import Generation, Request, Run

SOFTWARE: Mapping[str, str] = MappingProxyType(
    {"hypersd": __version__} | {name: version(name) for name in ("torch", "diffusers", "transformers")}
)


@dataclass(frozen=True)
class EngineGenerator:
    """Generator of images by a family's contestants.

    Args:
        engine: gives the loaded models.
        cancelled: ends the work within one UNet call; the pair is then not made.
        draw: draws a request elsewhere; None is by the engine.
    """

    engine: Engine
    cancelled: Callable[[], bool] = lambda: False
    draw: Callable[[Request], Iterable[object]] | None = None
    software: Mapping[str, str] = field(default_factory=lambda: SOFTWARE)

    @property
    def device(self) -> str:
        """Device and precision that draw, and the backend if it is not PyTorch."""
        machine = self.engine.machine
        backend = [] if machine.backend == "torch" else [machine.backend]
        return ", ".join([machine.device, machine.precision, *backend])

    def __call__(self, prompt: str, seed: int, contestants: Sequence[Contestant]) -> Sequence[GeneratedImage]:
        """Draw one prompt and one seed with each contestant.

        Raises:
            GenerationError: one of them failed.
            GenerationInterrupted: it was cancelled.
        """
        family = self.engine.family
        runs = tuple(Run(model=contestant.model, steps=contestant.steps) for contestant in contestants)
        request = Request(prompt=prompt, seed=seed, family=family.name, runs=runs)
        events = self.draw(request) if self.draw else compare(request, self.engine, cancelled=self.cancelled)
        results = {(event.model, event.steps): event for event in events if isinstance(event, Generation)}
        images: list[GeneratedImage] = []
        for contestant in contestants:
            result = results.get((contestant.model, contestant.steps))
            if result is None:
                raise GenerationInterrupted
            if result.image is None:
                raise GenerationError(contestant, str(result.error))
            weights = family.spec(contestant.model).recipe(contestant.steps).weights
            images.append(GeneratedImage(result.image, result.seconds, result.calls, weights_version(family, weights)))
        return images


def contestants(family: Family, machine: Machine) -> list[Contestant]:
    """Every model of a family that runs here, at each number of steps that it was made for."""
    return [
        Contestant(family.name, spec.name, recipe.steps)
        for spec in family.specs
        if availability(family, spec, machine).available
        for recipe in spec.recipes
    ]


def unavailable_reason(family: Family, machine: Machine, contestant: Contestant) -> str:
    """Reason why a contestant cannot be drawn here; empty if it can."""
    if contestant.family != family.name:
        return f"of another family than {family.name}"
    try:
        spec = family.spec(contestant.model)
        spec.recipe(contestant.steps)
    except ValueError:
        return "no such model at so many steps"
    return availability(family, spec, machine).reason


def weights_version(family: Family, weights: Weights) -> str:
    """Version of weights of the same name: the start of their hash, or their place on the Hub."""
    if weights.repository or family.folder is None:
        return f"{weights.repository or family.repository}/{weights.file or ''}".rstrip("/")
    unet = family.folder / "unet" / "diffusion_pytorch_model.safetensors"
    return _digest(unet, *([family.folder / weights.file] if weights.file else []))


@lru_cache(maxsize=256)
def _digest(*files: Path) -> str:
    digest = sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
