"""A controlled row as HTML, as in the paper's figure 9: the control image, then a picture for each number of steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from app.pages.compare import result_cards
from app.templating import render
from hypersd.models.specs import Family
from hypersd.sampling.request import Generation, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cell:
    """A picture of the row as a data URL; `stale` if it follows earlier lines."""

    picture: str = ""
    costs: str = ""
    error: str = ""
    stale: bool = False


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ControlShown:
    """A row as far as it is drawn.

    Args:
        lines: the control image as a data URL.
        cells: what has come, by its number of steps.
    """

    request: Request
    lines: str
    cells: Mapping[int, _Cell] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def begun(cls, request: Request, before: ControlShown | None) -> ControlShown:
        """A row of which nothing is drawn; pictures of the same prompt and models stay until new ones come."""
        lines = result_cards.data_url(request.control.image, {}) if request.control else ""
        alike = before is not None and _subject(before.request) == _subject(request)
        old = before.cells if before and alike else {}
        stale = {steps: replace(cell, stale=True) for steps, cell in old.items() if cell.picture}
        return cls(request=request, lines=lines, cells=stale)

    def added(self, family: Family, event: Generation) -> ControlShown:
        """The row with a result."""
        texts = result_cards.texts(family, self.request, event)
        costs = f"{event.calls} call{'s' if event.calls != 1 else ''}, {event.seconds:.2f} s"
        cell = _Cell(
            picture=result_cards.data_url(event.image, texts) if event.image else "",
            costs=costs,
            error=event.error or "",
        )
        return replace(self, cells={**self.cells, event.steps: cell})


def _subject(request: Request) -> tuple[str, str, str]:
    """Prompt, family and base: of pictures that differ in these, none is shown in the place of another."""
    return request.prompt, request.family, request.base


def control_html(shown: ControlShown, *, running: bool) -> str:
    """The row."""
    cells = [(run.steps, shown.cells.get(run.steps or 0, _Cell())) for run in shown.request.runs]
    return render("control", request=shown.request, lines=shown.lines, cells=cells, running=running)
