"""One set of weights for all models of a family.

Text encoders and VAE are shared always. A LoRA model gets a fused UNet of its own where memory allows it (a step then
costs what a base step costs); otherwise it shares the base UNet, with its adapter switched on for the run.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import Any

import torch
from diffusers import ControlNetModel, DiffusionPipeline

from hypersd.models.control_specs import ControlMode
from hypersd.models.held_unets import HeldUNets
from hypersd.models.loaded_model import LoadedModel
from hypersd.models.loading import Loader
from hypersd.models.machine import Machine
from hypersd.models.prompt_encoder import PromptEncoder
from hypersd.models.registry import BASE
from hypersd.models.schedulers import build_scheduler
from hypersd.models.specs import Family, Recipe
from hypersd.models.weight_fetches import WeightFetches
from hypersd.models.weight_memory import held_bytes
from hypersd.models.weights import Weights

_PIECE = 4 * 2**20


@dataclass(eq=False)
class _Held:
    """All weights that are in memory."""

    pipeline: Any
    unets: HeldUNets
    prompts: PromptEncoder
    controlnets: dict[Weights, ControlNetModel] = field(default_factory=dict[Weights, ControlNetModel])
    tiny_decoder: Any = None


class Engine:
    """The loaded models of one family.

    Thread-safe; one model is in use at a time. A run may be handed from thread to thread (a web server does), so the
    lock that it holds belongs to the run, not to a thread.
    """

    def __init__(
        self, family: Family, machine: Machine, room: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> None:
        """Nothing is loaded yet.

        Args:
            family: whose models are loaded.
            machine: where they are to be.
            room: returns a context in which the base is loaded, which may let go of others' weights first.
        """
        self.family, self.machine = family, machine
        self.state = "idle"
        self._room = room
        self._loading = threading.Lock()
        self._in_use = threading.Lock()
        self._loader = Loader(family, machine, self._report)
        self._fetches = WeightFetches(self._loader, self._fetched)
        self._held: _Held | None = None
        self._warnings: dict[Weights, str] = {}
        self.sha256 = lru_cache(maxsize=256)(self._sha256)

    def _report(self, message: str) -> None:
        self.state = message

    def _fetched(self, error: Exception | None) -> None:
        self.state = "ready" if self.loaded else f"failed: {error}" if error else "idle"

    def load(self, cancelled: Callable[[], bool] = lambda: False) -> DiffusionPipeline:
        """Load the base, once; `state` tells how far it is: idle, fetching …, loading, ready, or failed: why.

        Raises:
            DownloadError, OSError: it cannot be fetched or read.
            Cancelled: `cancelled` became true while it was being fetched, which goes on for whoever asks next.
        """
        return self._loaded(cancelled).pipeline

    def _loaded(self, cancelled: Callable[[], bool] = lambda: False) -> _Held:
        if (held := self._held) is not None:
            return held
        self._fetches.wait_for(BASE, cancelled)
        with self._room(), self._loading:
            if self._held is None:
                self.state = "loading"
                try:
                    self._held = self._read()
                except Exception as error:
                    self.state = f"failed: {error}"
                    raise
                self.state = "ready"
            return self._held

    def _read(self) -> _Held:
        pipeline: Any = self._loader.base()
        pipeline.unet.requires_grad_(False).eval()
        unets = HeldUNets(pipeline.unet, self._loader, self._recipe_weights, self.sha256)
        return _Held(pipeline, unets, PromptEncoder(pipeline, self.machine.device))

    def _recipe_weights(self) -> set[Weights]:
        return {recipe.weights for spec in self.family.specs for recipe in spec.recipes}

    def release(self) -> None:
        """Let go of all weights as soon as no run uses them; the next run loads them again."""
        with self._in_use, self._loading:
            if self._held is None:
                return
            self._held, self.state = None, "idle"
            gc.collect()  # layers of adapters refer to one another
            if self.machine.device == "cuda":
                torch.cuda.empty_cache()

    @contextmanager
    def use(
        self,
        recipe: Recipe,
        cancelled: Callable[[], bool] = lambda: False,
        *,
        tiny_decoder: bool = False,
        controlled: bool = False,
    ) -> Generator[LoadedModel]:
        """Hold the family's weights, set up for a recipe, with the base's VAE or the family's tiny decoder.

        The UNet is run by the machine's backend where it can be: PyTorch runs one that a ControlNet controls.

        Raises:
            DownloadError, OSError: the recipe's weights, or the decoder's, cannot be fetched or read.
            ValueError: the family has no tiny decoder.
            Cancelled: `cancelled` became true while they were being fetched, which goes on for whoever asks next.
        """
        self._loaded(cancelled)
        self._fetches.wait_for(recipe.weights, cancelled)
        with self._using(cancelled) as held:
            vae = self._tiny_decoder(held) if tiny_decoder else held.pipeline.vae
            start = time.perf_counter()
            unets, weights = held.unets, recipe.weights
            try:
                warnings = [self._warning(held, each) for each in (*self.family.styles, weights)]
                compiles = self.machine.backend != "torch"
                if compiles and (problem := _compiling_problem(unets, weights, controlled=controlled)):
                    warnings.append(f"drawn with PyTorch, not with {self.machine.backend}: {problem}")
                    compiles = False
                unet = unets.compiled(weights) if compiles else unets.unet(weights)
            finally:
                self.state = "ready"  # the base is, and fetching the recipe's weights may have said otherwise
            yield LoadedModel(
                unet=unet,
                vae=vae,
                vae_scale=held.pipeline.vae_scale_factor,
                scheduler=build_scheduler(held.pipeline.scheduler, recipe.scheduler),
                device=torch.device(self.machine.device),
                dtype=self._loader.dtype,
                switch_seconds=time.perf_counter() - start,
                base=(lambda: nullcontext(unets.compiled(BASE)))
                if compiles
                else lambda: unets.without_adapter(switched_on=unet is unets.base and weights.kind == "lora"),
                warning="; ".join(filter(None, warnings)),
                backend=self.machine.backend if compiles else "torch",
            )

    @contextmanager
    def _using(self, cancelled: Callable[[], bool]) -> Generator[_Held]:
        """The weights, which are not let go of meanwhile."""
        while True:
            held = self._loaded(cancelled)
            with self._in_use:
                if held is self._held:
                    yield held
                    return

    def _tiny_decoder(self, held: _Held) -> Any:
        if held.tiny_decoder is None:
            held.tiny_decoder = self._loader.tiny_decoder()
        return held.tiny_decoder

    def holds(self, weights: Weights) -> bool:
        """True if weights are in memory."""
        held = self._held
        return held is not None and (weights in held.controlnets or held.unets.holds(weights))

    def fetch(self, weights: Iterable[Weights], cancelled: Callable[[], bool] = lambda: False) -> None:
        """Wait until the base and these weights are on disk; a failure is left to the run that needs them.

        Raises:
            Cancelled: as for `use`.
        """
        for each in (BASE, *weights):
            with suppress(OSError, ValueError):
                self._fetches.wait_for(each, cancelled)

    def after_fork(self) -> None:
        """Make the engine usable in a forked process, which has none of the threads of locks and of OpenMP."""
        torch.set_num_threads(1)
        self._loading, self._in_use = threading.Lock(), threading.Lock()
        self._fetches.after_fork()

    def controlnet(self, mode: ControlMode, cancelled: Callable[[], bool] = lambda: False) -> ControlNetModel:
        """The family's ControlNet for a mode, loaded once.

        Raises:
            DownloadError, OSError: it cannot be fetched or read.
            ValueError: the family has none, or its file is damaged.
            Cancelled: as for `use`.
        """
        weights = self.family.controlnet(mode).weights
        held = self._loaded(cancelled)
        self._fetches.wait_for(weights, cancelled)
        with self._loading:
            if weights not in held.controlnets:
                held.controlnets[weights] = self._loader.controlnet(weights)
                self.state = "ready"
            return held.controlnets[weights]

    @property
    def loaded(self) -> bool:
        """True if the base is loaded; an adapter may still be on its way."""
        return self._held is not None

    def weight_bytes(self) -> int:
        """Bytes of all weights that are held now."""
        held = self._loaded()
        shared = [value for value in held.pipeline.components.values() if isinstance(value, torch.nn.Module)]
        return held_bytes([*shared, *held.unets.fused, *held.controlnets.values()]) + held.unets.graph_bytes()

    @property
    def prompts(self) -> PromptEncoder:
        """The text encoders, once the base is loaded; see `load` for errors.

        Ask for them outside of inference mode: weights that are loaded there could not be fused with an adapter.
        """
        return self._loaded().prompts

    def _warning(self, held: _Held, weights: Weights) -> str:
        """A sentence about layers of an adapter that are not applied; empty if all are."""
        if weights.kind == "lora" and weights not in self._warnings:
            self._warnings[weights] = self._loader.adapter_fit(held.unets.base, weights).warning
        return self._warnings.get(weights, "")

    def _sha256(self, weights: Weights) -> str:
        """SHA-256 of the weights' file, in hexadecimal; of their bytes one after another if they are several files."""
        digest = sha256()
        for path in self._loader.files(weights):
            with path.open("rb") as file:
                while piece := file.read(_PIECE):
                    digest.update(piece)
        return digest.hexdigest()


def _compiling_problem(unets: HeldUNets, weights: Weights, *, controlled: bool) -> str:
    """Reason why a run's UNet is not compiled; empty if it is."""
    return "a compiled UNet follows no lines" if controlled else unets.compiling_problem(weights)
