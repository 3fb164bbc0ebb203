"""`models`: what can be run; with each its recipes, and whether it can be run here and if not why."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from hypersd.cli.options import add_json
from hypersd.cli.output import emit, say, table
from hypersd.models.family_bases import styled_bases
from hypersd.models.family_parts import StyledBase
from hypersd.models.machine import Machine
from hypersd.models.registry import FAMILIES, availability, family
from hypersd.models.specs import Family, ModelSpec
from hypersd.sampling.record import recipe_record


def add_parser(subparsers: Any) -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser("models", help="list what can be run")
    parser.add_argument("--family", metavar="F", help=f"{' | '.join(FAMILIES)} (default: all)")
    add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """List the models."""
    chosen = [family(name) for name in (FAMILIES if options.family is None else [options.family])]
    machine = Machine.here()
    models = [described(each, spec, machine) for each in chosen for spec in each.specs]
    bases = [described_base(each, base) for each in chosen for base in each.styled_bases]
    if options.json:
        here = {"device": machine.device, "precision": machine.precision, "offline": not machine.online}
        emit({"machine": here, "models": models, "bases": bases})
    else:
        say(listing(models))
        for each in chosen:
            names = ", ".join(base["name"] for base in bases if base["family"] == each.name)
            if names:
                say(f"\nOther bases of {each.name}, with --base: {names}")
        say(f"\nThis machine: {machine.device}, {machine.precision}{'' if machine.online else ', offline'}")
    return 0


def described(family: Family, spec: ModelSpec, machine: Machine) -> dict[str, Any]:
    """A model as a JSON object; its `guidance_scale` and `scheduler` are those of its default number of steps."""
    available = availability(family, spec, machine)
    usual = spec.recipe(None)
    return {
        "family": family.name,
        "name": spec.name,
        "title": spec.title,
        "reimplementation": family.is_reimplementation,
        "steps": [recipe.steps for recipe in spec.recipes],
        "any_steps": spec.any_steps,
        "default_steps": spec.default_steps,
        "guidance_scale": usual.guidance_scale,
        "scheduler": usual.scheduler.name,
        "pixels": spec.pixels,
        "available": available.available,
        "reason": available.reason or None,
        "recipes": [recipe_record(recipe) for recipe in spec.recipes],
        "licence": spec.licence,
        "source": spec.source,
        "note": spec.note,
    }


def described_base(family: Family, base: StyledBase) -> dict[str, Any]:
    """A style of a family's base as a JSON object."""
    return {
        "family": family.name,
        "name": base.name,
        "title": base.title,
        "available": base in styled_bases(family),
        "licence": base.licence,
        "source": base.source,
    }


def listing(models: Sequence[Mapping[str, Any]]) -> str:
    """The models as a table for people."""
    header = ("family", "model", "steps", "guidance", "scheduler", "pixels", "here")
    rows = [
        (
            model["family"],
            model["name"],
            f"{','.join(map(str, model['steps']))}{' or any' if model['any_steps'] else ''}",
            model["guidance_scale"],
            model["scheduler"],
            model["pixels"],
            "yes" if model["available"] else f"no: {model['reason']}",
        )
        for model in models
    ]
    return table(header, rows)
