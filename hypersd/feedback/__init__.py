"""Human feedback: models draw for the arena, its votes become a reward model, and that tunes the models.

hypersd.feedback.tune("hyper", rewards=["out/reward"], out="out/tuned")
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    if name == "tune":
        return import_module("hypersd.feedback.tuning.tune").tune_model
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
