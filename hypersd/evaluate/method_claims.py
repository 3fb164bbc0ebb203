"""Claims about methods, beside what trainings under several seeds have shown: which come out, and which do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from hypersd.evaluate.paired_bootstrap import PromptValues, paired_estimate
from hypersd.evaluate.picture_metrics import ImageMetrics, by_prompt
from hypersd.utils.estimates import UNKNOWN, Estimate

ClaimVerdict = Literal["comes out", "does not come out", "not measured"]
ClaimComparison = Literal["difference", "ratio", "value"]

TrainingRun = Mapping[tuple[str, int], Sequence[ImageMetrics]]
"""The pictures of one training seed, by model and number of steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredClaim:
    """A claim about one model at one number of steps.

    Args:
        text: the claim.
        metric: by which it is measured (see `hypersd.evaluate.metrics.METRICS`).
        model, steps: that it is about.
        other, other_steps: with which it is compared; the latter None for the same number of steps.
        comparison: of both models' means; `value` is the model's own.
        least: that must be reached.
        proven: the interval must lie above `least` as a whole: for a claim that something is better.
    """

    text: str
    metric: str
    model: str
    steps: int
    other: str | None = None
    other_steps: int | None = None
    comparison: ClaimComparison = "difference"
    least: float = 0.0
    proven: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimResult:
    """A claim with what was measured.

    Args:
        estimate: over prompts and training seeds.
        seeds: number of training seeds in which both models were measured.
    """

    claim: MeasuredClaim
    estimate: Estimate
    seeds: int
    verdict: ClaimVerdict


def _better(text: str, model: str, other: str, steps: Sequence[int], metric: str = "match") -> list[MeasuredClaim]:
    return [
        MeasuredClaim(text=text, metric=metric, model=model, other=other, steps=count, proven=True) for count in steps
    ]


def _hyper_against_the_base() -> list[MeasuredClaim]:
    objects = MeasuredClaim(
        text="Hyper's objects: 95 % of the base's at 25 steps",
        metric="object",
        model="hyper",
        steps=1,
        other="base",
        other_steps=25,
        comparison="ratio",
        least=0.95,
    )
    clean = MeasuredClaim(
        text="Hyper's match: 0.88 or more", metric="match", model="hyper", steps=1, comparison="value", least=0.88
    )
    near = [
        MeasuredClaim(
            text="Hyper's match: at least the base's at 25 steps",
            metric="match",
            model="hyper",
            steps=steps,
            other="base",
            other_steps=25,
        )
        for steps in (2, 4, 8)
    ]
    return [objects, clean, *near]


CLAIMS: tuple[MeasuredClaim, ...] = (
    *_better("TSCD better than TCD", "tscd", "tcd", (1, 2)),
    *_better("TCD better than LCM", "tcd", "lcm", (1, 2)),
    *_better("consistency-score DMD better than plain DMD", "one-step", "one-step-dmd", (1,)),
    *_better("feedback better than none, by another reward", "hyper", "hyper-plain", (1, 2, 4, 8), "reward"),
    *_hyper_against_the_base(),
    *_better("Hyper better than Lightning", "hyper", "lightning", (1, 2, 4)),
    *_better("Hyper better than Turbo", "hyper", "turbo", (1, 2, 4)),
    *(
        MeasuredClaim(
            text="unified within 3 points of the dedicated",
            metric="match",
            model="hyper-unified",
            other="hyper",
            steps=steps,
            least=-0.03,
        )
        for steps in (1, 2, 4, 8)
    ),
    *(
        MeasuredClaim(
            text="Hyper's diversity: 95 % of the base's at 25 steps",
            metric="diversity",
            model="hyper",
            steps=steps,
            other="base",
            other_steps=25,
            comparison="ratio",
            least=0.95,
        )
        for steps in (1, 4)
    ),
)
"""The claims that the embedded family is to bear out. `hyper-plain` is Hyper before feedback, `one-step-dmd` one-step
distillation by the base's score."""


def check_claim(claim: MeasuredClaim, runs: Sequence[TrainingRun]) -> ClaimResult:
    """Compare a claim with what was measured.

    Args:
        claim: the claim.
        runs: the pictures of each training seed; those without one of the models do not count.
    """
    ours = [_values(run, claim.metric, claim.model, claim.steps) for run in runs]
    others = [
        {} if claim.other is None else _values(run, claim.metric, claim.other, claim.other_steps or claim.steps)
        for run in runs
    ]
    both = [(own, other) for own, other in zip(ours, others, strict=True) if own and (other or claim.other is None)]
    if not both:
        return ClaimResult(claim=claim, estimate=UNKNOWN, seeds=0, verdict="not measured")
    estimate = paired_estimate([own for own, _ in both], [other for _, other in both], claim.comparison)
    if not estimate.known:
        return ClaimResult(claim=claim, estimate=estimate, seeds=len(both), verdict="not measured")
    holds = estimate.low > claim.least if claim.proven else estimate.value >= claim.least
    return ClaimResult(
        claim=claim, estimate=estimate, seeds=len(both), verdict="comes out" if holds else "does not come out"
    )


def _values(run: TrainingRun, metric: str, model: str, steps: int) -> PromptValues:
    """A metric by prompt; empty if it was not measured."""
    pictures = run.get((model, steps), ())
    return by_prompt(pictures, metric) if pictures and metric in pictures[0].scores else {}
