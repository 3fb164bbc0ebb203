"""Bases that a page's owner offers to visitors (`HYPERSD_BASES`), each checked before the page is served.

Visitors choose one by its name; the repositories and paths behind the names come from the owner alone.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hypersd.models.adapter_file import inspect
from hypersd.models.family_bases import OWN, base_titles, with_other_base
from hypersd.models.family_parts import OtherBase
from hypersd.models.machine import Machine
from hypersd.models.other_base import checked_base, family_traits
from hypersd.models.registry import FAMILIES, family
from hypersd.models.specs import Family
from hypersd.models.style_file import is_style, parse_style, style_path
from hypersd.models.weights import Weights

log = logging.getLogger(__name__)

_NAME = re.compile(r"[^\W_][\w .+-]{0,39}")
_STYLE = re.compile(r"\s\+\s")


@dataclass(frozen=True, slots=True)
class BaseEntry:
    """An entry of the owner's list.

    Args:
        name: by which the base is chosen.
        base: its source; empty for the own base of the styles' family.
        styles: LoRAs that are fused into it, as `FILE[:STRENGTH]`.
    """

    name: str
    base: str
    styles: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> BaseEntry:
        """Read `SOURCE`, which is named after its last part, or `NAME=SOURCE`.

        The source is a base, a style LoRA on the family's own base, or either with more styles: `BASE + STYLE`.

        Raises:
            ValueError: there is no source, or its name cannot be shown as a choice.
        """
        before, labelled, after = text.partition("=")
        name, source = (before.strip(), after.strip()) if labelled else ("", text.strip())
        if not source or (labelled and not name):
            raise ValueError(f"{text!r} is no base; write OWNER/NAME, a folder or a .safetensors file, or NAME=SOURCE")
        parts = _STYLE.split(source)
        name = name or " + ".join(map(_last, parts))
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"{name[:60]!r} cannot be the name of a base; give it one of up to 40 letters, digits, spaces, dots "
                "and hyphens, as NAME=SOURCE"
            )
        return cls(name, "", tuple(parts)) if is_style(parts[0]) else cls(name, parts[0], tuple(parts[1:]))


def _last(source: str) -> str:
    """Name of a source: that of its repository, folder or file."""
    return re.split(r"[/\\]", source.rstrip("/\\"))[-1].partition(".safetensors")[0]


def offered_bases(entries: Sequence[str], families: Mapping[str, Family], machine: Machine) -> tuple[OtherBase, ...]:
    """The bases of the owner's list that can be used; why another one cannot is one sentence in the log.

    Args:
        entries: of the list.
        families: that they are offered with, by name.
        machine: has the bases and the styles, or fetches the bases' configurations and the styles.
    """
    offered: list[OtherBase] = []
    for text in entries:
        try:
            base = _checked(BaseEntry.parse(text), machine)
            _check_free(base.name, with_offered(families, offered)[base.family])
        except (OSError, ValueError) as error:
            log.error("HYPERSD_BASES: %s is not offered: %s", text, error)  # noqa: TRY400 - the message says it
        else:
            offered.append(base)
    return tuple(offered)


def _checked(entry: BaseEntry, machine: Machine) -> OtherBase:
    """The base of an entry, whose styles fit it."""
    styles = tuple(map(parse_style, entry.styles))
    if entry.base:
        base = checked_base(entry.base, machine, log.info, entry.name)
    else:
        base = OtherBase(name=entry.name, family=_family_of(styles[0], machine), source="")
    if styles:
        _check_fit(styles, with_other_base(family(base.family), base).family, machine)
    sources = [base.source, *map(_source, styles)]
    return replace(base, source=" + ".join(filter(None, sources)), styles=styles)


def _check_fit(styles: Sequence[Weights], based: Family, machine: Machine) -> None:
    from hypersd.models.user_adapter import check_fit  # noqa: PLC0415 - brings torch

    for style in styles:
        check_fit(style_path(style, machine, log.info), based, machine)


def _family_of(style: Weights, machine: Machine) -> str:
    """Name of the family whose base a style was made for, by the width of its text conditioning.

    Raises:
        ValueError: there is none.
    """
    file = style_path(style, machine, log.info)
    adapter = inspect(file)
    for chosen in map(family, FAMILIES):
        traits = family_traits(chosen, machine)
        if traits is not None and traits.text == adapter.text_width:
            return chosen.name
    raise ValueError(
        f"{file.name} was made for {adapter.architecture}, which is not here; use a style for SDXL or SD 1.5, or say "
        "which base it is for, as BASE + STYLE"
    )


def _source(style: Weights) -> str:
    """Source of a style, for visitors: without a path."""
    return Path(str(style.file)).name if style.repository is None else f"https://huggingface.co/{style.repository}"


def _check_free(name: str, chosen: Family) -> None:
    titles = base_titles(chosen)
    if name in {*titles, *titles.values(), OWN}:
        raise ValueError(f"{chosen.name} has a base {name} already; give this one another name, as NAME=SOURCE")


def with_offered(families: Mapping[str, Family], bases: Sequence[OtherBase]) -> dict[str, Family]:
    """The families, each with the bases for its adapters."""
    return {
        name: replace(family, other_bases=tuple(base for base in bases if base.family == name))
        for name, family in families.items()
    }
