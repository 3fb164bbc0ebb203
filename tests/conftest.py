"""Conditions of every test: no network, one thread, and no cache but its own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

# Set before any test file imports a library: these are read at import time.
_CACHE = tempfile.TemporaryDirectory(prefix="hypersd-tests-", ignore_cleanup_errors=True)
os.environ.update(
    {
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HOME": f"{_CACHE.name}/huggingface",
        "DO_NOT_TRACK": "1",
        "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_TEMP_DIR": f"{_CACHE.name}/gradio",
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": f"{_CACHE.name}/matplotlib",
        "TOKENIZERS_PARALLELISM": "false",
    }
)
# Settings of whoever runs the tests must not leak into them.
for name in (
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"),
    *("HF_ENDPOINT", "HF_HUB_CACHE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "SPACE_ID", "SYSTEM", "HYPERSD_EMOJI"),
):
    os.environ.pop(name, None)

ROOT = Path(__file__).resolve().parents[1]

LONGEST = tuple(
    ROOT / "tests" / name
    for name in (
        *("cli/commands/test_loop.py", "training/test_devices.py", "cli/commands/test_evaluate.py"),
        *("browser", "distill/test_methods.py", "cli/test_published_cards.py", "feedback/tuning"),
    )
)
"""Files and folders that begin the tests: one that begins last is run by one worker while the other waits."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files; the others stay in their order."""
    items.sort(key=lambda item: not any(item.path.is_relative_to(place) for place in LONGEST))


from tests.processes import Processes  # noqa: E402 - its server inherits the environment that is set above


@pytest.fixture(scope="session", autouse=True)
def _remove_cache() -> Iterator[None]:
    """Remove the tests' cache when the last one has run."""
    yield
    _CACHE.cleanup()


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    """Processes of their own, which end with the test."""
    given = Processes(tmp_path_factory.mktemp("processes"))
    yield given
    given.kill()
