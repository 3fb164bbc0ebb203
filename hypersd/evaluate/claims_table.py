"""Results of several trainings from the folders that `evaluate` left, and the table of claims about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hypersd.evaluate.method_claims import ClaimResult, MeasuredClaim, TrainingRun
from hypersd.evaluate.metrics import BY_NAME
from hypersd.evaluate.paper_tables import TextTable
from hypersd.evaluate.picture_metrics import ImageMetrics, read_pictures

ADAPTER = "adapter"
"""Name that `evaluate --adapter` gives the user's adapter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationFolder:
    """A folder that `evaluate` left; `name` is that of the adapter that was measured in it, or None."""

    folder: Path
    name: str | None = None


def read_run(folders: Sequence[EvaluationFolder]) -> TrainingRun:
    """The pictures of one training seed, from one folder or several.

    Raises:
        OSError: a folder has no results.
        ValueError: they are damaged, or two folders measured the same model at the same number of steps.
    """
    run: dict[tuple[str, int], list[ImageMetrics]] = {}
    for each in folders:
        measured: dict[tuple[str, int], list[ImageMetrics]] = {}
        for picture in read_pictures(each.folder / "pictures.csv"):
            renamed = replace(picture, model=each.name) if each.name and picture.model == ADAPTER else picture
            measured.setdefault((renamed.model, renamed.steps), []).append(renamed)
        if twice := sorted(run.keys() & measured.keys()):
            model, steps = twice[0]
            raise ValueError(f"{each.folder} measured {model} at {steps} steps, and so did another folder of its seed")
        run |= measured
    return run


def claims_table(results: Sequence[ClaimResult]) -> TextTable:
    """A row a claim: what is claimed, what was measured with its interval, and the verdict."""
    return TextTable(
        name="claims",
        title="Claims of the method on the embedded family",
        head=["claim", "steps", "metric", "aim", "ours", "training seeds", "prompts", "verdict"],
        rows=[_cells(result) for result in results],
        records=[
            {
                "claim": result.claim.text,
                "model": result.claim.model,
                "other": result.claim.other,
                "steps": result.claim.steps,
                "metric": result.claim.metric,
                "comparison": result.claim.comparison,
                "least": result.claim.least,
                "value": result.estimate.value,
                "low": result.estimate.low,
                "high": result.estimate.high,
                "seeds": result.seeds,
                "prompts": result.estimate.n,
                "verdict": result.verdict,
            }
            for result in results
        ],
        notes=[
            "Brackets are 95 % intervals: bootstrap over prompts and training seeds, both models in pairs.",
            "A model is better if the whole interval lies above 0; another aim is reached if the value reaches it.",
        ],
    )


def _cells(result: ClaimResult) -> list[str]:
    claim, estimate = result.claim, result.estimate
    ours = "–"
    if estimate.known:
        ours = f"{_number(claim, estimate.value)} [{_number(claim, estimate.low)}, {_number(claim, estimate.high)}]"
    aim = f"{'above' if claim.proven else 'at least'} {_number(claim, claim.least)}"
    counts = [str(result.seeds or "–"), str(estimate.n or "–")]
    return [claim.text, str(claim.steps), BY_NAME[claim.metric].heading, aim, ours, *counts, result.verdict]


def _number(claim: MeasuredClaim, value: float) -> str:
    if claim.comparison == "ratio":
        return f"{value:.1%}"
    return f"{value:+.3f}" if claim.comparison == "difference" else f"{value:.3f}"
