"""With feedback against without, as in the second half of Hyper-SD's Table 3: the differences, and how sure they are.

Both models drew the same prompts from the same seeds, so their pictures are compared in pairs: what makes a prompt hard
is hard for both, and cancels. An interval of the differences is narrower than those of the two means suggest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hypersd.evaluate.evaluation_report import cell
from hypersd.evaluate.intervals import bootstrap_mean
from hypersd.evaluate.metrics import BY_NAME, Metric
from hypersd.evaluate.picture_metrics import ImageMetrics, by_prompt, over_prompts
from hypersd.utils.estimates import Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Effect of feedback on a metric at a number of steps: both means, and the mean of the differences a prompt."""

    metric: Metric
    steps: int
    without: Estimate
    tuned: Estimate
    difference: Estimate

    @property
    def sure(self) -> bool:
        """True if the interval of the difference leaves out zero."""
        return self.difference.low > 0 or self.difference.high < 0


def changes(without: Sequence[ImageMetrics], tuned: Sequence[ImageMetrics]) -> list[Change]:
    """Every metric's change at each number of steps that both models ran at, fewest steps first.

    Only pictures count whose prompt and seed both models drew.

    Args:
        without: pictures of the model before feedback.
        tuned: pictures of the model after it.

    Raises:
        ValueError: one of them holds several models' pictures, or none, or they have no picture to compare.
    """
    for pictures in (without, tuned):
        if len(models := {picture.model for picture in pictures}) != 1:
            raise ValueError(f"an ablation compares one model with one other, not {sorted(models)}")
    differences: list[Change] = []
    for steps in sorted({picture.steps for picture in without} & {picture.steps for picture in tuned}):
        first, second = ({_asked(one): one for one in side if one.steps == steps} for side in (without, tuned))
        both = [asked for asked in first if asked in second]
        if both:
            before, after = [first[asked] for asked in both], [second[asked] for asked in both]
            differences += [_change(BY_NAME[name], steps, before, after) for name in before[0].scores]
    if not differences:
        raise ValueError("the two models have no prompt, seed and number of steps in common")
    return differences


def ablation_table(without: Sequence[ImageMetrics], tuned: Sequence[ImageMetrics]) -> str:
    """A GitHub table: at each number of steps a line without feedback, one with it, and their difference.

    Differences of shares are in points of per cent; what is bold differs from zero by more than chance explains.

    Raises:
        ValueError: there is nothing to compare (see `changes`).
    """
    differences = changes(without, tuned)
    headings = list(dict.fromkeys(change.metric.heading for change in differences))
    lines = ["| steps | feedback | " + " | ".join(headings) + " |", "|---:|---|" + "---:|" * len(headings)]
    for steps in dict.fromkeys(change.steps for change in differences):
        here = [change for change in differences if change.steps == steps]
        lines += [
            _line(str(steps), "without", [cell(change.metric, change.without) for change in here]),
            _line("", "with", [cell(change.metric, change.tuned) for change in here]),
            _line("", "difference", [_difference(change) for change in here]),
        ]
    prompts = len({one.prompt for one in without} & {one.prompt for one in tuned})
    caption = (
        f"Without: {without[0].model}; with: {tuned[0].model}. Brackets and ± are 95 % intervals, bootstrap over "
        f"{prompts} prompts, of the differences in pairs; bold differences leave out zero."
    )
    return "\n".join([*lines, "", caption]) + "\n"


def _asked(picture: ImageMetrics) -> tuple[str, int]:
    return picture.prompt, picture.seed


def _change(metric: Metric, steps: int, before: Sequence[ImageMetrics], after: Sequence[ImageMetrics]) -> Change:
    first, second = by_prompt(before, metric.name), by_prompt(after, metric.name)
    differences = [second[prompt] - first[prompt] for prompt in first if prompt in second]
    return Change(
        metric=metric,
        steps=steps,
        without=over_prompts(before, metric.name),
        tuned=over_prompts(after, metric.name),
        difference=bootstrap_mean(differences, bounds=_difference_bounds(metric)),
    )


def _difference_bounds(metric: Metric) -> tuple[float, float] | None:
    """The bounds of a difference of two values of a metric."""
    if metric.bounds is None:
        return None
    low, high = metric.bounds
    return low - high, high - low


def _difference(change: Change) -> str:
    """`+3.1 [-1, +8]` in points for a share, `+0.012 [+0.004, +0.020]` otherwise."""
    interval = change.difference
    if not interval.known:
        return "–"
    share = change.metric.share
    scale, digits = (100, 1) if share else (1, change.metric.digits)
    ends = 0 if share else digits
    text = f"{scale * interval.value:+.{digits}f}"
    if not math.isnan(interval.low):
        text += f" [{scale * interval.low:+.{ends}f}, {scale * interval.high:+.{ends}f}]"
    return f"**{text}**" if change.sure else text


def _line(steps: str, which: str, cells: Sequence[str]) -> str:
    return f"| {steps} | {which} | " + " | ".join(cells) + " |"
