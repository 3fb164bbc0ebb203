"""Runs: combinations of models and numbers of steps, and those that are possible on a machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from hypersd.models.machine import Machine
from hypersd.models.registry import availability
from hypersd.models.specs import Family, ModelSpec
from hypersd.sampling.request import Run


def expand(family: Family, models: Sequence[str] | None, steps: Sequence[int] | None) -> tuple[Run, ...]:
    """The runs of a choice of models and numbers of steps.

    No models means all of the family's; no steps means each model's default. With steps, a model that was not named
    is left out where it does not run at them.

    Raises:
        ValueError: a model is unknown or repeated, a named one does not run at a number of steps, or nothing is left.
    """
    named = list(models) if models else [spec.name for spec in family.specs]
    runs: list[Run] = []
    for name in named:
        spec = family.spec(name)
        wanted = [count for count in steps or (spec.default_steps,) if models or _runs_at(spec, count)]
        runs += [Run(model=name, steps=spec.recipe(count).steps) for count in wanted]
    if not runs:
        raise ValueError(f"no model of {family.name} runs at {', '.join(map(str, steps or ()))} steps")
    return tuple(runs)


def _runs_at(spec: ModelSpec, steps: int) -> bool:
    try:
        spec.recipe(steps)
    except ValueError:
        return False
    return True


def runnable(
    family: Family,
    models: Sequence[str] | None,
    steps: Sequence[int] | None,
    machine: Machine,
    progress: Callable[[str], None] = lambda _line: None,
) -> tuple[Run, ...]:
    """The runs of a choice of models and numbers of steps, without the models that cannot run on a machine.

    Args:
        family: of the models.
        models: their names; None means all of the family that can run.
        steps: numbers of steps; None means each model's default.
        machine: runs them.
        progress: receives a line for each model that is left out, with the reason.

    Raises:
        ValueError: a model is unknown; or it was named but cannot be run here; or none can; or none has these steps.
    """
    specs = family.specs if models is None else [family.spec(name) for name in models]
    reasons = {spec.name: able.reason for spec in specs if not (able := availability(family, spec, machine)).available}
    _leave_out(reasons, progress, refused=models is not None or len(reasons) == len(specs))
    wanted = [spec.name for spec in specs if spec.name not in reasons]
    # Models that have only some of the step counts run at those; expand() would refuse them if it knew their names.
    runs = tuple(run for run in expand(family, None, steps) if run.model in wanted)
    idle = [name for name in wanted if name not in {run.model for run in runs}]
    if steps and idle and (models is not None or not runs):
        family.spec(idle[0]).recipe(steps[0])  # raises, and lists the step counts that there are
    able = {run: availability(family, family.spec(run.model), machine, run.steps) for run in runs}
    reasons = {f"{run.model} at {run.steps} steps": can.reason for run, can in able.items() if not can.available}
    _leave_out(reasons, progress, refused=models is not None or len(reasons) == len(runs))
    return tuple(run for run, can in able.items() if can.available)


def _leave_out(reasons: Mapping[str, str], progress: Callable[[str], None], *, refused: bool) -> None:
    """Report what cannot be run, with the reasons.

    Raises:
        ValueError: there is something, and it is `refused`.
    """
    if reasons and refused:
        raise ValueError("; ".join(f"{name} cannot be run here: {reason}" for name, reason in reasons.items()))
    for name, reason in reasons.items():
        progress(f"without {name}: {reason}")
