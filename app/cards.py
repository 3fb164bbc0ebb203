"""Pieces of the page made of words, numbers and pictures, as HTML: status line, notes, and a card for each run."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from PIL import Image

from hypersd.emoji.world import World
from hypersd.models.cards import Family, ModelCard, Recipe
from hypersd.models.registry import Machine
from hypersd.sampling.png import png_info
from hypersd.sampling.record import picture_texts, run_record, versions
from hypersd.sampling.remarks import listed, word_remarks
from hypersd.sampling.request import Generation, Preview, Request

_DEVICES = {"cpu": "CPU", "cuda": "GPU", "mps": "Apple GPU"}
_STATES = {"starting": "starting", "idle": "loads with the first run", "loading": "loading models", "ready": "ready"}
_TIMES = "\N{MULTIPLICATION SIGN}"
_LARGE = 512
_NO_TEXTS: Mapping[str, str] = MappingProxyType({})

Key = tuple[str, int]
"""A run's model and steps: what tells the cards of a comparison apart."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a card shows: an event of its run, with the picture as a data URL (empty without one)."""

    event: Preview | Generation
    picture: str

    @classmethod
    def of(cls, event: Preview | Generation, texts: Mapping[str, str] = _NO_TEXTS) -> Shown:
        """An event, its picture (with these texts in it) encoded once for all the times that the card is drawn."""
        return cls(event, data_url(event.image, texts) if event.image else "")


def data_url(image: Image.Image, texts: Mapping[str, str]) -> str:
    """A picture that travels inside the page: a PNG with these texts if it is small, WebP of high quality if large."""
    small = max(image.size) <= _LARGE
    kind, options = ("png", {"pnginfo": png_info(texts)}) if small else ("webp", {"quality": 92})
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def texts(family: Family, request: Request, event: Preview | Generation) -> dict[str, str]:
    """The texts that the picture of a run carries: its whole recipe; none for a preview."""
    if isinstance(event, Preview) or event.image is None:
        return {}
    return picture_texts(request, run_record(event, family, None), {"versions": versions()}, event.image.size)


def status(family: Family, machine: Machine | None, state: str) -> str:
    """Family, device, precision, how far the loading is, and whose weights these are, as one line."""
    kind = state if state in {"ready", "idle"} else "bad" if state.startswith("failed") else "busy"
    where = f"{_DEVICES[machine.device]}, {machine.precision}" if machine else "looking for a device"
    whose = (
        "this project\N{RIGHT SINGLE QUOTATION MARK}s re-implementations at toy scale, not the published weights"
        if family.is_reimplementation
        else "the published weights"
    )
    return (
        f'<div class="hs-status" role="status">'
        f'<span class="hs-pill {kind}">{html.escape(_STATES.get(state, state))}</span>'
        f"<span><b>{html.escape(family.title)}</b>, {family.pixels} px</span>"
        f"<span>{where}</span><span>{whose}</span></div>"
    )


def message(text: str, *, error: bool = False) -> str:
    """A sentence for the visitor; empty text is nothing."""
    role, look = ("alert", " error") if error else ("status", "")
    return f'<div class="hs-message{look}" role="{role}">{html.escape(text)}</div>' if text else ""


def unknown_words(family: Family, prompt: str) -> str:
    """Kind words about what of a prompt the family has never seen or cannot draw, or nothing."""
    remarks = word_remarks(family, prompt)
    return " ".join([*remarks, "All that it can draw is listed below."] if remarks else [])


def vocabulary(family: Family) -> str:
    """All that a family can draw, folded away; nothing for one that knows any word."""
    if family.world is None:
        return ""
    world = World.load(family.world)
    return (
        f'<details class="hs-words"><summary>All {len(world.objects)} things it can draw</summary>'
        f"<p>{html.escape(', '.join(sorted(world.objects)))}.</p>"
        f"<p>On a background that is {html.escape(listed(sorted(world.backgrounds), last='or'))}; big or small, "
        f"or two things, one <i>left of</i> the other.</p></details>"
    )


def link(query: str) -> str:
    """A permanent link; the page's script copies its address when it is clicked."""
    return f'<a class="hs-link" href="{html.escape(query)}" title="Opens this run again">Copy link to this run</a>'


def planned(family: Family, request: Request) -> list[tuple[ModelCard, Recipe]]:
    """A request's runs in the order in which they are drawn: fewest UNet calls first.

    Raises:
        ValueError: a model is unknown, or does not run at the number of steps asked for.
    """
    cards = [family.card(run.model) for run in request.runs]
    chosen = [(card, card.recipe(run.steps)) for card, run in zip(cards, request.runs, strict=True)]
    return sorted(chosen, key=lambda choice: choice[1].calls)


