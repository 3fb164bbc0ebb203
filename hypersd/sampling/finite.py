"""Checks for NaN and infinity: an overflow or a damaged weight would otherwise give a black picture."""

from __future__ import annotations

import torch
from torch import Tensor

_HALF = (torch.float16, torch.bfloat16)


class NotFiniteError(ArithmeticError):
    """A run produced NaN or infinity; the message says where, and what to do."""


def check_embeds(*embeds: Tensor | None) -> None:
    """Check that the outputs of text encoders are finite.

    Raises:
        NotFiniteError: they are not.
    """
    for each in embeds:
        if each is not None and not _finite(each):
            raise NotFiniteError(f"the text encoder gave numbers that are not finite; {_remedy(each, 'its weights')}")


def check_latents(latents: Tensor, step: int, steps: int) -> None:
    """Check that the latents after a step are finite.

    Raises:
        NotFiniteError: they are not.
    """
    if not _finite(latents):
        remedy = _remedy(latents, "the weights of the UNet or of its adapter")
        raise NotFiniteError(f"the latents are not finite after step {step} of {steps}; {remedy}")


def check_picture(picture: Tensor) -> None:
    """Check that the output of a VAE is finite; the VAE overflows first in half precision.

    Raises:
        NotFiniteError: it is not.
    """
    if _finite(picture):
        return
    if picture.dtype in _HALF:
        raise NotFiniteError(
            f"the VAE overflowed in {_name(picture)}, so there is no picture; run the VAE in float32, or use one that "
            "is made for half precision (madebyollin/sdxl-vae-fp16-fix for SDXL)"
        )
    raise NotFiniteError(f"the VAE gave a picture of numbers that are not finite; {_remedy(picture, 'its weights')}")


def _finite(tensor: Tensor) -> bool:
    return bool(torch.isfinite(tensor).all())


def _remedy(tensor: Tensor, weights: str) -> str:
    if tensor.dtype in _HALF:
        return f"run the model in float32, or see whether {weights} are damaged ({_name(tensor)} overflows easily)"
    return f"{weights} are damaged or too large: fetch or train them again"


def _name(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
