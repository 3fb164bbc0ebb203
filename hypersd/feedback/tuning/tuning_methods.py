"""The methods of tuning, known without loading anything."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

TuningMethod = Literal["refl", "dpo"]

METHODS: Mapping[TuningMethod, str] = MappingProxyType(
    {
        "refl": "reward feedback learning (Hyper-SD, section 3.2)",
        "dpo": "Diffusion-DPO, from the votes themselves",
    }
)
"""Each method's title."""

LEARNING_RATES: Mapping[TuningMethod, float] = MappingProxyType({"refl": 3e-4, "dpo": 1e-4})
"""Each method's own learning rate."""
