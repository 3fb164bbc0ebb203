"""`compare --like`: the options of a comparison, from a picture that was drawn before."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from hypersd.cli.options import DEFAULT_FAMILY
from hypersd.models.machine import Machine
from hypersd.models.specs import Family

if TYPE_CHECKING:
    from hypersd.sampling.stored_request import StoredBase, StoredRequest

_USUAL = {"family": DEFAULT_FAMILY, "seed": 0, "count": 1}
_SETTINGS = (
    *("prompt", "prompts", "family", "decoder", "models", "steps", "base_first", "seed", "count"),
    *("eta", "strength", "guidance", "negative", "size"),
)


def take_like(options: argparse.Namespace) -> StoredRequest:
    """Put what the picture of `--like` says of its making in the place of the options; return it.

    Raises:
        OSError: the picture cannot be read.
        ValueError: it does not say how it was made, or such an option was given beside it; or its base is a file or
            folder, and no `--base` says where it is now; or it has styles that no `--style` names.
    """
    from hypersd.sampling.stored_request import read_request

    if beside := [name for name in _SETTINGS if getattr(options, name) != _USUAL.get(name)]:
        word = "the prompt" if beside[0] == "prompt" else f"--{beside[0].replace('_', '-')}"
        raise ValueError(f"--like takes all settings from the picture; leave out {word}")
    stored = read_request(options.like)
    request, given = stored.request, stored.request.parameters
    options.base = _base(options, stored.base, stored.styled)
    if stored.styles and len(options.style or ()) != len(stored.styles):
        names = ", ".join(str(style["file"]) for style in stored.styles)
        raise ValueError(f"{options.like} was drawn with the styles {names}; name each file with --style")
    if options.style and not stored.styles:
        raise ValueError("--like takes the styles from the picture, which has none; leave out --style")
    options.prompt, options.family = request.prompt, request.family
    options.seed, options.count = request.seed, request.count
    options.models = tuple(dict.fromkeys(run.model for run in request.runs))
    options.steps = tuple(sorted({run.steps for run in request.runs if run.steps}))
    options.base_first = stored.base_first or None
    options.decoder = "tiny" if stored.tiny_decoder else None
    options.backend = options.backend or stored.backend  # another one draws almost the same, where this is missing
    options.eta, options.strength, options.size = given.eta, given.strength, given.size
    options.guidance, options.negative = given.guidance_scale, given.negative_prompt
    return stored


def _base(options: argparse.Namespace, stored: StoredBase | None, styled: str | None) -> str | None:
    """The base to draw on: the picture's repository or style, or where `--base` says that its file or folder is."""
    if stored is None or stored.file is None:
        if options.base is not None:
            raise ValueError("--like takes the base from the picture; leave out --base")
        return styled or (stored and stored.repository)
    if options.base is None:
        raise ValueError(f"{options.like} was drawn on {stored.file}; say where it is with --base")
    return options.base


def check_like(options: argparse.Namespace, stored: StoredRequest, chosen: Family, machine: Machine) -> None:
    """Check that a base on disk and the styles are those with which a picture was drawn, by their hashes.

    Raises:
        OSError: a file cannot be read.
        ValueError: it is another one.
    """
    from hypersd.models.engine import Engine
    from hypersd.models.registry import BASE
    from hypersd.sampling.comparison_folder import styles_record

    engine = Engine(chosen, machine)
    known = stored.base and stored.base.sha256  # a picture of the page names its base without the hash
    if chosen.base is not None and stored.base is not None and known and known != engine.sha256(BASE):
        raise ValueError(
            f"{options.like} was drawn on another {stored.base.file} than {chosen.base}; give that one with --base"
        )
    others = styles_record(engine)[0 if chosen.styled is None else 1 :]
    for before, now in zip(stored.styles, others, strict=True):
        known = before.get("sha256", now["sha256"])  # a picture of the page names its styles without the hashes
        if (known, before.get("scale")) != (now["sha256"], now.get("scale")):
            strength = before.get("scale", 1)
            raise ValueError(
                f"{options.like} was drawn with {before['file']} at strength {strength:g}; give that file with "
                f"--style FILE:{strength:g}"
            )
