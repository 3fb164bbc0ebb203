"""Rounds of feedback started by the page's owner: the check of the owner, and the process of a round."""

from __future__ import annotations

import hmac
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from app.services.settings import AppSettings
from hypersd.feedback.loop.lock import lock, lock_file, owner_pid, write_pid
from hypersd.feedback.loop.round_stages import STAGES
from hypersd.feedback.loop.rounds import Round, rounds
from hypersd.models.specs import Capability
from hypersd.utils.environment import Environment

_ROOT = Path(__file__).resolve().parents[2]
_LOG = "round.log"
_LOG_BYTES = 4000
_POLL_SECONDS = 0.05


class NotAllowed(Exception):  # noqa: N818 - a refusal, not a fault
    """Refusal of a request; the message is for the visitor."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Owner of the page, who may start a round, and cancel it.

    Args:
        token: the owner's token; empty disables it.
        name: the owner's sign-in name; empty disables signing in.
    """

    token: str = field(repr=False)
    name: str = ""

    def check(self, token: str | None, name: str | None) -> None:
        """Check that a visitor is the owner.

        Args:
            token: of the visitor, if given.
            name: of the signed-in visitor.

        Raises:
            NotAllowed: the visitor is not the owner.
        """
        # In bytes: compare_digest accepts only ASCII strings.
        known = bool(self.token) and hmac.compare_digest((token or "").encode(), self.token.encode())
        if not known and not (self.name and name == self.name):
            raise NotAllowed("Only the owner of this page can do that; the token is not theirs.")


@dataclass(frozen=True, slots=True)
class RoundProgress:
    """Progress of the loop's last round.

    Args:
        number: of the round.
        done: stages that are done.
        stage: the current or next stage; None if all are done.
        running: whether a process works on it now.
    """

    number: int
    done: int
    stage: str | None
    running: bool


@dataclass
class LoopRunner:
    """Starts and cancels rounds, one at a time, each in its own process group.

    A restarted page finds a round that is still running, also one started from a terminal.

    Args:
        folder: of the loop.
        command: command line for a number of rounds; finished rounds must not be repeated.
        environment: of the process.
        obstacle: reason why no round can be started, or empty.
        grace: seconds until a cancelled group is killed.
    """

    folder: Path
    command: Callable[[int], Sequence[str]]
    environment: Mapping[str, str] = field(default_factory=lambda: Environment().for_child(_ROOT))
    obstacle: str = ""
    grace: float = 5.0
    _process: subprocess.Popen[bytes] | None = None
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def rounds(self) -> list[Round]:
        """All rounds, oldest first."""
        return rounds(self.folder)

    def progress(self) -> RoundProgress | None:
        """Progress of the last round; None if there is none and none is being started."""
        running, every = self.pid() is not None, self.rounds()
        if not every:
            return RoundProgress(1, 0, STAGES[0].name, running=True) if running else None
        last = every[-1]
        if last.stage is None and running:
            return RoundProgress(last.number + 1, 0, STAGES[0].name, running=True)
        if last.stage is None:
            return RoundProgress(last.number, len(STAGES), None, running)
        return RoundProgress(last.number, STAGES.index(last.stage), last.stage.name, running)

    def start(self) -> None:
        """Start the next round, or continue an interrupted one.

        Raises:
            NotAllowed: a round is running already, or rounds cannot run on this machine.
            OSError: the folder cannot be written, or the process cannot be started.
        """
        if self.obstacle:
            raise NotAllowed(self.obstacle)
        self.folder.mkdir(parents=True, exist_ok=True)
        count = 1 + sum(one.stage is None for one in self.rounds())
        with self._guard, lock_file(self.folder) as held:
            if not lock(held):
                raise NotAllowed("A round is running already; there is one at a time.")
            with (self.folder / _LOG).open("wb") as log:
                self._process = subprocess.Popen(  # noqa: S603 - our own command, without input of visitors
                    list(self.command(count)),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={**self.environment, **Environment(holds_round_lock=True).variables()},
                    start_new_session=True,
                    pass_fds=(held.fileno(),),
                )
            write_pid(held, self._process.pid)

    def pid(self) -> int | None:
        """The process that does a round now."""
        if self._process is not None:
            self._process.poll()  # an ended process must not stay a zombie
        with self._guard:
            return owner_pid(self.folder)

    def cancel(self) -> None:
        """Cancel the running round; finished stages are kept.

        Raises:
            NotAllowed: no round is running.
        """
        if (process := self.pid()) is None:
            raise NotAllowed("No round is running.")
        for signal_number in (signal.SIGTERM, signal.SIGKILL):
            # Its child processes may end later, or ignore the first signal.
            _signal(process, signal_number)
            self._wait(process)

    def _wait(self, process: int) -> None:
        """Wait until the process no longer runs a round, at most for the grace period."""
        end = time.monotonic() + self.grace
        while self.pid() == process and time.monotonic() < end:
            time.sleep(_POLL_SECONDS)

    def log(self, lines: int = 12) -> str:
        """The last lines of the round's log."""
        try:
            with (self.folder / _LOG).open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _LOG_BYTES))
                # A line that overwrites itself, such as a progress bar, is shown in its last state.
                log_lines = [line.rpartition("\r")[2] for line in file.read().decode(errors="replace").split("\n")]
        except FileNotFoundError:
            return ""
        return "\n".join([line for line in log_lines if line.strip()][-lines:])


def open_runner(settings: AppSettings) -> LoopRunner:
    """The loop of the settings, on the page's votes and in the page's folder."""
    storage = settings.storage
    folder = storage.loop.resolve()

    def command(count: int) -> list[str]:
        words = ["loop", "--family", settings.family, "--rounds", str(count), "--out", str(folder)]
        return [sys.executable, "-m", "hypersd", *words]

    environment = Environment(
        data=storage.data.resolve(),
        database=storage.database,
        pictures=storage.pictures,
        emoji=settings.emoji.resolve() if settings.emoji else None,
    )
    return LoopRunner(folder, command, environment.for_child(_ROOT), _obstacle(settings))


def _obstacle(settings: AppSettings) -> str:
    family = settings.families()[settings.family]
    if not family.has(Capability.JUDGE):
        return f"{family.title} cannot run the loop: it has no scenes of its own and no judge of them."
    return ""


def _signal(process: int, number: signal.Signals) -> None:
    """Signal a process's group if it leads one, otherwise (started from a terminal) only the process."""
    with suppress(ProcessLookupError):
        os.killpg(process, number)
        return
    with suppress(ProcessLookupError):
        os.kill(process, number)
