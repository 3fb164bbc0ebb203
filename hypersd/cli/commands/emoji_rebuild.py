"""`emoji rebuild`: the embedded family with every adapter, measured, and its model card, by one command."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import time
from hashlib import file_digest
from pathlib import Path
from typing import Any

from hypersd.cli.arguments import counted
from hypersd.cli.folders import command_folder
from hypersd.cli.model_card import model_card
from hypersd.cli.options import add_folder, add_json, add_out, add_seed, add_shorten
from hypersd.cli.output import emit, note, say, table
from hypersd.cli.rebuild_plan import (
    RECORDS,
    TRAINING,
    RebuildOptions,
    RebuildStage,
    install,
    is_done,
    rebuild_plan,
    record_done,
    stage_hashes,
)
from hypersd.feedback.reward.reward_folder import WEIGHTS, check_tunable
from hypersd.utils.environment import Environment
from hypersd.utils.files import write_text
from hypersd.utils.model_folders import FAMILY_FOLDER

CARD = "README.md"
_PACKAGES = Path(__file__).resolve().parents[3]
_STANDARD_ERROR = 2
"""File descriptor to which the stages print, so that nothing but JSON comes to standard output."""


def add_parser(actions: Any) -> None:
    """Add the command to those of `emoji`."""
    parser = actions.add_parser(
        "rebuild",
        help="make everything that ships, in order, and its model card",
        description="Train the family, its perception network and every adapter, measure them, and write the model "
        "card from the results: DIR/training/family. Each stage is a command; one that is done is not run again, and "
        "after a stop the same command goes on.",
    )
    add_out(parser)
    add_folder(
        parser,
        "--reward",
        "a reward model of `reward train` for the stage of human feedback (default: that stage is left out)",
    )
    parser.add_argument(
        "--batch",
        type=counted(1, 65_536, "the batch"),
        metavar="N",
        help="samples a step of the distillations (default: each method's own)",
    )
    parser.add_argument("--dry-run", action="store_true", help="run nothing; print the plan")
    add_shorten(parser, "this fraction of steps, examples and prompts, for a quick look")
    add_seed(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the stages that are not done, and write the model card."""
    reward = None
    if options.reward is not None:
        check_tunable([options.reward])
        with (options.reward / WEIGHTS).open("rb") as file:
            reward = options.reward.resolve(), file_digest(file, "sha256").hexdigest()
    out = options.out.resolve()
    stages = rebuild_plan(
        RebuildOptions(out=out, seed=options.seed, shorten=options.shorten, batch=options.batch, reward=reward)
    )
    hashes = stage_hashes(stages)
    if options.dry_run:
        show_stages(stages, hashes, out, as_json=options.json)
        return 0
    names = [RECORDS, TRAINING, *(stage.outputs[0].partition("/")[0] for stage in stages)]
    with command_folder(out, "emoji rebuild", names, keep=True):
        for stage in stages:
            if not is_done(stage, hashes[stage.name], out):
                status = run_stage(stage, hashes[stage.name], out)
                if status:
                    note(f"the stage {stage.name} ended with status {status}; give the same command to go on")
                    return status
            install(stage, out)
        card = out / TRAINING / FAMILY_FOLDER / CARD
        write_text(card, model_card(stages, out, command_of(options)))
    if options.json:
        emit({"family": str(card.parent), "card": str(card), "stages": [stage.name for stage in stages]})
    else:
        say(f"The family is in {card.parent}, and its model card in {card}")
    return 0


def run_stage(stage: RebuildStage, digest: str, out: Path) -> int:
    """Run a stage's command in a process of its own; returns its status."""
    folder = out / stage.outputs[0].partition("/")[0]
    begun = folder.is_dir() and any(folder.iterdir())
    note(f"stage {stage.name}: {shlex.join(stage.words)}")
    since = time.monotonic()
    process = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "hypersd", *stage.words, *(stage.resume if begun else ())],
        env=Environment(emoji=out / TRAINING / FAMILY_FOLDER).for_child(_PACKAGES),
        stdout=_STANDARD_ERROR,
        check=False,
    )
    if process.returncode == 0:
        record_done(stage, digest, time.monotonic() - since, out)
    return process.returncode


def show_stages(stages: list[RebuildStage], hashes: dict[str, str], out: Path, *, as_json: bool) -> None:
    """Print the plan."""
    states = {stage.name: is_done(stage, hashes[stage.name], out) for stage in stages}
    if as_json:
        emit(
            [
                {
                    "name": stage.name,
                    "command": list(stage.words),
                    "needs": list(stage.needs),
                    "outputs": list(stage.outputs),
                    "adapters": dict(stage.installs),
                    "done": states[stage.name],
                }
                for stage in stages
            ]
        )
        return
    rows = [(stage.name, "done" if states[stage.name] else "to do", shlex.join(stage.words)) for stage in stages]
    say(table(("stage", "state", "command"), rows))


def command_of(options: argparse.Namespace) -> str:
    """The command that makes the same again."""
    words = ["python", "-m", "hypersd", "emoji", "rebuild", "--out", str(options.out), "--seed", str(options.seed)]
    words += ["--shorten", f"{options.shorten:g}"] if options.shorten != 1 else []
    words += ["--batch", str(options.batch)] if options.batch else []
    words += ["--reward", str(options.reward)] if options.reward else []
    return shlex.join(words)
