"""UNets compiled by OpenVINO for this processor, called like diffusers' own."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor

from hypersd import __version__
from hypersd.models.graph_cache import GraphCache
from hypersd.models.unet_graph import converted, quantize_weights, read, save
from hypersd.utils.environment import Backend

_LIBRARIES = ("openvino", "torch", "diffusers")
"""Libraries that decide a graph."""

_SHAPES = 2
"""Shapes that a UNet stays compiled for. A graph for every shape would take 1.1 to 1.2 times as long."""


class CompiledUNet:
    """A UNet that draws as a compiled graph, compiled anew for each shape; it takes no ControlNet's residuals.

    Args:
        graph: of the UNet, for every shape.
        config: of the UNet.
        weight_bytes: of the graph.
        dtype: precision of the arithmetic.
    """

    dtype = torch.float32
    """Precision of the inputs and of the output."""

    def __init__(self, graph: Any, config: Mapping[str, Any], weight_bytes: int, dtype: torch.dtype) -> None:
        self.config = config
        self._graph, self._bytes = graph, weight_bytes
        self._requests: dict[tuple[torch.Size, ...], Any] = {}
        self._options = {
            "INFERENCE_PRECISION_HINT": "bf16" if dtype == torch.bfloat16 else "f32",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,  # two processes of the page would share a core, and leave others idle
        }

    @property
    def weight_bytes(self) -> int:
        """Bytes of the weights that it holds, about: a copy for each shape."""
        return self._bytes * max(1, len(self._requests))

    def __call__(
        self, latents: Tensor, timestep: Tensor, *, return_dict: bool = False, **cond: Tensor | Mapping[str, Tensor]
    ) -> tuple[Tensor]:
        """Return the noise predicted in latents `(B, C, H, W)`, as the first of a tuple."""
        tensors = _inputs(latents, timestep, cond)
        inputs = [tensor.detach().float().contiguous().numpy() for tensor in tensors]
        return (torch.from_numpy(self._request(tensors).infer(inputs, share_inputs=True)[0]),)

    def prepare(self, latents: Tensor, cond: Mapping[str, Any]) -> None:
        """Compile for the shapes of these latents and this conditioning, unless it is done."""
        self._request(_inputs(latents, torch.zeros(()), cond))

    def _request(self, inputs: tuple[Tensor, ...]) -> Any:
        shapes = tuple(tensor.shape for tensor in inputs)
        request = self._requests.pop(shapes, None) or self._compiled(shapes)
        self._requests[shapes] = request  # the last one is the one used last
        return request

    def _compiled(self, shapes: tuple[torch.Size, ...]) -> Any:
        if len(self._requests) == _SHAPES:
            del self._requests[next(iter(self._requests))]
        self._graph.reshape({number: list(shape) for number, shape in enumerate(shapes)})
        return _core().compile_model(self._graph, "CPU", self._options).create_infer_request()


AnyUNet = UNet2DConditionModel | CompiledUNet


def _inputs(latents: Tensor, timestep: Tensor, cond: Mapping[str, Any]) -> tuple[Tensor, ...]:
    """The inputs of a graph, in their order."""
    added = cond.get("added_cond_kwargs")
    pooled = () if added is None else (added["text_embeds"], added["time_ids"])
    return (latents, timestep, cond["encoder_hidden_states"], *pooled)


class UNetCompiler:
    """Compiles UNets, with their graphs in a cache on disk.

    Args:
        backend: `"openvino"`, or `"openvino-int8"` for weights in int8.
        folder: of the cache.
        dtype: precision of the arithmetic: float32, or bfloat16 on a processor that has it.
    """

    def __init__(self, backend: Backend, folder: Path, dtype: torch.dtype) -> None:
        self._cache, self._int8 = GraphCache(folder), backend == "openvino-int8"
        self._dtype = dtype

    def compile(
        self, base: UNet2DConditionModel, hashes: object, fused: Callable[[], UNet2DConditionModel]
    ) -> CompiledUNet:
        """A compiled UNet.

        Args:
            base: whose configuration it has.
            hashes: of all weights that are fused into it, as a JSON document.
            fused: gives it; called only if the cache has no graph of it.
        """
        config = dict(base.config)
        recipe = {
            "config": {key: repr(config[key]) for key in config if not key.startswith("_")},
            "weights": hashes,
            "int8": self._int8,
            "versions": {"hypersd": __version__} | {name: version(name) for name in _LIBRARIES},
        }
        graph = self._cache.graph(recipe, read, lambda part: save(self._converted(fused()), part))
        size = sum(weight.numel() for weight in base.parameters()) * (1 if self._int8 else 4)
        return CompiledUNet(graph or self._converted(fused()), config, size, self._dtype)

    def _converted(self, unet: UNet2DConditionModel) -> Any:
        graph = converted(unet if unet.dtype == torch.float32 else copy.deepcopy(unet).float())
        if self._int8:
            quantize_weights(graph)
        return graph


@cache
def _core() -> Any:
    return importlib.import_module("openvino").Core()
