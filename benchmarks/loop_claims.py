"""Results of several loops, compared with the goals of a loop.

    python -m benchmarks.loop_claims LOOP...

Each LOOP is the `--out` of a finished `python -m hypersd loop`; its first round is read, nothing is computed anew. The
table is Markdown. A figure that misses its aim says so.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hypersd.feedback.loop.round_stages import BATTLES, FEEDBACK, METRICS, REWARD, VOTES
from hypersd.feedback.loop.rounds import Round
from hypersd.utils.estimates import Estimate

LEAST_ACCURACY, NEAR_CEILING = 0.75, 0.03
LEAST_WINS = 0.60
LARGEST_LOSS = 0.01
LEAST_DIVERSITY = 0.90


@dataclass(frozen=True, slots=True)
class Claim:
    """One goal, the result of a loop, and whether it is met."""

    aim: str
    reached: str
    met: bool


def claims(finished: Round) -> Iterator[Claim]:
    """Every claim about a finished round.

    Raises:
        ValueError: a stage has not been done.
    """
    reward, battles, metrics = finished.result(REWARD), finished.result(BATTLES), finished.result(METRICS)
    accuracy, ceiling = reward.predicted, reward.self_agreement.value
    yield Claim("reward accuracy on unseen prompts ≥ 75 %", share(accuracy), accuracy.value >= LEAST_ACCURACY)
    gap = f"{100 * (accuracy.value - ceiling):+.1f} points to {ceiling:.1%}"
    yield Claim("within 3 points of self-agreement", gap, accuracy.value >= ceiling - NEAR_CEILING)
    for steps, wins in battles.steps.items():
        enough = wins.value >= LEAST_WINS and wins.low > 0.5
        yield Claim(f"wins at {steps} ≥ 60 %, lower bound > 50 %", share(wins), enough)
    for change in metrics.changes if metrics else ():
        moved = f"{change.without:.3f} to {change.tuned:.3f}"
        if change.metric == "object":
            enough = change.tuned >= change.without - LARGEST_LOSS
            yield Claim(f"right objects at {change.steps}: no point lost", moved, enough)
        if change.metric == "diversity":
            ratio = change.tuned / change.without
            yield Claim(f"diversity at {change.steps} ≥ 90 % of before", f"{ratio:.0%}", ratio >= LEAST_DIVERSITY)


def share(measured: Estimate) -> str:
    """A share with its interval."""
    return f"{measured.value:.1%} ({measured.low:.1%} to {measured.high:.1%})"


def colours(finished: Round) -> str:
    """Mean saturation of each adapter's pictures, before and after."""
    return ", ".join(
        f"{adapter.name} {adapter.start.statistics['saturation']:.3f} to {adapter.chosen.statistics['saturation']:.3f}"
        for adapter in finished.result(FEEDBACK).adapters
    )


def main() -> int:
    """Print a row a claim, a column a loop."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("loops", type=Path, nargs="+", metavar="LOOP")
    loops: list[Path] = parser.parse_args().loops
    finished = [Round(1, folder / "round-1") for folder in loops]
    tastes = [each.result(VOTES).taste or "people" for each in finished]
    titles = [f"{folder}: {taste}" for folder, taste in zip(loops, tastes, strict=True)]
    columns = [list(claims(each)) for each in finished]
    print("| claim | " + " | ".join(titles) + " |")
    print("|---|" + "---|" * len(finished))
    for row in zip(*columns, strict=True):
        cells = [claim.reached if claim.met else f"**missed: {claim.reached}**" for claim in row]
        print(f"| {row[0].aim} | " + " | ".join(cells) + " |")
    print("| mean saturation | " + " | ".join(colours(each) for each in finished) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
