"""`--base`: the models of a family on another base."""

from __future__ import annotations

import argparse

from hypersd.cli.arguments import argument, source
from hypersd.cli.options import DEFAULT_FAMILY
from hypersd.cli.output import note
from hypersd.models.machine import Machine
from hypersd.models.registry import family
from hypersd.models.specs import Family


def add_base(parser: argparse.ArgumentParser) -> None:
    """Add `--base`."""
    parser.add_argument(
        "--base",
        type=argument(source),
        metavar="SOURCE",
        help="run the LoRAs of its family on another base: OWNER/NAME on the Hub, a diffusers folder, or a checkpoint "
        "(.safetensors)",
    )


def chosen_family(options: argparse.Namespace, models: tuple[str, ...] | None, machine: Machine) -> Family:
    """The family of `--family`, or that of `--base` on its base; `options.family` is then its name.

    Args:
        options: with `family` and `base`.
        models: that are asked for by name, or None.
        machine: has the base, or fetches its configurations.

    Raises:
        DownloadError, OSError: a file of the base is missing, or cannot be fetched.
        ValueError: the base cannot be used, is another family's, or a model that is asked for does not run on it.
    """
    if options.base is None:
        return family(options.family)
    from hypersd.models.other_base import other_base

    based = other_base(options.base, machine, note if machine.online else lambda _line: None)
    if options.family not in {DEFAULT_FAMILY, based.family.name}:
        raise ValueError(
            f"{options.base} is a base of {based.family.name}, not of {options.family}; leave out --family"
        )
    for name in models or ():
        if name in based.left_out:
            raise ValueError(f"{name} does not run on another base: {based.left_out[name]}; choose another model")
    for name, reason in based.left_out.items() if models is None else ():
        note(f"without {name}: {reason}")
    options.family = based.family.name
    return based.family
