"""Bad input: one clear line on standard error and exit status 2, never a traceback."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from typing import NoReturn

from hypersd.utils.errors import gist

BAD_INPUT = 2
FAILED = 1
INTERRUPTED = 130


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line, without the usage before it. Its sub-parsers are of this class too."""

    def error(self, message: str) -> NoReturn:
        """Complain and exit.

        Raises:
            SystemExit: always, with status 2.
        """
        complain(f"{message} (see {self.prog} --help)")
        raise SystemExit(BAD_INPUT)


def complain(message: str) -> None:
    """Print `message` as one line on standard error."""
    print("hypersd: error:", " ".join(message.split()), file=sys.stderr)


def sentence(error: ValueError | OSError) -> str:
    """Message of an error for a person: for a file, its name and what is wrong with it."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error) or type(error).__name__


def guarded(command: Callable[[], int]) -> int:
    """Run a command; returns its exit status.

    A `ValueError` or an `OSError` is taken for bad input. Anything else is a fault of the program, and is not hidden.
    """
    try:
        status = command()
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has gone, as `head` does; keep the interpreter from complaining when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (ValueError, OSError) as error:
        complain(sentence(error))
        return BAD_INPUT
    except KeyboardInterrupt:
        complain("interrupted")
        return INTERRUPTED
    except Exception as error:
        if not _is_lost_store(error):
            raise
        complain(f"the vote store does not answer any more ({gist(error)}); check DATABASE_URL")
        return BAD_INPUT
    return status


def _is_lost_store(error: Exception) -> bool:
    """Tell a database that was reached and has gone since; SQLAlchemy, which would say so, is slow to import."""
    errors = sys.modules.get("sqlalchemy.exc")
    return errors is not None and isinstance(error, (errors.OperationalError, errors.InterfaceError))
