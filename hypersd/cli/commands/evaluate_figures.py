"""`evaluate figures`: the Hyper-SD paper's figures with a family's models, as a gallery for the web."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import TYPE_CHECKING

from hypersd.cli.arguments import refuse_given
from hypersd.cli.folders import command_folder
from hypersd.cli.output import emit, note
from hypersd.models.machine import Machine
from hypersd.models.registry import family
from hypersd.models.specs import Capability, Family

if TYPE_CHECKING:
    from hypersd.models.engine import Engine

_FIGURES = ("gallery.md", "figure-[0-9]*.webp")
CHOSEN_MODELS: Mapping[str, object] = MappingProxyType(
    dict.fromkeys(("base", "style", "decoder", "models", "steps", "adapter", "like", "base_first", "mode"))
)
"""Options of `evaluate` that choose or change models, for commands that have models of their own."""

_NOT_HERE = {
    **CHOSEN_MODELS,
    **dict.fromkeys(("reward", "reference", "metrics", "prompts", "count")),
    "seeds": 1,
    "resume": False,
}
"""Options of `evaluate` that do not belong here, with their values if they are left out."""


def run_figures(options: argparse.Namespace, machine: Machine) -> int:
    """Draw the figures; returns the exit status.

    Raises:
        OSError: a file is missing or damaged, or cannot be written.
        ValueError: an option does not belong here.
    """
    refuse_given(options, _NOT_HERE, "`evaluate figures` draws the paper's figures with their own models and prompts")
    chosen = family(options.family)
    from hypersd.evaluate.gallery import write_gallery
    from hypersd.models.engine import Engine

    words = ["python", "-m", "hypersd", "evaluate", "figures", "--family", options.family]
    command = shlex.join([*words, "--seed", str(options.seed), "--out", str(options.out)])
    with command_folder(options.out, "evaluate figures", _FIGURES) as out, TemporaryDirectory() as drawn:
        figures = write_figures(Engine(chosen, machine), Path(drawn), options.seed, command)
        files = write_gallery(f"The paper's figures, by {chosen.title}", figures, out, command)
    if options.json:
        emit({"family": chosen.name, "command": command, "files": [file.name for file in files]})
    note(f"written: {', '.join(map(str, files))}")
    return 0


def write_figures(engine: Engine, folder: Path, seed: int, command: str) -> list[Path]:
    """Draw the paper's figures of pictures with the models that a family has; returns their files."""
    from hypersd.evaluate.base_figure import write_base_figure
    from hypersd.evaluate.control_figure import write_control_figure
    from hypersd.evaluate.paper_figures import write_figure
    from hypersd.evaluate.paper_results import paper_results

    chosen, files = engine.family, list[Path]()
    for figure in paper_results().figures:
        prompts = figure_prompts(chosen, figure.prompts, seed)
        files += write_figure(figure, prompts, engine, folder=folder, seed=seed, command=command)
    if chosen.has(Capability.SCENES):
        files += write_control_figure(engine, folder=folder, seed=seed, command=command)
    if chosen.styled_bases:
        prompts = figure_prompts(chosen, paper_results().figures[0].prompts, seed)
        files += write_base_figure(chosen, engine.machine, prompts[:2], seed=seed, folder=folder, command=command)
    return files


def figure_prompts(chosen: Family, prompts: list[str], seed: int) -> list[str]:
    """The figure's own prompts, or as many of a family's that knows no others."""
    from hypersd.models.families.embedded import prompt_source

    own = Capability.JUDGE in chosen.parts
    return prompt_source(chosen, "be judged").held_out(len(prompts), seed) if own else prompts
