"""Hyper-SD and its rivals: run them, train them, compare them.

    import hypersd

    pictures = hypersd.compare("a big cat on a blue background", models=["base", "hyper"], seed=7)
    pictures[0].image.save("hyper.png")

What `__init__.pyi` names is imported when it is first used, so that `import hypersd` loads nothing heavy.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_MODULES = {
    "RewardModel": "hypersd.feedback.reward.reward_model",
    "SamplingParameters": "hypersd.sampling.request",
    "compare": "hypersd.api",
    "load": "hypersd.api",
    "rank": "hypersd.api",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    if name == "feedback":
        return import_module("hypersd.feedback")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES, "feedback"})
