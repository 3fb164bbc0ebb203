"""One set of weights for all models of a family.

Text encoders and VAE are shared always. A LoRA model gets a fused UNet of its own where memory allows it (a step then
costs what a base step costs); otherwise it shares the base UNet, with its adapter switched on for the run.
"""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from typing import Any

import torch
from diffusers import ControlNetModel, DiffusionPipeline, UNet2DConditionModel
from torch import Tensor

from hypersd.models.compiled_unet import CompiledUNet, UNetCompiler
from hypersd.models.control_specs import ControlMode
from hypersd.models.libraries import quietly
from hypersd.models.loaded_model import LoadedModel
from hypersd.models.loading import Loader
from hypersd.models.machine import Machine, free_memory
from hypersd.models.prompt_embeds import PromptEmbeds, unread
from hypersd.models.registry import BASE, is_large
from hypersd.models.schedulers import build_scheduler
from hypersd.models.specs import Family, Recipe
from hypersd.models.weight_fetches import WeightFetches
from hypersd.models.weight_memory import held_bytes, plan, weight_bytes
from hypersd.models.weights import Weights

GIB = 2**30
_CPU_BUDGET = 2 * GIB
_MEMORY_SHARE = 0.8
_TO_COMPILE = 3
"""Memory for compiling a UNet, in sizes of its weights: the fused UNet, its graph, the compiled graph."""
_PIECE = 4 * 2**20


