"""Weights that a recipe applies to its base, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MAX_STRENGTH = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Weights that are applied to the base model.

    Args:
        kind: `"none"`: the base itself; `"lora"`: an adapter on its UNet; `"unet"`: a UNet's state in one file;
            `"delta"`: what is added to the base's state, in one file; `"pipeline"`: the UNet of another diffusers
            repository. Beside the UNet: `"controlnet"`: a ControlNet's state, with its `config.json`;
            `"control-lora"`: see `hypersd.models.control_lora`.
        repository: on the Hub; None means the family's own folder.
        file: in the repository or folder; None for `"none"` and `"pipeline"`.
        scale: factor of an adapter or a difference of weights.
    """

    kind: Literal["none", "lora", "unet", "delta", "pipeline", "controlnet", "control-lora"] = "none"
    repository: str | None = None
    file: str | None = None
    scale: float = 1.0

    @property
    def scalable(self) -> bool:
        """True if the weights are added to the base's, so that their scale can be changed."""
        return self.kind in ("lora", "delta")


def check_strength(strength: float) -> None:
    """Check the strength of an adapter.

    Raises:
        ValueError: it is out of range.
    """
    if not 0 < strength <= MAX_STRENGTH:
        raise ValueError(f"strength must be a number above 0 and up to {MAX_STRENGTH:g}, not {strength:g}")
