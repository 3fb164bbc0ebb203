"""Hyper-SD beside its rivals: `python app.py`, and the entry point of the Space."""

from __future__ import annotations

import sys

from app.build import launch
from app.services.settings import AppSettings

if __name__ == "__main__":
    try:
        config = AppSettings.from_environment()
    except ValueError as error:
        sys.exit(str(error))
    launch(config)