class Engine:
    """The loaded models of one family.

    Thread-safe; one model is in use at a time. A run may be handed from thread to thread (a web server does), so the
    lock that it holds belongs to the run, not to a thread.
    """

    def __init__(self, family: Family, machine: Machine) -> None:
        self.family, self.machine = family, machine
        self.state = "idle"
        self._loading = threading.Lock()
        self._in_use = threading.Lock()
        self._loader = Loader(family, machine, self._report)
        self._fetches = WeightFetches(self._loader, self._fetched)
        self._pipeline: Any = None
        self._unets: dict[Weights, UNet2DConditionModel] = {}
        self._compiled: dict[Weights, CompiledUNet] = {}
        self._controlnets: dict[Weights, ControlNetModel] = {}
        self._adapters: dict[Weights, str] = {}
        self._warnings: dict[Weights, str] = {}
        self.sha256 = lru_cache(maxsize=256)(self._sha256)
        self.encode = lru_cache(maxsize=64)(self._encode)
        self._tiny_decoder = lru_cache(maxsize=1)(self._loader.tiny_decoder)
        self._empty = lru_cache(maxsize=1)(self._no_prompt)

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
        if not self.loaded:
            self._fetches.wait_for(BASE, cancelled)
        with self._loading:
            if self._pipeline is None:
                self.state = "loading"
                try:
                    self._pipeline = self._loader.base()
                    self._pipeline.unet.requires_grad_(False).eval()
                except Exception as error:
                    self.state = f"failed: {error}"
                    raise
                self.state = "ready"
            return self._pipeline

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
        pipeline = self.load(cancelled)
        self._fetches.wait_for(recipe.weights, cancelled)
        vae = self._tiny_decoder() if tiny_decoder else pipeline.vae
        with self._in_use:
            start = time.perf_counter()
            try:
                warnings = [self._warning(weights) for weights in (*self.family.styles, recipe.weights)]
                compiles = self.machine.backend != "torch"
                if compiles and (problem := self._compiling_problem(recipe.weights, controlled=controlled)):
                    warnings.append(f"drawn with PyTorch, not with {self.machine.backend}: {problem}")
                    compiles = False
                unet = self._compiled_unet(recipe.weights) if compiles else self._unet(recipe.weights)
            finally:
                self.state = "ready"  # the base is, and fetching the recipe's weights may have said otherwise
            yield LoadedModel(
                unet=unet,
                vae=vae,
                vae_scale=pipeline.vae_scale_factor,
                scheduler=build_scheduler(pipeline.scheduler, recipe.scheduler),
                device=torch.device(self.machine.device),
                dtype=self._loader.dtype,
                switch_seconds=time.perf_counter() - start,
                base=(lambda: nullcontext(self._compiled_unet(BASE)))
                if compiles
                else lambda: self._without_adapter(switched_on=unet is pipeline.unet and recipe.weights.kind == "lora"),
                warning="; ".join(filter(None, warnings)),
                backend=self.machine.backend if compiles else "torch",
            )

    def holds(self, weights: Weights) -> bool:
        """True if weights are in memory."""
        own = weights in self._unets or weights in self._controlnets or weights in self._compiled
        return own or (self.loaded and (weights.kind == "none" or replace(weights, scale=1.0) in self._adapters))

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
        self.load(cancelled)
        self._fetches.wait_for(weights, cancelled)
        with self._loading:
            if weights not in self._controlnets:
                self._controlnets[weights] = self._loader.controlnet(weights)
                self.state = "ready"
            return self._controlnets[weights]

    @property
    def loaded(self) -> bool:
        """True if the base is loaded; an adapter may still be on its way."""
        return self._pipeline is not None

    def weight_bytes(self) -> int:
        """Bytes of all weights that are held now."""
        pipeline = self.load()
        shared = [value for value in pipeline.components.values() if isinstance(value, torch.nn.Module)]
        of_graphs = sum(unet.weight_bytes for unet in self._compiled.values())
        return held_bytes([*shared, *self._unets.values(), *self._controlnets.values()]) + of_graphs

    def _unet(self, weights: Weights) -> UNet2DConditionModel:
        base = self._pipeline.unet
        if weights.kind == "lora" and self._shares():
            return self._switch(base, weights)
        if self._adapters:
            base.disable_lora()
        if weights.kind == "none":
            return base
        if weights not in self._unets:
            self._make_room(weight_bytes(base))
        unet = self._unets.pop(weights, None) or self._loader.unet(base, weights)
        self._unets[weights] = unet  # the last one is the one used last
        return unet

    def _compiling_problem(self, weights: Weights, *, controlled: bool) -> str:
        """Reason why a UNet with these weights is not compiled; empty if it is."""
        if controlled:
            return "a compiled UNet follows no lines"
        if weights not in {recipe.weights for spec in self.family.specs for recipe in spec.recipes}:
            return "adapters are compiled at the strength of their recipes"
        if weights not in self._compiled and free_memory() < _TO_COMPILE * weight_bytes(self._pipeline.unet):
            return "there is not enough free memory to compile the UNet"
        return ""

    def _compiled_unet(self, weights: Weights) -> CompiledUNet:
        base = self._pipeline.unet
        if weights not in self._compiled:
            self.state = "compiling"
            self._make_room(weight_bytes(base))
        compiler = UNetCompiler(self.machine.backend, self.machine.graphs, self._loader.dtype)
        unet = self._compiled.pop(weights, None) or compiler.compile(
            base, self._hashes(weights), lambda: self._fused(weights)
        )
        self._compiled[weights] = unet  # the last one is the one used last
        return unet

    def _hashes(self, weights: Weights) -> list[tuple[str, str, float]]:
        """Hashes of all weights of a UNet, each with its kind and scale."""
        return [(each.kind, self.sha256(each), each.scale) for each in (BASE, *self.family.styles, weights)]

    def _fused(self, weights: Weights) -> UNet2DConditionModel:
        """A UNet with these weights in it, and no layers of adapters."""
        base = self._pipeline.unet
        if self._adapters:
            base = copy.deepcopy(base)
            base.unload_lora()
        return base if weights.kind == "none" else self._loader.unet(base, weights)

    def _warning(self, weights: Weights) -> str:
        """A sentence about layers of an adapter that are not applied; empty if all are."""
        if weights.kind == "lora" and weights not in self._warnings:
            self._warnings[weights] = self._loader.adapter_fit(self._pipeline.unet, weights).warning
        return self._warnings.get(weights, "")

    @contextmanager
    def _without_adapter(self, *, switched_on: bool) -> Generator[UNet2DConditionModel]:
        """Yield the base's UNet; the adapter that is on it, if one is, is off meanwhile."""
        base = self._pipeline.unet
        if switched_on:
            base.disable_lora()
        try:
            yield base
        finally:
            if switched_on:
                base.enable_lora()

    def _make_room(self, wanted: int) -> None:
        """Let go of the UNets that were used least recently until another one fits beside the base."""

        def held() -> int:
            of_graphs = sum(unet.weight_bytes for unet in self._compiled.values())
            return held_bytes([self._pipeline.unet, *self._unets.values()]) + of_graphs

        while (unets := self._unets or self._compiled) and held() + wanted > self._budget:
            del unets[next(iter(unets))]

    def _switch(self, base: UNet2DConditionModel, weights: Weights) -> UNet2DConditionModel:
        file = replace(weights, scale=1.0)  # one copy serves at any strength
        if file not in self._adapters:
            name = f"adapter{len(self._adapters)}"
            self._loader.add_adapter(base, file, name)
            self._adapters[file] = name
        base.enable_lora()
        base.set_adapters([self._adapters[file]], [weights.scale])
        return base

    @property
    def _budget(self) -> int:
        share = int(self.machine.memory_gb * 1e9 * _MEMORY_SHARE)
        return share if self.machine.device != "cpu" or is_large(self.family, self.machine) else _CPU_BUDGET

    def _shares(self) -> bool:
        files = {
            recipe.weights for spec in self.family.specs for recipe in spec.recipes if recipe.weights.kind == "lora"
        }
        return plan(self._budget, weight_bytes(self._pipeline.unet), len(files)) == "shared"

    def _sha256(self, weights: Weights) -> str:
        """SHA-256 of the weights' file, in hexadecimal; of their bytes one after another if they are several files."""
        digest = sha256()
        for path in self._loader.files(weights):
            with path.open("rb") as file:
                while piece := file.read(_PIECE):
                    digest.update(piece)
        return digest.hexdigest()

    def _encode(self, prompt: str, negative_prompt: str = "") -> PromptEmbeds:
        self.load()  # not in inference mode: weights made there could not be fused with an adapter
        with torch.inference_mode():
            hidden, pooled = self._conditioning(prompt)[0]
            empty_hidden, empty_pooled = self._conditioning(negative_prompt)[0] if negative_prompt else self._empty()
            joined = None if pooled is None or empty_pooled is None else torch.cat([empty_pooled, pooled])
            return PromptEmbeds(torch.cat([empty_hidden, hidden]), joined, self.unread(prompt))

    def unread(self, prompt: str) -> str:
        """The end of a prompt that the text encoders do not read: from the first word on that is cut, or nothing."""
        pipeline: Any = self.load()
        tokenizers = (getattr(pipeline, name, None) for name in ("tokenizer", "tokenizer_2"))
        return max((unread(each, prompt) for each in tokenizers if each is not None), key=len, default="")

    def _conditioning(self, prompt: str, *, guided: bool = False) -> list[tuple[Tensor, Tensor | None]]:
        """Hidden states and pooled text of a prompt and, if `guided`, of what stands for no prompt."""
        with quietly():  # the libraries print a long prompt whole; `unread` reports its end
            hidden, empty, *pooled = self._pipeline.encode_prompt(
                prompt, device=self.machine.device, num_images_per_prompt=1, do_classifier_free_guidance=guided
            )
        first, second = pooled or (None, None)
        return [(hidden, first), (empty, second)]

    def _no_prompt(self) -> tuple[Tensor, Tensor | None]:
        return self._conditioning("", guided=True)[1]
