"""Hyper-SD beside its rivals: `python app.py`, and the entry point of the Space."""

from __future__ import annotations

import sys

from app.build import launch
from app.services.gpu_calls import ZeroGPU
from app.services.settings import AppSettings
from hypersd.utils.environment import Environment, secrets
from hypersd.utils.log_format import configure_logging

if __name__ == "__main__":
    try:
        environment = Environment.read()
        config = AppSettings.from_environment(environment)
    except ValueError as error:
        sys.exit(str(error))
    configure_logging(environment.log, secrets())
    launch(config, gpu=ZeroGPU.here(environment))
