"""The latest errors in the logs of the page and the package."""

from __future__ import annotations

import logging
import re
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime

_PLACEHOLDER = re.compile(r"%[-#0 +]*\d*(?:\.\d+)?[a-z]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An error of the log.

    Args:
        time: of the error, in UTC (ISO 8601).
        source: the module that logged it.
        message: its text, with an ellipsis for each argument.
        error: the exception's class; empty if there was none.
    """

    time: str
    source: str
    message: str
    error: str


class RecentFailures(logging.Handler):
    """Log handler that remembers the latest errors, without arguments and exceptions' messages.

    The health page is public, and these may name people, addresses or files. The log is the process's: pages that
    share a process share its errors.
    """

    def __init__(self, most: int = 10) -> None:
        super().__init__(logging.ERROR)
        self._failures: deque[Failure] = deque(maxlen=most)

    def attach(self) -> None:
        """Begin to listen to our modules."""
        for name in ("app", "hypersd"):
            logging.getLogger(name).addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Remember a record."""
        kind = record.exc_info[0] if record.exc_info else None
        failure = Failure(
            time=datetime.fromtimestamp(record.created, UTC).isoformat(timespec="seconds"),
            source=record.name,
            message=_PLACEHOLDER.sub("\N{HORIZONTAL ELLIPSIS}", str(record.msg)),
            error=kind.__name__ if kind else "",
        )
        self._failures.append(failure)

    def latest(self) -> tuple[Failure, ...]:
        """The remembered errors, newest first."""
        return tuple(reversed(self._failures.copy()))
