"""Files of Control-LoRAs before they are loaded: what is in them, from the header alone. Nothing here imports torch."""

from __future__ import annotations

from pathlib import Path

from hypersd.utils.readers import tensor_header

OWN_LAYERS = ("controlnet_cond_embedding.", "controlnet_down_blocks.", "controlnet_mid_block.")
"""Layers of a ControlNet that its UNet does not have."""

_WIDTHS = "conditioning_widths"


def metadata(widths: tuple[int, ...]) -> dict[str, str]:
    """The texts in a file that say how its ControlNet is built.

    Args:
        widths: channels of the layers that read the control image, each half as wide and high as the one before.
    """
    return {_WIDTHS: ",".join(map(str, widths))}


def conditioning_widths(file: Path) -> tuple[int, ...]:
    """The widths that a Control-LoRA's file says its ControlNet is built with (see `metadata`).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or something else.
    """
    shapes, texts = tensor_header(file)
    widths = texts.get(_WIDTHS, "").split(",")
    if not all(width.isdecimal() and int(width) for width in widths) or not any(
        key.startswith(OWN_LAYERS) for key in shapes
    ):
        raise ValueError(f"{file} is not a Control-LoRA of this package; train one with `emoji train --stages control`")
    return tuple(map(int, widths))
