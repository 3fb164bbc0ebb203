"""Passes of one UNet as several models: the base, an adapter, other weights of an adapter, an adapter merged in.

A pass is chosen by replacing the `forward` of the LoRA layers. peft's own switches also change which weights require a
gradient, and take 13 ms for the embedded UNet on a CPU, a tenth of a pass of two samples.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from hypersd.training.adapters import NAME, adapter_weights

LayerForward = Callable[[Any, Tensor], Tensor]
"""Function from a LoRA layer and its input to its output."""


def pass_with_adapter(unet: UNet2DConditionModel, name: str = NAME) -> None:
    """Let the UNet compute with this adapter; peft's own layers also multiply by the scale, which is 1 in training."""
    _assign({layer: partial(_low_rank, layer, name=name) for layer in _lora_layers(unet)})


@contextmanager
def disable_adapter(unet: UNet2DConditionModel) -> Generator[None]:
    """Within this context the UNet is the base model, which is the teacher."""
    with _forwards(unet, _base):
        yield


@contextmanager
def chosen_adapter(unet: UNet2DConditionModel, name: str) -> Generator[None]:
    """Within this context the UNet has the adapter of this name; for gradients of its weights too."""
    with _forwards(unet, partial(_low_rank, name=name)):
        yield


@contextmanager
def swapped_adapter(unet: UNet2DConditionModel, weights: Sequence[Tensor]) -> Generator[None]:
    """Within this context the adapter has other weights: its moving average, or an earlier stage.

    For use without gradients. The tensors themselves are used, and nothing is copied.
    """
    parameters = adapter_weights(unet)
    kept = [parameter.data for parameter in parameters]
    for parameter, other in zip(parameters, weights, strict=True):
        parameter.data = other.detach()
    try:
        yield
    finally:
        for parameter, own in zip(parameters, kept, strict=True):
            parameter.data = own


@contextmanager
def fused_adapter(
    unet: UNet2DConditionModel, weights: Sequence[Tensor] | None = None, *, name: str = NAME
) -> Generator[None]:
    """Within this context each layer computes with W + BA, for passes without gradients.

    A layer's sum is computed when the layer is reached, and freed after it: the base's weights are never written, and
    the additional memory is one layer's. In half precision the adapter stays apart, since the rounding of W + BA would
    hide small changes of BA.

    Args:
        unet: with the adapter.
        weights: of the adapter in the place of its own, as for `swapped_adapter`; only for the default name.
        name: of the adapter.
    """
    with swapped_adapter(unet, weights) if weights else nullcontext(), _forwards(unet, partial(_fused, name=name)):
        yield


def recompute_with_adapter(unet: UNet2DConditionModel) -> Callable[..., Any]:
    """Gradient checkpointing for `unet.enable_gradient_checkpointing` that recomputes with the pass's own adapter.

    The gradient is computed after the context of `chosen_adapter`, where PyTorch's own would recompute with another.
    """

    def run(module: nn.Module, *arguments: Any) -> Any:
        chosen = {layer: vars(layer).get("forward") for layer in _lora_layers(unet)}

        def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
            return nullcontext(), _restored(chosen)

        return checkpoint(module, *arguments, use_reentrant=False, context_fn=contexts)

    return run


def _lora_layers(unet: UNet2DConditionModel) -> list[LoraLayer]:
    return [layer for layer in unet.modules() if isinstance(layer, LoraLayer)]


@contextmanager
def _forwards(unet: UNet2DConditionModel, forward: LayerForward) -> Generator[None]:
    """Within this context all LoRA layers compute by this function."""
    with _restored({layer: partial(forward, layer) for layer in _lora_layers(unet)}):
        yield


@contextmanager
def _restored(forwards: dict[LoraLayer, Any]) -> Generator[None]:
    """Within this context layers have these functions for their `forward`; None is their class's own."""
    before = {layer: vars(layer).get("forward") for layer in forwards}
    _assign(forwards)
    try:
        yield
    finally:
        _assign(before)


def _assign(forwards: dict[LoraLayer, Any]) -> None:
    for layer, forward in forwards.items():
        if forward is None:
            vars(layer).pop("forward", None)
        else:
            vars(layer)["forward"] = forward


def _base(layer: Any, inputs: Tensor) -> Tensor:
    return layer.base_layer(inputs)


def _low_rank(layer: Any, inputs: Tensor, name: str) -> Tensor:
    """W·x + B·(A·x); the scale of adapters in training is 1."""
    return layer.base_layer(inputs) + layer.lora_B[name](layer.lora_A[name](inputs))


def _fused(layer: Any, inputs: Tensor, name: str) -> Tensor:
    device = inputs.device.type
    if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
        return _low_rank(layer, inputs, name)
    base, down, up = layer.base_layer, layer.lora_A[name].weight, layer.lora_B[name].weight
    if base.weight.dim() == 2:
        return F.linear(inputs, torch.addmm(base.weight, up, down), base.bias)
    # Channels last: the order in which the weights of a convolution on a CPU are stored (see `Student`).
    kernel, down = base.weight.permute(0, 2, 3, 1), down.permute(0, 2, 3, 1)
    merged = torch.addmm(kernel.flatten(1), up.flatten(1), down.flatten(1)).view(kernel.shape).permute(0, 3, 1, 2)
    return F.conv2d(inputs, merged, base.bias, base.stride, base.padding)
