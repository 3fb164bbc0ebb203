"""UNets as OpenVINO's graphs: converted from PyTorch with their weights, in int8 too, and stored. An optional extra.

The frontend is called directly: `openvino.convert_model` takes four times the processor's time, and reports its use
over the network.
"""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from numpy.typing import NDArray
from torch import Tensor, nn

GRAPH = "unet.xml"
"""File of a stored graph; its weights are beside it, in unet.bin."""

_EXAMPLE_SIDE = 16
_EXAMPLE_TOKENS = 8
_LEVELS = 127
"""Largest magnitude of an int8 weight; the range is symmetric."""

_EXACT = ("conv_in", "conv_out")
"""Layers that stay in float32: few weights, and half of the pictures' errors come from them."""


class _PositionalUNet(nn.Module):
    """A UNet with positional arguments, which become the inputs of its graph in this order."""

    def __init__(self, unet: UNet2DConditionModel) -> None:
        super().__init__()
        self.unet: Any = unet

    def forward(
        self, latents: Tensor, time: Tensor, hidden: Tensor, text: Tensor | None = None, sizes: Tensor | None = None
    ) -> Tensor:
        """The predicted noise."""
        added = {} if text is None else {"added_cond_kwargs": {"text_embeds": text, "time_ids": sizes}}
        return self.unet(latents, time, encoder_hidden_states=hidden, return_dict=False, **added)[0]


def converted(unet: UNet2DConditionModel) -> Any:
    """A UNet in float32 as a graph for any number of latents of any size; it shares the UNet's memory."""
    decoding = importlib.import_module("openvino.frontend.pytorch.ts_decoder")
    frontend = importlib.import_module("openvino.frontend").FrontEndManager().load_by_framework("pytorch")
    # `torch.export` takes three times as long as the tracing that PyTorch has deprecated.
    with warnings.catch_warnings(), torch.inference_mode(mode=False), torch.no_grad():
        warnings.simplefilter("ignore")
        decoder = decoding.TorchScriptPythonDecoder(
            _PositionalUNet(unet), example_input=_example(unet), trace_kwargs={"check_trace": False}
        )
        return frontend.convert(frontend.load(decoder))


def _example(unet: UNet2DConditionModel) -> tuple[Tensor, ...]:
    """Inputs of the right shapes; a graph of one sample would be one for a single sample only."""
    config: Any = unet.config
    latents = torch.zeros(2, config["in_channels"], _EXAMPLE_SIDE, _EXAMPLE_SIDE)
    inputs = (latents, torch.tensor(500.0), torch.zeros(2, _EXAMPLE_TOKENS, config["cross_attention_dim"]))
    if config["addition_embed_type"] != "text_time":
        return inputs
    pooled = config["projection_class_embeddings_input_dim"] - 6 * config["addition_time_embed_dim"]
    return (*inputs, torch.zeros(2, pooled), torch.zeros(2, 6))


def quantize_weights(graph: Any) -> None:
    """Put the weights of a graph's convolutions and matrix products in int8, with a factor for each output channel."""
    operators = importlib.import_module("openvino.opset13")
    for constant in graph.get_ops():
        if constant.get_type_name() != "Constant" or len(constant.shape) < 2 or _is_exact(constant.friendly_name):
            continue
        uses = [use for use in constant.output(0).get_target_inputs() if _is_weight(use)]
        if uses:
            whole, scale = (operators.constant(values) for values in int8(constant.data))
            restored = operators.multiply(operators.convert(whole, "f32"), scale)
            for use in uses:
                use.replace_source_output(restored.output(0))


def _is_exact(name: str) -> bool:
    return any(layer in name.split(".") for layer in _EXACT)


def _is_weight(use: Any) -> bool:
    return use.get_index() == 1 and use.get_node().get_type_name() in ("Convolution", "MatMul")


def int8(weight: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Weights `(output channels, …)` as whole numbers from −127 to 127, and their factor for each output channel."""
    largest = np.abs(weight).max(axis=tuple(range(1, weight.ndim)), keepdims=True)
    scale = (np.where(largest > 0, largest, 1) / _LEVELS).astype(np.float32)
    return np.round(weight / scale).astype(np.int8), scale


def save(graph: Any, folder: Path) -> None:
    """Write a graph and its weights into a folder.

    Raises:
        OSError: it cannot be written.
    """
    try:
        importlib.import_module("openvino").save_model(graph, folder / GRAPH, compress_to_fp16=False)
    except RuntimeError as error:
        raise OSError(f"cannot write {folder / GRAPH}") from error


def read(folder: Path) -> Any:
    """Read a graph; its weights stay on disk until it is compiled.

    Raises:
        OSError: its files are damaged.
    """
    try:
        return importlib.import_module("openvino").Core().read_model(folder / GRAPH)
    except RuntimeError as error:
        raise OSError(f"{folder / GRAPH} is damaged") from error
