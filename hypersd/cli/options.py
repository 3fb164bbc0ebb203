"""Options that several commands share, each declared once."""

from __future__ import annotations

import argparse
from typing import get_args

from hypersd.arena.votes.battle import KINDS, Kind
from hypersd.cli.arguments import (
    argument,
    counted,
    fraction,
    names,
    path,
    picture_count,
    picture_size,
    seed_number,
    source,
    step_counts,
)
from hypersd.models.machine import Machine
from hypersd.models.registry import FAMILIES
from hypersd.models.specs import MAX_STEPS
from hypersd.utils.environment import Backend
from hypersd.utils.numbers import parse_number

DEFAULT_FAMILY = next(iter(FAMILIES))
"""The registry's first family is the one that is shipped."""


def add_family(parser: argparse.ArgumentParser) -> None:
    """Add `--family`."""
    parser.add_argument(
        "--family", default=DEFAULT_FAMILY, metavar="F", help=f"{' | '.join(FAMILIES)} (default: {DEFAULT_FAMILY})"
    )


def add_out(parser: argparse.ArgumentParser, help_text: str | None = None) -> None:
    """Add `--out`, the folder that the command writes."""
    parser.add_argument("--out", type=argument(path), required=True, metavar="DIR", help=help_text)


def add_resume(parser: argparse.ArgumentParser, kept: str) -> None:
    """Add `--resume`; `kept` says what is not done again."""
    parser.add_argument(
        "--resume", action="store_true", help=f"go on in DIR where the same command was interrupted; keep {kept}"
    )


def add_file(parser: argparse.ArgumentParser, option: str, help_text: str) -> None:
    """Add an option that names a file; None if it is left out."""
    parser.add_argument(option, type=argument(path), metavar="FILE", help=help_text)


def add_folder(parser: argparse.ArgumentParser, option: str, help_text: str) -> None:
    """Add an option that names a folder; None if it is left out."""
    parser.add_argument(option, type=argument(path), metavar="DIR", help=help_text)


def add_votes(parser: argparse.ArgumentParser) -> None:
    """Add `--votes`, of people or of simulated voters, to learn from."""
    parser.add_argument(
        "--votes",
        type=argument(source),
        metavar="SOURCE",
        help="an export of the arena or pickapic format: a folder, a file, hf://datasets/OWNER/NAME; "
        "default: the vote store",
    )


def add_kind(parser: argparse.ArgumentParser, default: Kind | None = "human") -> None:
    """Add `--kind`: simulated votes never stand among human ones."""
    default_text = default or "human if there are any votes of people, else simulated"
    parser.add_argument("--kind", choices=KINDS, default=default, help=f"of the voters (default: {default_text})")


def add_shorten(parser: argparse.ArgumentParser, help_text: str) -> None:
    """Add `--shorten`."""
    parser.add_argument("--shorten", type=argument(fraction), default=1.0, metavar="X", help=help_text)


def add_seed(parser: argparse.ArgumentParser, help_text: str = "default: 0") -> None:
    """Add `--seed`."""
    parser.add_argument("--seed", type=argument(seed_number), default=0, metavar="N", help=help_text)


def add_sampling(parser: argparse.ArgumentParser) -> None:
    """Add the parameters of sampling; a model whose recipe does not bear one is drawn without it, and says so."""
    group = parser.add_argument_group(
        "sampling", "Left out, each model is drawn by its published recipe; models that do not bear one say why."
    )
    group.add_argument(
        "--eta",
        type=argument(parse_number),
        metavar="X",
        help="noise that each step adds anew, 0 to 1; less keeps details",
    )
    group.add_argument("--strength", type=argument(parse_number), metavar="X", help="strength of the LoRA, up to 2")
    group.add_argument("--guidance", type=argument(parse_number), metavar="X", help="guidance scale (CFG), 1 to 20")
    group.add_argument("--negative", metavar="PROMPT", help="what guidance leads away from")
    group.add_argument(
        "--size", type=argument(picture_size), metavar="WxH", help="of the pictures in pixels, or one side"
    )
    group.add_argument(
        "--count", type=argument(picture_count), default=1, metavar="N", help="pictures a model, from seed N on"
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add `--json`."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_models_and_steps(parser: argparse.ArgumentParser, steps_help: str) -> None:
    """Add `--models` and `--steps`."""
    parser.add_argument(
        "--models", type=argument(names), metavar="A,B", help="which models (default: all that can be run here)"
    )
    parser.add_argument("--steps", type=argument(step_counts), metavar="N,N", help=steps_help)


def add_base_first(parser: argparse.ArgumentParser) -> None:
    """Add `--base-first`."""
    parser.add_argument(
        "--base-first",
        type=counted(1, MAX_STEPS - 1, "the base's steps"),
        metavar="N",
        help="let the base, with its guidance, take the first N steps of every few-step model: more diverse pictures",
    )


def add_backend(parser: argparse.ArgumentParser) -> None:
    """Add `--backend`."""
    parser.add_argument(
        "--backend",
        choices=get_args(Backend),
        help="library that runs the UNets on a CPU: torch, or openvino (pip install openvino), which is faster; in "
        "int8 with smaller weights and other pictures (default: HYPERSD_BACKEND, or torch)",
    )


def machine_of(options: argparse.Namespace) -> Machine:
    """This machine with the backend of `--backend`.

    Raises:
        ValueError: the backend is not installed, or the machine draws on a GPU; or a variable has an invalid value.
    """
    machine = Machine.here()
    return machine if options.backend is None else machine.with_backend(options.backend)
