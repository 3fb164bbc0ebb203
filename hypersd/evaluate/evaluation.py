"""Evaluation of models on prompts: drawn and measured prompt by prompt, by one process or several, and summed up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from accelerate import PartialState
from tqdm import tqdm

from hypersd.evaluate.evaluation_report import ReportRow, write_report
from hypersd.evaluate.frechet import LEAST
from hypersd.evaluate.measured_prompts import (
    FailedRun,
    MeasuredPrompt,
    digest_of,
    file_of,
    read_measured,
    write_measured,
    write_plan,
)
from hypersd.evaluate.metric_sources import judged_by_its_own
from hypersd.evaluate.picture_metrics import write_pictures
from hypersd.evaluate.reference import FrechetReference, Reference
from hypersd.evaluate.suite import MeasuredImage, MetricSuite
from hypersd.models.engine import Engine
from hypersd.models.families.embedded import rendered_scenes
from hypersd.models.registry import BASE, is_local
from hypersd.models.specs import Family
from hypersd.models.weights import Weights
from hypersd.sampling.comparison import DrawAll, Event, drawn_by, grid
from hypersd.sampling.comparison_folder import styles_record
from hypersd.sampling.png import write_png
from hypersd.sampling.record import base_record, grid_texts, recipe_record, run_record, versions, weights_record
from hypersd.sampling.request import MAX_SEED, Generation, Request, Run

GRIDS = 4
"""Number of comparisons that are kept as pictures, to be looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationPlan:
    """Plan of an evaluation.

    Args:
        runs: models, each at a number of steps.
        seed: of the first picture of the first prompt; that of each next prompt is one above.
        seeds: pictures a prompt and run, from the prompt's own seed on.
        reward: identity of the reward model that is measured too, or None.
        reference: identity of the pictures that FID is measured from, or None.
    """

    family: Family
    prompts: tuple[str, ...]
    runs: tuple[Run, ...]
    seed: int = 0
    seeds: int = 1
    reward: str | None = None
    reference: str | None = None

    def requests(self, index: int) -> list[Request]:
        """The requests of a prompt, one a seed."""
        return [
            Request(
                prompt=self.prompts[index],
                seed=(self.seed + index + number) % (MAX_SEED + 1),
                family=self.family.name,
                runs=self.runs,
            )
            for number in range(self.seeds)
        ]

    @property
    def settings(self) -> list[tuple[str, int]]:
        """Models and their numbers of steps, in order."""
        return [(run.model, self.family.spec(run.model).recipe(run.steps).steps) for run in self.runs]

    @property
    def base_run(self) -> tuple[str, int]:
        """The base, at its own number of steps."""
        return self.family.base_model.name, self.family.base_model.default_steps

    def record(self, engine: Engine, metrics: Sequence[str]) -> dict[str, Any]:
        """Everything that decides what is measured, as a JSON object."""
        return {
            "family": self.family.name,
            "prompts": list(self.prompts),
            "seed": self.seed,
            "seeds": self.seeds,
            "metrics": list(metrics),
            "reward": self.reward,
            "reference": self.reference,
            "base": base_record(self.family, _sha256(engine, BASE)),
            "styles": styles_record(engine),
            "vae": self.family.vae,
            "models": [self._model_record(engine, model, steps) for model, steps in self.settings],
            "backend": None if engine.machine.backend == "torch" else engine.machine.backend,
            "versions": versions(engine.machine.backend),
        }

    def _model_record(self, engine: Engine, model: str, steps: int) -> dict[str, Any]:
        recipe = self.family.spec(model).recipe(steps)
        weights = weights_record(recipe.weights, _sha256(engine, recipe.weights))
        return {"model": model, **recipe_record(recipe), "weights": weights}


def _sha256(engine: Engine, weights: Weights) -> str | None:
    """The hash of weights that are files of this machine; those of the Hub are known by their names."""
    family = engine.family
    own = weights.repository is None and bool(weights.file or family.folder or family.base)
    return engine.sha256(weights) if own and is_local(engine.family, weights, engine.machine) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationResults:
    """Results of an evaluation: the table's rows, and everything that is to be said beside them."""

    rows: Sequence[ReportRow]
    failures: Sequence[FailedRun]
    warnings: Sequence[str]
    files: Sequence[Path]


