"""Bases that a family offers beside its own, by name: its base in other styles, and other bases for its adapters.

A style is the base with a LoRA that is shipped beside it (Hyper-SD's Figure 10); other bases, and other styles, are
named by the owner of a page (`hypersd.models.offered_bases`).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hypersd.models.adapter_file import inspect
from hypersd.models.changed_base import ChangedBase, on_changed_base
from hypersd.models.family_parts import OtherBase, StyledBase
from hypersd.models.specs import Family

OWN = "Own"
"""Title of a family's own base, where bases are to choose from."""


def styled_bases(family: Family) -> tuple[StyledBase, ...]:
    """The styles of a family's base whose LoRAs are in its folder."""
    return tuple(base for base in family.styled_bases if _file(family, base).exists())


def base_titles(family: Family) -> dict[str, str]:
    """Titles of the bases that a family offers beside its own, by their names."""
    styled = {base.name: base.title for base in styled_bases(family)}
    return styled | {base.name: base.name for base in family.other_bases}


def with_named_base(family: Family, name: str) -> ChangedBase:
    """The family on one of the bases that it offers.

    Args:
        family: whose base is changed.
        name: of the base.

    Raises:
        OSError: a style's file is damaged, or no adapter.
        ValueError: the family offers no such base, or its file is missing.
    """
    for other in family.other_bases:
        if other.name == name:
            return with_other_base(family, other)
    styled = next((base for base in family.styled_bases if base.name == name), None)
    if styled is None:
        names = ", ".join(base_titles(family))
        raise ValueError(
            f"{family.name} has no base {name[:40]!r}; {f'choose from: {names}' if names else 'leave it out'}"
        )
    file = _file(family, styled)
    if not file.exists():
        raise ValueError(f"{file} is missing; train it with `python -m hypersd emoji train --stages styles`")
    inspect(file)
    based = replace(family, styles=(styled.weights, *family.styles), styled=styled)
    return on_changed_base(based, f"{family.base_model.title}, {styled.title}", styled.licence, styled.source)


def on_named_base(family: Family, name: str) -> Family:
    """The family on one of the bases that it offers, or on its own if the name is empty; see `with_named_base`."""
    return with_named_base(family, name).family if name else family


def with_other_base(family: Family, base: OtherBase) -> ChangedBase:
    """The family on another base, which must be one for its adapters."""
    based = replace(family, styles=(*family.styles, *base.styles))
    if base.repository is not None:
        based = replace(based, repository=base.repository, variant=base.variant, vae=base.vae)
    elif base.place is not None:
        based = replace(based, base=base.place, vae=base.vae)
    return on_changed_base(based, base.name, "unknown; read its own", base.source)


def _file(family: Family, base: StyledBase) -> Path:
    return (family.folder or Path()) / str(base.weights.file)
