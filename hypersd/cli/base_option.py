"""`--base`, `--style` and `--decoder`: the models of a family on another base, in a style, with a tiny decoder."""

from __future__ import annotations

import argparse

from hypersd.cli.arguments import argument, source
from hypersd.cli.options import DEFAULT_FAMILY
from hypersd.cli.output import note
from hypersd.models.changed_base import ChangedBase
from hypersd.models.downloads import ProgressCallback
from hypersd.models.machine import Machine
from hypersd.models.registry import FAMILIES, family
from hypersd.models.specs import Family
from hypersd.models.tiny_decoder import with_tiny_decoder
from hypersd.models.weights import Weights


def add_base(parser: argparse.ArgumentParser) -> None:
    """Add `--base`, `--style` and `--decoder`."""
    parser.add_argument(
        "--base",
        type=argument(source),
        metavar="SOURCE",
        help="run the LoRAs of its family on another base: a style of the embedded family's ("
        f"{', '.join(_styles())}), OWNER/NAME on the Hub, a diffusers folder, or a checkpoint (.safetensors)",
    )
    parser.add_argument(
        "--style",
        type=argument(_style),
        action="append",
        metavar="FILE[:STRENGTH]",
        help="put a style LoRA on the base, below the models' own: a file, or OWNER/NAME/FILE.safetensors on the Hub; "
        "may be repeated (strength: up to 2, default 1)",
    )
    parser.add_argument(
        "--decoder",
        choices=("full", "tiny"),
        help="tiny: TAESD or TAESDXL, much faster on a CPU, a little softer (default: full)",
    )


def chosen_family(options: argparse.Namespace, models: tuple[str, ...] | None, machine: Machine) -> Family:
    """The family of `--family`, or that of `--base` on its base, in the styles of `--style`, with `--decoder`.

    `options.family` is then its name.

    Args:
        options: with `family`, `base`, `style` and `decoder`.
        models: that are asked for by name, or None.
        machine: has the base, or fetches its configurations.

    Raises:
        DownloadError, OSError: a file of the base is missing, or cannot be fetched; or a style does not fit it.
        ValueError: the base cannot be used, is another family's, or a model that is asked for does not run on it; or
            there is no tiny decoder.
    """
    changed = _other_base(options, machine) if options.base is not None else None
    chosen = family(options.family) if changed is None else changed.family
    left_out = {} if changed is None else dict(changed.left_out)
    if options.style:
        from hypersd.models.style_lora import with_styles

        styled = with_styles(chosen, options.style, machine, _progress(machine))
        chosen, left_out = styled.family, {**left_out, **styled.left_out}
    ChangedBase(family=chosen, left_out=left_out).check(models or ())
    for name, reason in left_out.items() if models is None else ():
        note(f"without {name}: {reason}")
    options.family = chosen.name
    return with_tiny_decoder(chosen) if options.decoder == "tiny" else chosen


def _style(text: str) -> Weights:
    from hypersd.models.style_file import parse_style

    return parse_style(text)


def _progress(machine: Machine) -> ProgressCallback:
    return note if machine.online else lambda _line: None


def _styles() -> dict[str, str]:
    """The families of all styled bases, by the bases' names."""
    return {base.name: name for name, each in FAMILIES.items() for base in each.styled_bases}


def _other_base(options: argparse.Namespace, machine: Machine) -> ChangedBase:
    if options.base in _styles():
        from hypersd.models.family_bases import with_named_base

        name = _styles()[options.base]
        _check_family(options, name)
        return with_named_base(family(name), options.base)
    from hypersd.models.other_base import other_base

    changed = other_base(options.base, machine, _progress(machine))
    _check_family(options, changed.family.name)
    return changed


def _check_family(options: argparse.Namespace, name: str) -> None:
    if options.family not in {DEFAULT_FAMILY, name}:
        raise ValueError(f"{options.base} is a base of {name}, not of {options.family}; leave out --family")
