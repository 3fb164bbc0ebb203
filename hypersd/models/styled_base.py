"""A family's own bases in other styles: its base with a LoRA that is shipped beside it (Hyper-SD's Figure 10)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hypersd.models.adapter_file import inspect
from hypersd.models.changed_base import ChangedBase, on_changed_base
from hypersd.models.family_parts import StyledBase
from hypersd.models.specs import Family


def styled_bases(family: Family) -> tuple[StyledBase, ...]:
    """The styles of a family's base whose LoRAs are in its folder."""
    return tuple(base for base in family.styled_bases if _file(family, base).exists())


def with_styled_base(family: Family, name: str) -> ChangedBase:
    """The family on its base in one of its own styles.

    Args:
        family: whose base is changed.
        name: of the style.

    Raises:
        OSError: the style's file is damaged, or no adapter.
        ValueError: the family has no such style, or its file is missing.
    """
    styled = next((base for base in family.styled_bases if base.name == name), None)
    if styled is None:
        names = ", ".join(base.name for base in styled_bases(family))
        raise ValueError(
            f"{family.name} has no base {name[:40]!r}; {f'choose from: {names}' if names else 'leave it out'}"
        )
    file = _file(family, styled)
    if not file.exists():
        raise ValueError(f"{file} is missing; train it with `python -m hypersd emoji train --stages styles`")
    inspect(file)
    based = replace(family, styles=(styled.weights, *family.styles), styled=styled)
    return on_changed_base(based, f"{family.base_model.title}, {styled.title}", styled.licence, styled.source)


def _file(family: Family, base: StyledBase) -> Path:
    return (family.folder or Path()) / str(base.weights.file)
