"""The errors that the health page shows."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.services.recent_failures import RecentFailures


@pytest.fixture
def failures() -> Iterator[RecentFailures]:
    handler = RecentFailures(most=3)
    handler.attach()
    yield handler
    for name in ("app", "hypersd"):
        logging.getLogger(name).removeHandler(handler)


def test_arguments_and_exceptions_messages_are_left_out(failures: RecentFailures) -> None:
    try:
        Path("/nowhere/secret.txt").read_text()
    except OSError:
        logging.getLogger("app.somewhere").exception("the prompt of %s and %05.1f cannot be read", "ann", 1.5)
    (failure,) = failures.latest()
    assert (failure.message, failure.error) == ("the prompt of … and … cannot be read", "FileNotFoundError")
    assert failure.source == "app.somewhere"
    assert failure.time.endswith("+00:00")


def test_the_newest_come_first_and_the_oldest_are_forgotten(failures: RecentFailures) -> None:
    for number in range(5):
        logging.getLogger("hypersd.somewhere").error(f"error {number}")  # noqa: G004 - a message without arguments
    assert [failure.message for failure in failures.latest()] == ["error 4", "error 3", "error 2"]


def test_warnings_and_others_errors_are_not_failures(failures: RecentFailures) -> None:
    logging.getLogger("app.somewhere").warning("careful")
    logging.getLogger("sqlalchemy").error("theirs")
    assert failures.latest() == ()
