"""Stages of a round, and the JSON in which a round's folder keeps their results."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar, cast

from pydantic import JsonValue, TypeAdapter, ValidationError

from hypersd.feedback.loop.results import (
    BattleResult,
    BesideResult,
    MetricsResult,
    ReportResult,
    RewardResult,
    TuningResult,
    VotesResult,
)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Stage(Generic[Result]):
    """A stage of a round.

    Args:
        name: of the stage and of its file.
        result: the dataclass of its result.
        optional: the stage may have nothing to do; its file is then an empty object, its result None.
    """

    name: str
    result: type[Any]
    optional: bool = False

    def read(self, document: JsonValue) -> Result:
        """A result from its JSON.

        Raises:
            ValueError: the JSON is of something else; the message says where.
        """
        if self.optional and document == {}:
            return cast("Result", None)
        try:
            return _adapter(self.result).validate_python(document)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or self.name
            raise ValueError(f"{place}: {first['msg']}") from error

    def document(self, result: Result) -> Any:
        """A result as JSON."""
        return {} if result is None else _adapter(self.result).dump_python(result, mode="json", by_alias=True)


@cache
def _adapter(result: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(result)


VOTES: Stage[VotesResult] = Stage("votes", VotesResult)
REWARD: Stage[RewardResult] = Stage("reward", RewardResult)
FEEDBACK: Stage[TuningResult] = Stage("feedback", TuningResult)
CONTESTANT: Stage[TuningResult] = Stage("contestant", TuningResult)
BATTLES: Stage[BattleResult] = Stage("battles", BattleResult)
METRICS: Stage[MetricsResult | None] = Stage("metrics", MetricsResult, optional=True)
BESIDE: Stage[BesideResult | None] = Stage("beside", BesideResult, optional=True)
REPORT: Stage[ReportResult] = Stage("report", ReportResult)

STAGES: tuple[Stage[Any], ...] = (VOTES, REWARD, FEEDBACK, CONTESTANT, BATTLES, METRICS, BESIDE, REPORT)
"""All stages in their order."""
