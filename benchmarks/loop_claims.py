"""What several loops came to, beside what a loop is to reach.

    python -m benchmarks.loop_claims LOOP...

Each LOOP is the `--out` of a finished `python -m hypersd loop`; its first round is read, nothing is computed anew. The
table is Markdown. A figure that misses its aim says so.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypersd.feedback.rounds import Round

LEAST_ACCURACY, NEAR_CEILING = 0.75, 0.03
LEAST_WINS = 0.60
LARGEST_LOSS = 0.01
LEAST_DIVERSITY = 0.90


@dataclass(frozen=True, slots=True)
class Claim:
    """One aim, what a loop reached, and whether that is enough."""

    aim: str
    reached: str
    met: bool


def claims(one: Round) -> Iterator[Claim]:
    """Every claim about a finished round.

    Raises:
        ValueError: a stage has not been done.
    """
    reward, battles, metrics = (stage(one, name) for name in ("reward", "battles", "metrics"))
    low, high = reward["accuracy_interval"]
    ceiling = reward["self_agreement"]["value"]
    told = f"{reward['accuracy']:.1%} ({low:.1%} to {high:.1%})"
    yield Claim("reward accuracy on unseen prompts ≥ 75 %", told, reward["accuracy"] >= LEAST_ACCURACY)
    gap = f"{100 * (reward['accuracy'] - ceiling):+.1f} points to {ceiling:.1%}"
    yield Claim("within 3 points of self-agreement", gap, reward["accuracy"] >= ceiling - NEAR_CEILING)
    for steps, share in battles["steps"].items():
        told = f"{share['value']:.1%} ({share['low']:.1%} to {share['high']:.1%})"
        enough = share["value"] >= LEAST_WINS and share["low"] > 0.5
        yield Claim(f"wins at {steps} ≥ 60 %, lower bound > 50 %", told, enough)
    for change in metrics["changes"]:
        moved = f"{change['without']:.3f} to {change['with']:.3f}"
        if change["metric"] == "object":
            enough = change["with"] >= change["without"] - LARGEST_LOSS
            yield Claim(f"right objects at {change['steps']}: no point lost", moved, enough)
        if change["metric"] == "diversity":
            ratio = change["with"] / change["without"]
            yield Claim(f"diversity at {change['steps']} ≥ 90 % of before", f"{ratio:.0%}", ratio >= LEAST_DIVERSITY)


def colours(one: Round) -> str:
    """How saturated each adapter's pictures were, and are."""
    moved: list[str] = []
    for adapter in stage(one, "feedback")["adapters"]:
        start = adapter["points"][0]
        chosen = next(point for point in adapter["points"] if point["weight"] == adapter["weight"])
        before, after = (point["statistics"]["saturation"] for point in (start, chosen))
        moved.append(f"{adapter['name']} {before:.3f} to {after:.3f}")
    return ", ".join(moved)


def stage(one: Round, name: Any) -> Mapping[str, Any]:
    """What a stage came to.

    Raises:
        ValueError: it has not been done.
    """
    told = one.done(name)
    if told is None:
        raise ValueError(f"{one.folder} has no {name}; let the loop finish")
    return told


def main() -> int:
    """Print a row a claim, a column a loop."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("loops", type=Path, nargs="+", metavar="LOOP")
    loops: list[Path] = parser.parse_args().loops
    found = [Round(1, folder / "round-1") for folder in loops]
    titles = [f"{folder}: {stage(one, 'votes')['taste'] or 'people'}" for folder, one in zip(loops, found, strict=True)]
    columns = [list(claims(one)) for one in found]
    print("| claim | " + " | ".join(titles) + " |")
    print("|---|" + "---|" * len(found))
    for row in zip(*columns, strict=True):
        cells = [claim.reached if claim.met else f"**missed: {claim.reached}**" for claim in row]
        print(f"| {row[0].aim} | " + " | ".join(cells) + " |")
    print("| mean saturation | " + " | ".join(colours(one) for one in found) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