def evaluate(
    plan: EvaluationPlan,
    engine: Engine,
    suite: MetricSuite,
    out: Path,
    processes: PartialState,
    *,
    resume: bool,
    reference: Callable[[], FrechetReference] | None = None,
    draw_all: DrawAll | None = None,
) -> EvaluationResults | None:
    """Draw and measure everything, and write the files.

    Each process takes its share of the prompts; the main one joins what all have measured. They must see one folder.

    Args:
        plan: the work.
        engine: of the plan's family.
        suite: of the family.
        out: where the files go.
        processes: those that share the work, often one.
        resume: keep what an interrupted run of the same plan has measured; otherwise it is measured again.
        reference: reads real pictures to measure FID from, in the main process, when it is known that the folder is
            the plan's; None for the family's own, if it has any.
        draw_all: draws elsewhere; None is by the engine.

    Returns:
        None in all processes but the main one.

    Raises:
        OSError: a file cannot be written, or a model or a picture of the reference not be read.
        ValueError: something else was measured in the folder.
    """
    record = plan.record(engine, suite.names)
    digest = digest_of(record)
    if processes.is_main_process:
        write_plan(record, out, resume=resume)
    near = reference() if reference and processes.is_main_process else None
    processes.wait_for_everyone()
    share = range(processes.process_index, len(plan.prompts), processes.num_processes)
    left = [index for index in share if not (resume and _is_measured(file_of(out, index), digest))]
    requests = [request for index in left for request in plan.requests(index)]
    results = (draw_all or drawn_by(engine))(requests)
    shown = processes.is_main_process
    for index in tqdm(left, "prompts", initial=len(share) - len(left), total=len(share), disable=not shown):
        drawn = [(request, _generations(next(results))) for request in plan.requests(index)]
        write_measured(_measured(plan, index, drawn, suite, out), file_of(out, index), digest)
    processes.wait_for_everyone()
    return _joined(plan, suite, out, digest, near) if processes.is_main_process else None


def _is_measured(file: Path, digest: str) -> bool:
    before = read_measured(file, digest)
    return before is not None and not before.failures


def _measured(
    plan: EvaluationPlan, index: int, drawn: Sequence[tuple[Request, list[Generation]]], suite: MetricSuite, out: Path
) -> MeasuredPrompt:
    """Measure the pictures of a prompt, those of every run under every seed; the first prompts leave a grid."""
    if index < GRIDS:
        _write_grid(*drawn[0], plan.family, out / f"grid-{index:04d}.png")
    results = [(request.seed, generation) for request, generations in drawn for generation in generations]
    return MeasuredPrompt(
        images=suite.measure(plan.prompts[index], results),
        failures=[
            FailedRun(model=generation.model, steps=generation.steps, error=generation.error or "no picture")
            for _, generation in results
            if generation.image is None
        ],
        warnings=list(dict.fromkeys(warning for _, generation in results for warning in generation.warnings)),
    )


def _generations(events: Iterable[Event]) -> list[Generation]:
    return [event for event in events if isinstance(event, Generation)]


def _write_grid(request: Request, generations: Sequence[Generation], family: Family, file: Path) -> None:
    if any(generation.image is not None for generation in generations):
        records = [run_record(generation, family, None) for generation in generations]
        write_png(file, grid(request, generations), grid_texts(request, records, {"versions": versions()}))


def _joined(
    plan: EvaluationPlan, suite: MetricSuite, out: Path, digest: str, reference: FrechetReference | None
) -> EvaluationResults:
    """Sum up what all processes have measured."""
    measured = [read_measured(file_of(out, index), digest) for index in range(len(plan.prompts))]
    if None in measured:
        missing = file_of(out, measured.index(None))
        raise FileNotFoundError(f"{missing} is missing: every process must see the folder that --out names")
    prompts = [prompt for prompt in measured if prompt is not None]
    by_run: dict[tuple[str, int], list[MeasuredImage]] = {run: [] for run in plan.settings}
    for image in (image for prompt in prompts for image in prompt.images):
        by_run[image.metrics.model, image.metrics.steps].append(image)
    pictures = {run: [image.metrics for image in images] for run, images in by_run.items()}
    reference, base = reference or _scenes(plan, suite, by_run.values()), pictures.get(plan.base_run, ())
    rows = [
        ReportRow.of(
            run,
            suite.names,
            pictures[run],
            np.array([image.features for image in images]),
            reference=reference,
            base=base,
        )
        for run, images in by_run.items()
    ]
    write_pictures([picture for run in by_run for picture in pictures[run]], suite.names, out / "pictures.csv")
    return EvaluationResults(
        rows=rows,
        failures=[failure for prompt in prompts for failure in prompt.failures],
        warnings=list(dict.fromkeys(warning for prompt in prompts for warning in prompt.warnings)),
        files=[*write_report(rows, out), out / "pictures.csv"],
    )


def _scenes(plan: EvaluationPlan, suite: MetricSuite, runs: Iterable[Sequence[MeasuredImage]]) -> Reference | None:
    """Rendered scenes to measure a distance from; they are drawn only if there are pictures enough."""
    enough = any(len(images) >= LEAST for images in runs)
    if not enough or not judged_by_its_own(plan.family) or suite.clip is None:
        return None
    return Reference(
        lambda count, seed: rendered_scenes(plan.family, plan.prompts, count, seed), len(plan.prompts), suite.clip
    )
