"""The process's log on stderr: as text, or one JSON object a line; secrets are removed from it."""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from types import TracebackType
from typing import Literal

LogFormat = Literal["text", "json"]

_HIDDEN = "***"
_PASSWORD = re.compile(r"(?<=://)([^\s:/@]*):[^\s/]+@")
"""User and password in a URL."""

_TOKEN = re.compile(r"\bhf_[A-Za-z0-9]{16,}\b|(?i:(?<=bearer )[^\s,'\"]+)")
"""Tokens that nobody has set here, such as those in a request."""

_SERVER_LOGGERS = ("uvicorn", "uvicorn.access", "uvicorn.error")


def configure_logging(form: LogFormat, secrets: Iterable[str]) -> None:
    """Write all logs of this process to stderr: ours, the libraries', and Python's warnings.

    Args:
        form: `text`: time, level, module and message; `json`: one object a line.
        secrets: texts that are replaced in messages and stack traces.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JSONFormatter(secrets) if form == "json" else TextFormatter(secrets))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.captureWarnings(form == "json")
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda args: _log_uncaught(args.exc_type, args.exc_value, args.exc_traceback)


def adopt_server_logs() -> None:
    """Send the web server's logs through our handler. Call this when it runs: it sets its own handlers at its start."""
    for name in _SERVER_LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True


def _log_uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    """Log an exception that ends the process or a thread; an interruption by the keyboard ends it as usual."""
    if error is None or issubclass(kind, KeyboardInterrupt | SystemExit):
        return
    logging.getLogger(__name__).critical("an exception was not caught", exc_info=(kind, error, trace))


class Redactor:
    """Replaces secrets in texts: known ones, passwords in URLs, and tokens."""

    def __init__(self, secrets: Iterable[str]) -> None:
        """`secrets`: the longest are replaced first, because one may be a part of another."""
        parts = [re.escape(secret) for secret in sorted(secrets, key=len, reverse=True) if secret]
        self._known = re.compile("|".join(parts)) if parts else None

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        known = self._known.sub(_HIDDEN, text) if self._known else text
        return _TOKEN.sub(_HIDDEN, _PASSWORD.sub(rf"\1:{_HIDDEN}@", known))


class TextFormatter(logging.Formatter):
    """Formatter of text without secrets."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._redact = Redactor(secrets)

    def format(self, record: logging.LogRecord) -> str:
        """A record, with its stack trace on further lines."""
        return self._redact(super().format(record))


class JSONFormatter(logging.Formatter):
    """Formatter of JSON without secrets: time (UTC), level, logger, message, and exception if there is one."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._redact = Redactor(secrets)

    def format(self, record: logging.LogRecord) -> str:
        """A record, on one line of ASCII."""
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        # Before they are escaped: a secret may hold a letter that JSON writes otherwise.
        return json.dumps({name: self._redact(text) for name, text in fields.items()})
