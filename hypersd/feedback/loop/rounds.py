"""Storage of a loop: a folder for each round, a file for each stage that is done. Pages and reports read it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from hypersd.feedback.loop.round_stages import STAGES, Result, Stage
from hypersd.utils.errors import gist
from hypersd.utils.files import write_json
from hypersd.utils.readers import read_object

REPORT_FILE = "report.md"
_PLAN, _SECONDS = "plan.json", "seconds.json"


@dataclass(frozen=True)
class Round:
    """One round: `number` from 1, in a folder of its own."""

    number: int
    folder: Path

    def begin(self, plan: Mapping[str, JsonValue]) -> None:
        """Write the round's plan. A round that goes on keeps to the plan that it was begun with.

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

    def done(self, stage: Stage[Result]) -> Result | None:
        """The result of a stage; None if it has not been done, or had nothing to do.

        Raises:
            ValueError: its file is damaged.
        """
        return self._load(stage) if self._file(stage).exists() else None

    def _load(self, stage: Stage[Result]) -> Result:
        remedy = "delete it and the stage is done again"
        document = self._read(f"{stage.name}.json", remedy)
        try:
            return stage.read(document)
        except ValueError as error:
            raise ValueError(f"{self._file(stage)} is damaged ({error}); {remedy}") from error

    def result(self, stage: Stage[Result]) -> Result:
        """The result of a stage that must have been done.

        Raises:
            ValueError: it has not, or its file is damaged.
        """
        if (result := self.done(stage)) is None:
            raise ValueError(f"{self.folder} has no {stage.name}; let the loop finish")
        return result

    def do(self, stage: Stage[Result], work: Callable[[], Result]) -> Result:
        """Do a stage unless it is done; write its result, and how long it took.

        Raises:
            ValueError: its file is damaged.
        """
        if self._file(stage).exists():
            return self._load(stage)
        start = time.monotonic()
        try:
            result = work()
        finally:
            self._spend(stage, time.monotonic() - start)
        write_json(self._file(stage), stage.document(result))
        return result

    def _file(self, stage: Stage[Any]) -> Path:
        return self.folder / f"{stage.name}.json"

    def seconds(self) -> dict[str, float]:
        """Seconds that each stage was worked on, in the order of their first try; one that was killed does not count.

        Raises:
            ValueError: the file is damaged.
        """
        return self._read(_SECONDS, "delete it and only what is not yet done is timed") or {}

    def _spend(self, stage: Stage[Any], seconds: float) -> None:
        spent = self.seconds()
        write_json(self.folder / _SECONDS, {**spent, stage.name: round(spent.get(stage.name, 0.0) + seconds, 1)})

    def _read(self, name: str, remedy: str) -> dict[Any, Any] | None:
        file = self.folder / name
        if not file.exists():
            return None
        try:
            return dict(read_object(file, "a file of a round"))
        except ValueError as error:
            raise ValueError(f"{file} is damaged; {remedy} ({gist(error)})") from error

    def tuning(self, beside: str | None = None) -> Path:
        """The folder in which adapters are tuned: the round's own, or another method's beside it."""
        return self.folder / ("feedback" if beside is None else f"feedback-{beside}")

    @property
    def missing(self) -> list[Stage[Any]]:
        """The stages that are not done."""
        return [stage for stage in STAGES if not self._file(stage).exists()]

    @property
    def stage(self) -> Stage[Any] | None:
        """The first stage that is not done; None if the last one is."""
        missing = self.missing
        return missing[0] if STAGES[-1] in missing else None


def rounds(folder: Path) -> list[Round]:
    """The rounds that a loop has begun, in order."""
    started = [Round(int(path.name.removeprefix("round-")), path) for path in folder.glob("round-[0-9]*")]
    return sorted(started, key=lambda each: each.number)
