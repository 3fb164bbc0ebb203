"""Calls of diffusers and transformers: without their noise, and with their errors in one sentence."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from diffusers.utils import logging as diffusers_logging
from safetensors import SafetensorError
from transformers.utils import logging as transformers_logging

from hypersd.utils.errors import gist

_BUILDING = threading.RLock()
# A forked process has one thread only: it must not begin while another one holds the lock.
os.register_at_fork(before=_BUILDING.acquire, after_in_parent=_BUILDING.release, after_in_child=_BUILDING.release)


@contextmanager
def building() -> Generator[None]:
    """Within this context no other thread reads weights into networks.

    While diffusers and peft read a model, they let every new layer of the process, in any thread, be one without
    memory (`accelerate.init_empty_weights`): an adapter that is put on a UNet meanwhile would lose some of its layers.
    """
    with _BUILDING:
        yield


@contextmanager
def quietly() -> Generator[None]:
    """Within this context the libraries show no progress bars of their own and only report errors.

    They warn at every load of a pipeline whose VAE is an AutoencoderTiny.
    """
    libraries = (diffusers_logging, transformers_logging)
    before = [(library.get_verbosity(), library.is_progress_bar_enabled()) for library in libraries]
    for library in libraries:
        library.set_verbosity_error()
        library.disable_progress_bar()
    try:
        yield
    finally:
        for library, (level, bars) in zip(libraries, before, strict=True):
            library.set_verbosity(level)
            if bars:
                library.enable_progress_bar()


@contextmanager
def fitting(folder: Path) -> Generator[None]:
    """Within this context, a library that cannot put a model together says so in one sentence.

    Raises:
        ValueError: it cannot; the message names the folder.
    """
    try:
        yield
    except (AttributeError, ImportError, KeyError, RuntimeError, TypeError, ValueError, SafetensorError) as error:
        raise ValueError(f"the files of the model in {folder} do not belong together: {gist(error)}") from error
