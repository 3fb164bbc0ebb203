"""Typed results of a round's stages.

Their fields are the keys of the stages' files (see `round_stages`); what older rounds did not write has a default.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, JsonValue

from hypersd.arena.votes.battle import Kind
from hypersd.feedback.tuning.tuning_methods import TuningMethod
from hypersd.utils.estimates import Estimate


def _null_as_nan(share: Any) -> Any:
    """The JSON of a share with its nulls as NaN: JSON has no NaN, and a share of nothing is one."""
    if not isinstance(share, dict):
        return share
    return {name: float("nan") if value is None else value for name, value in share.items()}


StoredShare = Annotated[Estimate, BeforeValidator(_null_as_nan)]
"""A share with its interval, as a stage's file keeps it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VotesResult:
    """The votes that a round learns from.

    Args:
        kind: of the voters.
        data: hash of the preferences.
        votes: how many count.
        voters: how many people, or simulated voters, gave them.
        cast: how many there were before cleaning; None in older rounds.
        taste: of simulated voters.
    """

    kind: Kind
    data: str
    votes: int
    voters: int
    cast: int | None = None
    taste: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardResult:
    """The reward model in figures; `reward/report.json` has all of them.

    Args:
        kind: of the voters.
        accuracy: of decisive votes on unseen prompts; `accuracy_interval` is its 95 % interval and `decisive` their
            number.
        self_agreement, agreement: of the voters, with themselves and with each other.
        shortcuts: accuracy from something simpler alone, by its name.
        model: hash of the weights.
        data, votes, prompts: hash of the votes, how many count, and prompts by part of the split.
        learned: false if the accuracy is not above chance.
    """

    kind: Kind
    accuracy: float
    accuracy_interval: tuple[float, float]
    decisive: int
    self_agreement: StoredShare
    agreement: StoredShare
    shortcuts: dict[str, StoredShare]
    model: str
    data: str = ""
    votes: int = 0
    prompts: dict[str, int] = field(default_factory=dict[str, int])
    learned: bool = True

    @property
    def predicted(self) -> Estimate:
        """The accuracy with its interval."""
        return Estimate(self.accuracy, *self.accuracy_interval, self.decisive)


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepResult:
    """Validation metrics of the student with its adapter at one weight; see `guard.Check`.

    Args:
        objection: why the weight is not allowed; empty if it is.
    """

    weight: float
    objection: str
    reward: float
    second: float
    alignment: float
    diversity: float
    distance: float
    statistics: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterResult:
    """One tuned adapter.

    Args:
        name: of its file, without the ending.
        steps: at which it is run.
        weight: with which it was merged; 0 is the untuned model.
        stopped: why the training ended before its time; empty if it did not.
        points: the sweep over weights, the untuned model first.
    """

    name: str
    steps: tuple[int, ...]
    weight: float
    stopped: str
    points: tuple[SweepResult, ...]

    @property
    def start(self) -> SweepResult:
        """The untuned model."""
        return self.points[0]

    @property
    def chosen(self) -> SweepResult:
        """The weight that was merged.

        Raises:
            ValueError: the sweep does not hold it.
        """
        for point in self.points:
            if point.weight == self.weight:
                return point
        raise ValueError(f"the sweep of {self.name} has no weight {self.weight:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """The origin of a tuned model: hashes of votes and reward model, the round, the method, the parent."""

    votes: str = ""
    kind: Kind = "simulated"
    reward: str = ""
    round: int = 0
    method: str = ""
    parent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningResult:
    """A tuned model.

    Args:
        name: as a contestant.
        entered: it is in the arena; it is not where nothing better than its parent came of the tuning. Older rounds
            let every contestant in and did not write this.
        parent: the model that was tuned.
    """

    name: str
    method: TuningMethod
    adapters: tuple[AdapterResult, ...]
    lineage: Lineage = field(default_factory=Lineage)
    parent: str = ""
    entered: bool = True

    @property
    def successor(self) -> str:
        """The model that the next round begins with."""
        return self.name if self.entered else self.parent

    def opponents(self) -> dict[str, str]:
        """Opponents of a contestant of another method: the parent, and this model if it entered."""
        return {"untuned": self.parent} | ({"tuned": self.name} if self.entered else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class BattleResult:
    """Blind battles of a tuned model against an older one.

    Args:
        steps: share of decisive battles that the tuned model won, by number of steps; empty if none was fought.
        ties: by number of steps.
        reason: sentence that says why no battle was fought (stored as `told`).
        taste: of the simulated voters; None in older rounds.
        board: the leaderboard of these battles as JSON, for readers of the file.
    """

    kind: Kind
    voters: int = 0
    steps: dict[int, StoredShare] = field(default_factory=dict[int, Estimate])
    ties: dict[int, int] = field(default_factory=dict[int, int])
    reason: Annotated[str, Field(alias="told")] = ""
    taste: str | None = None
    board: JsonValue = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricChange:
    """A metric before (`without`) and after (`tuned`, stored as `with`) the tuning, at a number of steps."""

    metric: str
    steps: int
    without: float
    tuned: Annotated[float, Field(alias="with")]
    difference: dict[str, JsonValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsResult:
    """The judge's metrics of a tuned model and its parent."""

    prompts: int
    seeds: int
    changes: tuple[MetricChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BesideResult(TuningResult):
    """A model that another method (`--beside`) made of the same votes.

    Args:
        battles: against the untuned model and, if that entered, the tuned one.
    """

    battles: dict[str, BattleResult]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportResult:
    """File names of the report and its pictures, in the round's folder."""

    report: str
    before: str
    after: str
