"""`distill --dry-run`: the recipe as it would be trained, and the memory that it takes."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hypersd.cli.output import emit, say, table
from hypersd.cli.training_options import distillation_options
from hypersd.cli.training_sources import TrainingSource
from hypersd.distill.catalog import METHODS
from hypersd.distill.distillation_inputs import check_size
from hypersd.models.specs import Family

if TYPE_CHECKING:
    from hypersd.models.blueprint import Blueprint

_GB = 1e9


def show_plan(options: argparse.Namespace, family: Family) -> int:
    """Print the plan of a distillation; nothing is trained, read or written.

    Raises:
        ValueError: an option is not for the method, or the family lacks what it needs.
        OSError: the base's configurations are not in its folder, or the source of pictures is missing.
    """
    from hypersd.distill.dry_run import dry_run
    from hypersd.distill.methods import check_options
    from hypersd.training.processes import joined_processes

    if options.data is not None:
        TrainingSource.of(options, family)
    state, chosen = joined_processes(), distillation_options(options)
    size = options.batch or METHODS[options.method].batch_size
    check_options(options.method, chosen, size, state.num_processes)
    if folder := options.base or family.folder:
        check_size(options.method, folder, chosen.trained(options.method))
    blueprint = _blueprint(options, family, on_cpu=str(state.device) == "cpu")
    plans = dry_run(
        options.method,
        blueprint,
        batch_size=size,
        options=chosen,
        shorten=options.shorten,
        processes=state.num_processes,
    )
    if not state.is_main_process:
        return 0
    recipe = {
        **asdict(chosen),
        "batch": size,
        "devices": state.num_processes,
        "learning_rate": [plan.rates["student"] for plan in plans],
        "guidance": chosen.guidance or METHODS[options.method].guidance,
        "gradient_checkpointing": any(plan.checkpointed for plan in plans),
        "stages": [plan.name for plan in plans],
        "steps": [plan.steps for plan in plans],
    }
    if options.json:
        stages = [{**asdict(plan), "total": plan.total} for plan in plans]
        emit({"method": options.method, "family": family.name, "recipe": recipe, "bytes_per_device": stages})
        return 0
    say(f"{options.method} on {options.base or family.name}, as it would be trained:")
    say(table(("option", "value"), [(name, _shown(value)) for name, value in recipe.items()]))
    say("\nMemory of each device in GB, with activations in float32 (fewer in half precision):")
    columns = ("weights", "trained", "optimizer", "activations", "total")
    rows = [
        (plan.name, *(f"{getattr(plan, column) / _GB:.3f}" for column in columns), _shown(plan.rates)) for plan in plans
    ]
    say(table(("stage", *columns, "learning rates"), rows))
    return 0


def _blueprint(options: argparse.Namespace, family: Family, *, on_cpu: bool) -> Blueprint:
    """The base's shapes; a published family's are stated in the package, and trained on an accelerator."""
    from hypersd.models.blueprint import Blueprint

    folder = options.base or family.folder
    return Blueprint.of_family(family.name) if folder is None else Blueprint.of_folder(folder, plain_attention=on_cpu)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {number:g}" for name, number in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "none" if value is None else str(value)