def reference(family: Family, drawn: Sequence[Generation]) -> Generation | None:
    """The base's picture that the others are measured against: at its default steps, else at the most."""
    base = family.cards[0]
    candidates = [one for one in drawn if one.model == base.name and one.image]
    return max(candidates, key=lambda one: (one.steps == base.default_steps, one.steps), default=None)


def title(card: ModelCard, steps: int) -> str:
    """A run's name: `Hyper-SD, 4 steps`."""
    return f"{card.title}, {steps} step{'s' if steps != 1 else ''}"


def board(family: Family, request: Request, shown: Mapping[Key, Shown], *, running: bool) -> str:
    """A comparison: a card for each run, cheapest first; `shown` holds what has come of the runs so far."""
    drawn = [one.event for one in shown.values() if isinstance(one.event, Generation)]
    base = reference(family, drawn)
    plan = planned(family, request)
    done = {(one.model, one.steps) for one in drawn}
    waiting = [key for card, recipe in plan if (key := (card.name, recipe.steps)) not in done]
    at_work = waiting[0] if running and waiting else None
    cards = "".join(
        _card(card, recipe, shown.get(key), base, at_work=key == at_work, running=running)
        for card, recipe in plan
        for key in [(card.name, recipe.steps)]
    )
    heading = f"\N{LEFT DOUBLE QUOTATION MARK}{html.escape(request.prompt)}\N{RIGHT DOUBLE QUOTATION MARK}"
    return (
        f'<section class="hs-board" aria-label="Results" aria-busy="{str(running).lower()}"><h2>{heading}'
        f' <small>seed {request.seed}</small></h2><div class="hs-cards">{cards}</div></section>'
    )


def _card(
    card: ModelCard, recipe: Recipe, shown: Shown | None, base: Generation | None, *, at_work: bool, running: bool
) -> str:
    event = shown.event if shown else None
    name = html.escape(card.title)
    if isinstance(event, Generation) and event.error is not None:
        sentence = html.escape(event.error[:1].upper() + event.error[1:])
        body = f'<div class="hs-frame failed"><p>{sentence}</p></div>'
    elif shown and shown.picture:
        body = _picture(title(card, recipe.steps), shown, recipe)
    else:
        look = "hs-frame working" if at_work else "hs-frame"
        body = f'<div class="{look}"><p>{_waiting(at_work=at_work, running=running)}</p></div>'
    numbers = [("steps", f"{recipe.steps}"), ("calls", f"{recipe.calls}"), ("seconds", "\N{EN DASH}")]
    badge = ""
    if isinstance(event, Generation) and event.error is None:
        numbers = [("steps", f"{event.steps}"), ("calls", f"{event.calls}"), ("seconds", f"{event.seconds:.2f}")]
        badge = _speed_up(event, base)
    line = "".join(f"<div><dd>{value}</dd><dt>{label}</dt></div>" for label, value in numbers)
    return (
        f'<article class="hs-card" data-model="{html.escape(card.name)}" data-steps="{recipe.steps}">{body}'
        f"<header><h3>{name}</h3>{badge}</header><dl>{line}</dl></article>"
    )


def _waiting(*, at_work: bool, running: bool) -> str:
    return "Drawing \N{HORIZONTAL ELLIPSIS}" if at_work else "Next in line" if running else "Stopped before its turn"


def _picture(name: str, shown: Shown, recipe: Recipe) -> str:
    event, name = shown.event, html.escape(name)
    image = f'<img src="{shown.picture}" alt="{name}" decoding="sync">'
    if isinstance(event, Preview):
        done = 100 * event.step / recipe.steps
        return (
            f'<div class="hs-frame preview">{image}<progress max="100" value="{done:.0f}"></progress>'
            f"<span>step {event.step} of {recipe.steps}</span></div>"
        )
    caption = f"{name}, {event.calls} call{'s' if event.calls != 1 else ''}, {event.seconds:.2f} s"
    return f'<button type="button" class="hs-frame hs-open" data-caption="{caption}" title="Full size">{image}</button>'


def _speed_up(event: Generation, base: Generation | None) -> str:
    if base is None or not event.seconds:
        return ""
    if event is base:
        return '<span class="hs-badge quiet" title="The others are measured against this one">reference</span>'
    factor = base.seconds / event.seconds
    words = f"{factor:.1f} times as fast as the base at {base.steps} steps"
    look, shown = ("hs-badge", f"{factor:.1f}{_TIMES} faster") if factor > 1 else ("hs-badge quiet", _slower(factor))
    return f'<span class="{look}" title="{words}" aria-label="{words}">{shown}</span>'


def _slower(factor: float) -> str:
    return f"{1 / factor:.1f}{_TIMES} slower" if factor < 1 else "as fast"
