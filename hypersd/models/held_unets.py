"""UNets on one base, as many as fit into memory: fused, compiled, or the base's own with an adapter switched on."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from dataclasses import replace

from diffusers import UNet2DConditionModel

from hypersd.models.compiled_unet import CompiledUNet, UNetCompiler
from hypersd.models.loading import Loader
from hypersd.models.machine import free_memory
from hypersd.models.registry import BASE, is_large
from hypersd.models.weight_memory import held_bytes, plan, weight_bytes
from hypersd.models.weights import Weights

GIB = 2**30
_CPU_BUDGET = 2 * GIB
_MEMORY_SHARE = 0.8
_TO_COMPILE = 3
"""Memory for compiling a UNet, in sizes of its weights: the fused UNet, its graph, the compiled graph."""


class HeldUNets:
    """The UNets of one base. Not thread-safe: one is in use at a time.

    Args:
        base: the base's own.
        loader: reads what is put on it.
        recipes: returns the weights of all recipes of the family as it is now.
        sha256: returns the hash of weights.
    """

    def __init__(
        self,
        base: UNet2DConditionModel,
        loader: Loader,
        recipes: Callable[[], Collection[Weights]],
        sha256: Callable[[Weights], str],
    ) -> None:
        self.base = base
        self._loader, self._recipes, self._sha256 = loader, recipes, sha256
        self._fused: dict[Weights, UNet2DConditionModel] = {}
        self._compiled: dict[Weights, CompiledUNet] = {}
        self._adapters: dict[Weights, str] = {}

    def unet(self, weights: Weights) -> UNet2DConditionModel:
        """The UNet with these weights, run by PyTorch.

        Raises:
            DownloadError, OSError: the weights cannot be fetched or read.
        """
        if weights.kind == "lora" and self._shares():
            return self._switch(weights)
        if self._adapters:
            self.base.disable_lora()
        if weights.kind == "none":
            return self.base
        if weights not in self._fused:
            self._make_room()
        unet = self._fused.pop(weights, None) or self._loader.unet(self.base, weights)
        self._fused[weights] = unet  # the last one is the one used last
        return unet

    def compiled(self, weights: Weights) -> CompiledUNet:
        """The UNet with these weights, run by the machine's backend.

        Raises:
            DownloadError, OSError: as for `unet`.
        """
        machine = self._loader.machine
        if weights not in self._compiled:
            self._loader.progress("compiling")
            self._make_room()
        compiler = UNetCompiler(machine.backend, machine.graphs, self._loader.dtype)
        unet = self._compiled.pop(weights, None) or compiler.compile(
            self.base, self._hashes(weights), lambda: self._bare(weights)
        )
        self._compiled[weights] = unet  # the last one is the one used last
        return unet

    def compiling_problem(self, weights: Weights) -> str:
        """Reason why a UNet with these weights is not compiled; empty if it is."""
        if weights not in self._recipes():
            return "adapters are compiled at the strength of their recipes"
        if weights not in self._compiled and free_memory() < _TO_COMPILE * weight_bytes(self.base):
            return "there is not enough free memory to compile the UNet"
        return ""

    @contextmanager
    def without_adapter(self, *, switched_on: bool) -> Generator[UNet2DConditionModel]:
        """Yield the base's UNet; the adapter that is on it, if one is, is off meanwhile."""
        if switched_on:
            self.base.disable_lora()
        try:
            yield self.base
        finally:
            if switched_on:
                self.base.enable_lora()

    def holds(self, weights: Weights) -> bool:
        """True if weights are in memory."""
        own = weights in self._fused or weights in self._compiled
        return own or weights.kind == "none" or replace(weights, scale=1.0) in self._adapters

    @property
    def fused(self) -> list[UNet2DConditionModel]:
        """The UNets that PyTorch runs, beside the base's own."""
        return list(self._fused.values())

    def graph_bytes(self) -> int:
        """Bytes of the weights of all graphs."""
        return sum(unet.weight_bytes for unet in self._compiled.values())

    def _hashes(self, weights: Weights) -> list[tuple[str, str, float]]:
        """Hashes of all weights of a UNet, each with its kind and scale."""
        all_weights = (BASE, *self._loader.family.styles, weights)
        return [(each.kind, self._sha256(each), each.scale) for each in all_weights]

    def _bare(self, weights: Weights) -> UNet2DConditionModel:
        """A UNet with these weights in it, and no layers of adapters."""
        base = self.base
        if self._adapters:
            base = copy.deepcopy(base)
            base.unload_lora()
        return base if weights.kind == "none" else self._loader.unet(base, weights)

    def _make_room(self) -> None:
        """Let go of the UNets that were used least recently until another one fits beside the base."""
        while (unets := self._fused or self._compiled) and self._is_full():
            del unets[next(iter(unets))]

    def _is_full(self) -> bool:
        machine = self._loader.machine
        if machine.most_unets is not None and len(self._fused) + len(self._compiled) >= machine.most_unets:
            return True
        held = held_bytes([self.base, *self._fused.values()]) + self.graph_bytes()
        return held + weight_bytes(self.base) > self._budget

    def _switch(self, weights: Weights) -> UNet2DConditionModel:
        file = replace(weights, scale=1.0)  # one copy serves at any strength
        if file not in self._adapters:
            name = f"adapter{len(self._adapters)}"
            self._loader.add_adapter(self.base, file, name)
            self._adapters[file] = name
        self.base.enable_lora()
        self.base.set_adapters([self._adapters[file]], [weights.scale])
        return self.base

    @property
    def _budget(self) -> int:
        machine = self._loader.machine
        share = int(machine.memory_gb * 1e9 * _MEMORY_SHARE)
        return share if machine.device != "cpu" or is_large(self._loader.family, machine) else _CPU_BUDGET

    def _shares(self) -> bool:
        files = {weights for weights in self._recipes() if weights.kind == "lora"}
        return plan(self._budget, weight_bytes(self.base), len(files)) == "shared"
