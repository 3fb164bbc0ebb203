"""The loop's memory: a folder for each round, a file for each stage that is done. Pages and reports read it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hypersd.errors import gist
from hypersd.files import write_json
from hypersd.readers import read_object

StageName = Literal["votes", "reward", "feedback", "contestant", "battles", "metrics", "beside", "report"]
STAGES: tuple[StageName, ...] = ("votes", "reward", "feedback", "contestant", "battles", "metrics", "beside", "report")
REPORT = "report.md"
_PLAN, _SECONDS = "plan.json", "seconds.json"


@dataclass(frozen=True)
class Round:
    """One round: `number` from 1, in a folder of its own."""

    number: int
    folder: Path

    def begin(self, plan: Mapping[str, Any]) -> None:
        """Write down how the round is made. One that goes on is made as it was begun.

        Raises:
            ValueError: it was begun in another way, or the file is damaged.
        """
        known = self._read(_PLAN, "delete its folder and the round starts anew")
        if known is None:
            write_json(self.folder / _PLAN, plan)
        elif other := [f"{name} {known.get(name)}" for name, value in plan.items() if known.get(name) != value]:
            raise ValueError(
                f"{self.folder} was begun with {', '.join(other)}; go on with that, or name another folder"
            )

    def done(self, stage: StageName) -> dict[str, Any] | None:
        """What a stage came to; None if it has not been done.

        Raises:
            ValueError: its file is damaged.
        """
        return self._read(f"{stage}.json", "delete it and the stage is done again")

    def do(self, stage: StageName, work: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        """Do a stage unless it is done, and remember what it came to and how long it took.

        Raises:
            ValueError: its file is damaged.
        """
        known = self.done(stage)
        if known is not None:
            return known
        begun = time.monotonic()
        try:
            told = dict(work())
        finally:
            self._spend(stage, time.monotonic() - begun)
        write_json(self.folder / f"{stage}.json", told)
        return told

    def seconds(self) -> dict[StageName, float]:
        """How long each stage was worked on, in the order of their first try; one that was killed does not count.

        Raises:
            ValueError: the file is damaged.
        """
        return self._read(_SECONDS, "delete it and only what is not yet done is timed") or {}

    def _spend(self, stage: StageName, seconds: float) -> None:
        spent = self.seconds()
        write_json(self.folder / _SECONDS, {**spent, stage: round(spent.get(stage, 0.0) + seconds, 1)})

    def _read(self, name: str, remedy: str) -> dict[Any, Any] | None:
        file = self.folder / name
        if not file.exists():
            return None
        try:
            return dict(read_object(file, "a file of a round"))
        except ValueError as error:
            raise ValueError(f"{file} is damaged; {remedy} ({gist(error)})") from error

    def tuning(self, beside: str | None = None) -> Path:
        """Where adapters are tuned: the round's own, or by another method beside them."""
        return self.folder / ("feedback" if beside is None else f"feedback-{beside}")

    @property
    def stage(self) -> StageName | None:
        """The first stage that is not done; None if the last one is."""
        done = {stage for stage in STAGES if (self.folder / f"{stage}.json").exists()}
        return None if STAGES[-1] in done else next(stage for stage in STAGES if stage not in done)


def has_entered(made: Mapping[str, Any]) -> bool:
    """Whether what a tuning made is in the arena: it is not where nothing better than its parent came of it."""
    return bool(made.get("entered", True))  # rounds of before this was written all let their contestant in


def opponents(made: Mapping[str, Any]) -> dict[str, str]:
    """Whom a contestant of another method fights: the model that it came from, and what was made beside it, if any."""
    untuned = {"untuned": str(made["parent"])}
    return untuned | {"tuned": str(made["name"])} if has_entered(made) else untuned


def rounds(folder: Path) -> list[Round]:
    """The rounds that a loop has begun, in order."""
    found = [Round(int(path.name.removeprefix("round-")), path) for path in folder.glob("round-[0-9]*")]
    return sorted(found, key=lambda one: one.number)
