"""The log: one JSON object a line, and no secret in it."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from hypersd.utils.environment import secrets
from hypersd.utils.log_format import JSONFormatter, Redactor, TextFormatter

SECRETS = {
    "HF_TOKEN": "hf_abcdefghijklmnopqrst",
    "HYPERSD_SECRET": 'kes"é\nam',
    "HYPERSD_OWNER_TOKEN": "open-sesame",
    "OAUTH_CLIENT_SECRET": "client-secret",
    "DATABASE_URL": "postgresql+psycopg://ann:rose%40bud@db:5432/votes",
    "AWS_SECRET_ACCESS_KEY": "aws-key",
}
VALUES = ("hf_abcdefghijklmnopqrst", 'kes"é\nam', "open-sesame", "client-secret", "rose%40bud", "rose@bud", "aws-key")


def record(message: str, *arguments: object, error: BaseException | None = None) -> logging.LogRecord:
    trace = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("hypersd.somewhere", logging.ERROR, "", 0, message, arguments, trace)


def test_the_secrets_of_the_environment_are_known() -> None:
    assert secrets({**SECRETS, "HYPERSD_DATA": "/data", "PGPASSWORD": "abc", "PUBLIC": "http://[bad@"}) == set(VALUES)


def test_a_record_is_one_line_with_its_fields() -> None:
    line = JSONFormatter().format(record("%s votes\nof \N{LINE SEPARATOR} “ann”", 3))
    assert len(line.splitlines()) == 1
    fields = json.loads(line)
    assert fields["message"] == "3 votes\nof \N{LINE SEPARATOR} “ann”"
    assert (fields["level"], fields["logger"]) == ("ERROR", "hypersd.somewhere")
    assert datetime.fromisoformat(fields["time"]).utcoffset() is not None
    assert "exception" not in fields


def test_an_exception_comes_with_its_trace() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        1 / 0  # noqa: B018
    fields = json.loads(JSONFormatter().format(record("it failed", error=caught.value)))
    assert fields["exception"].startswith("Traceback")
    assert fields["exception"].endswith("ZeroDivisionError: division by zero")


@pytest.mark.parametrize("secret", VALUES)
@pytest.mark.parametrize("formatter", [JSONFormatter(VALUES), TextFormatter(VALUES)])
def test_no_secret_is_written(formatter: logging.Formatter, secret: str) -> None:
    written = formatter.format(record("using %s", secret, error=ValueError(f"{secret} is refused")))
    message = json.loads(written)["message"] if isinstance(formatter, JSONFormatter) else written
    assert secret not in written
    assert json.dumps(secret)[1:-1] not in written
    assert "using ***" in message


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("to postgresql://ann:rosebud@db/votes now", "to postgresql://ann:***@db/votes now"),
        ("to s3://key:secret/with@bucket", "to s3://key:secret/with@bucket"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("token hf_QwErTyUiOpAsDfGhJkLz refused", "token *** refused"),
        ("http://127.0.0.1:7860/arena and ann@example.org", "http://127.0.0.1:7860/arena and ann@example.org"),
    ],
)
def test_passwords_and_tokens_that_nobody_has_set_are_removed(text: str, shown: str) -> None:
    assert Redactor(())(text) == shown


def test_the_longest_secret_is_replaced_whole() -> None:
    assert Redactor(("open", "open-sesame"))("open-sesame, open") == "***, ***"


def test_a_process_logs_json_alone(root: Path) -> None:
    """Warnings, libraries' logs, and exceptions of threads too."""
    script = """
import logging, threading, warnings
from hypersd.utils.environment import Environment, secrets
from hypersd.utils.log_format import configure_logging
configure_logging(Environment.read().log, secrets())
logging.getLogger("library").warning("token %s", "open-sesame")
logging.getLogger("library").info("too much")
warnings.warn("old: open-sesame")
def fail(): raise ValueError("in a thread: open-sesame")
thread = threading.Thread(target=fail); thread.start(); thread.join()
raise RuntimeError("at the end: open-sesame")
"""
    environment = {**os.environ, **SECRETS, "HYPERSD_LOG": "json"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["level"] for line in lines] == ["WARNING", "WARNING", "CRITICAL", "CRITICAL"]
    assert lines[0]["message"] == "token ***"
    assert "in a thread: ***" in lines[2]["exception"]
    assert "open-sesame" not in done.stderr
    assert done.returncode == 1
