"""The web page. `gradio app.py` and `import app` both look for `demo` here; it is built on first access."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def _demo() -> Any:
    from app.build import build  # noqa: PLC0415 - importing a part of the page must not build all of it
    from app.services.settings import AppSettings  # noqa: PLC0415

    return build(AppSettings.from_environment())


def __getattr__(name: str) -> Any:
    if name == "demo":
        return _demo()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
