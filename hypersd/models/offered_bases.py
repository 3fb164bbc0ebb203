"""Bases that a page's owner offers to visitors (`HYPERSD_BASES`), each checked before the page is served.

Visitors choose one by its name; the repositories and paths behind the names come from the owner alone.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hypersd.models.family_bases import OWN, base_titles
from hypersd.models.family_parts import OtherBase
from hypersd.models.machine import Machine
from hypersd.models.other_base import checked_base
from hypersd.models.specs import Family

log = logging.getLogger(__name__)

_NAME = re.compile(r"[^\W_][\w .+-]{0,39}")


@dataclass(frozen=True, slots=True)
class BaseEntry:
    """An entry of the owner's list: the name by which a base is chosen, and its source."""

    name: str
    source: str

    @classmethod
    def parse(cls, text: str) -> BaseEntry:
        """Read `SOURCE`, which is named after its last part, or `NAME=SOURCE`.

        Raises:
            ValueError: there is no source, or its name cannot be shown as a choice.
        """
        before, labelled, after = text.partition("=")
        name, source = (before.strip(), after.strip()) if labelled else ("", text.strip())
        if not source or (labelled and not name):
            raise ValueError(f"{text!r} is no base; write OWNER/NAME, a folder or a .safetensors file, or NAME=SOURCE")
        name = name or re.split(r"[/\\]", source.rstrip("/\\"))[-1].removesuffix(".safetensors")
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"{name[:60]!r} cannot be the name of a base; give it one of up to 40 letters, digits, spaces, dots "
                "and hyphens, as NAME=SOURCE"
            )
        return cls(name, source)


def offered_bases(entries: Sequence[str], families: Mapping[str, Family], machine: Machine) -> tuple[OtherBase, ...]:
    """The bases of the owner's list that can be used; why another one cannot is one sentence in the log.

    Args:
        entries: of the list.
        families: that they are offered with, by name.
        machine: has the bases, or fetches their configurations.
    """
    offered: list[OtherBase] = []
    for text in entries:
        try:
            entry = BaseEntry.parse(text)
            base = checked_base(entry.source, machine, log.info, entry.name)
            _check_free(base.name, with_offered(families, offered)[base.family])
        except (OSError, ValueError) as error:
            log.error("HYPERSD_BASES: %s is not offered: %s", text, error)  # noqa: TRY400 - the message says it
        else:
            offered.append(base)
    return tuple(offered)


def _check_free(name: str, family: Family) -> None:
    titles = base_titles(family)
    if name in {*titles, *titles.values(), OWN}:
        raise ValueError(f"{family.name} has a base {name} already; give this one another name, as NAME=SOURCE")


def with_offered(families: Mapping[str, Family], bases: Sequence[OtherBase]) -> dict[str, Family]:
    """The families, each with the bases for its adapters."""
    return {
        name: replace(family, other_bases=tuple(base for base in bases if base.family == name))
        for name, family in families.items()
    }
