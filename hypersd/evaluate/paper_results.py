"""The Hyper-SD paper's own results: the rows of its tables, and the prompts of its figures. Read from one file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from hypersd.models.machine import Machine
from hypersd.models.registry import availability, is_local
from hypersd.models.specs import Family
from hypersd.resources import assets_folder
from hypersd.utils.readers import read_json


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperRow:
    """A row of a table: a model at a number of steps.

    Args:
        label: the method, in the paper's words.
        model: that stands for it here, by its name in a family.
        paper: the paper's numbers, by the metric's name.
    """

    label: str
    steps: int
    model: str
    paper: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperTable:
    """A table of numbers, with rows for each architecture that it has."""

    number: int
    title: str
    rows: Mapping[str, Sequence[PaperRow]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperMethod:
    """A row of Table 1: properties of a method.

    Args:
        model: that stands for it here.
        paper: `steps`, `architectures`, `cfg_free`, `one_step_unet` and `one_step_lora`, as the paper has them.
    """

    label: str
    model: str
    paper: Mapping[str, str | bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureColumn:
    """A column of a figure: a model at a number of steps."""

    model: str
    steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperFigure:
    """A figure: a picture for each prompt of its caption and each column."""

    number: int
    title: str
    columns: list[FigureColumn]
    prompts: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperResults:
    """Everything that is taken from the paper.

    Args:
        source: of the numbers.
        setting: under which they were measured.
        architecture: whose rows stand beside families that the paper does not have.
    """

    source: str
    setting: str
    architecture: str
    methods: Sequence[PaperMethod]
    tables: Sequence[PaperTable]
    figures: Sequence[PaperFigure]

    def architecture_of(self, family: Family) -> str:
        """The architecture whose rows stand beside a family's."""
        named = {name for table in self.tables for name in table.rows}
        return family.name if family.name in named else self.architecture


@cache
def paper_results() -> PaperResults:
    """Read the file that is shipped."""
    results: PaperResults = read_json(
        assets_folder() / "paper" / "hyper-sd.json", PaperResults, "the results of the paper"
    )
    return results


def absence(family: Family, model: str, steps: int, machine: Machine) -> str:
    """The reason why a family cannot run a model at a number of steps here; empty if it can."""
    words = "not trained" if family.is_reimplementation else "no weights published"
    try:
        spec = family.spec(model)
        recipe = spec.recipe(steps)
    except ValueError:
        return words
    if family.folder is not None:
        return "" if is_local(family, recipe.weights, machine) else words
    return availability(family, spec, machine).reason
