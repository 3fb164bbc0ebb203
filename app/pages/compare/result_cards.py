"""HTML of the Compare tab's results: status line, notes, and a card for each run."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from PIL import Image

from app.services.gpu_calls import GPURefused
from app.templating import render
from app.texts import sentence
from hypersd.models.families.embedded import backgrounds_of, objects_of
from hypersd.models.machine import Machine
from hypersd.models.specs import Capability, Family, ModelSpec
from hypersd.sampling.planning import PlannedRun, planned
from hypersd.sampling.png import png_info
from hypersd.sampling.record import changed_base_record, control_record, picture_texts, run_record, versions
from hypersd.sampling.remarks import listed, word_remarks
from hypersd.sampling.request import Generation, Preview, Request
from hypersd.utils.errors import gist

_DEVICES = {"cpu": "CPU", "cuda": "GPU", "mps": "Apple GPU"}
_STATES = {"starting": "starting", "idle": "loads with the first run", "loading": "loading models", "ready": "ready"}
_TIMES = "\N{MULTIPLICATION SIGN}"
_LARGE = 512
_NO_TEXTS: Mapping[str, str] = MappingProxyType({})

Key = tuple[str, int, int]
"""A picture's model, steps and seed: what tells the cards of a comparison apart."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Content of a card: an event of its run, with the picture as a data URL (empty without one)."""

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
    control = {"control": control_record(family, request.control)} if request.control else {}
    context = {**control, **changed_base_record(family), "versions": versions()}
    return picture_texts(request, run_record(event, family, None, None, request), context, event.image.size)


def status(family: Family, machine: Machine | None, state: str) -> str:
    """Family, device, precision, state of loading, and source of the weights, as one line."""
    kind = state if state in {"ready", "idle"} else "bad" if state.startswith("failed") else "busy"
    where = f"{_DEVICES[machine.device]}, {machine.precision}" if machine else "looking for a device"
    whose = (
        "this project\N{RIGHT SINGLE QUOTATION MARK}s re-implementations at toy scale, not the published weights"
        if family.is_reimplementation
        else "the published weights"
    )
    return render("status", family=family, state=_STATES.get(state, state), kind=kind, where=where, whose=whose)


def message(text: str, *, error: bool = False, pairs: bool = False) -> str:
    """A sentence for the visitor, with a link to the arena's prepared `pairs` if wanted; empty text is nothing."""
    return render("message", text=text, error=error, pairs=pairs) if text else ""


def complaint(error: Exception) -> str:
    """The message of an error; a visitor without a GPU is shown the way to prepared pairs."""
    return message(sentence(gist(error)), error=True, pairs=isinstance(error, GPURefused))


def unknown_words(family: Family, prompt: str) -> str:
    """Kind words about what of a prompt the family has never seen or cannot draw, or nothing."""
    remarks = word_remarks(family, prompt)
    return " ".join([*remarks, "All that it can draw is listed below."] if remarks else [])


def vocabulary(family: Family) -> str:
    """All that a family can draw, folded away; nothing for one that knows any word."""
    if not family.has(Capability.SCENES):
        return ""
    backgrounds = listed(backgrounds_of(family), last="or")
    return render("vocabulary", objects=objects_of(family), backgrounds=backgrounds)


def link(query: str) -> str:
    """A permanent link; the page's script copies its address when it is clicked."""
    return render("link", query=query)


def reference(family: Family, drawn: Sequence[Generation]) -> Generation | None:
    """The base's picture that the others are measured against: at its default steps, else at the most."""
    base = family.specs[0]
    candidates = [each for each in drawn if each.model == base.name and each.image]
    return max(candidates, key=lambda each: (each.steps == base.default_steps, each.steps), default=None)


def key_of(event: Preview | Generation) -> Key:
    """The card that an event belongs to."""
    return event.model, event.steps, event.seed


def title(spec: ModelSpec, event: Generation, request: Request) -> str:
    """A picture's name: `Hyper-SD, 4 steps`, with the seed where a run has several pictures."""
    return _name(spec, event.steps) + _which(request, event.seed)


def _name(spec: ModelSpec, steps: int) -> str:
    return f"{spec.title}, {steps} step{'s' if steps != 1 else ''}"


def _which(request: Request, seed: int) -> str:
    return f", seed {seed}" if request.count > 1 else ""


@dataclass(frozen=True, slots=True)
class _Badge:
    """A run's speed relative to the base's."""

    shown: str
    words: str
    quiet: bool
    label: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Card:
    """A run's card, with formatted numbers; without a picture it shows a failure or the waiting state."""

    model: str
    title: str
    name: str
    steps: int
    calls: int
    seconds: str
    at_work: bool
    waiting: str
    picture: str = ""
    step: int = 0
    caption: str = ""
    error: str = ""
    badge: _Badge | None = None


def board(family: Family, request: Request, shown: Mapping[Key, Shown], *, running: bool) -> str:
    """A comparison: a card for each run, cheapest first; `shown` holds what has come of the runs so far."""
    drawn = [each.event for each in shown.values() if isinstance(each.event, Generation)]
    base = reference(family, drawn)
    plan = planned(family, request)
    keys = {(run.spec.name, run.recipe.steps, seed): run for run in plan for seed in request.seeds}
    done = {key_of(each) for each in drawn}
    waiting = [key for key in keys if key not in done]
    at_work = waiting[0] if running and waiting else None
    cards = [
        _card(run, _which(request, key[-1]), shown.get(key), base, at_work=key == at_work, running=running)
        for key, run in keys.items()
    ]
    return render("comparison", request=request, cards=cards, running=running)


def _card(
    run: PlannedRun, which: str, shown: Shown | None, base: Generation | None, *, at_work: bool, running: bool
) -> _Card:
    blank = _Card(
        model=run.spec.name,
        title=run.spec.title + which,
        name=_name(run.spec, run.recipe.steps) + which,
        steps=run.recipe.steps,
        calls=run.recipe.calls,
        seconds="\N{EN DASH}",
        at_work=at_work,
        waiting="Drawing \N{HORIZONTAL ELLIPSIS}"
        if at_work
        else "Next in line"
        if running
        else "Stopped before its turn",
    )
    if shown is None:
        return blank
    event = shown.event
    if isinstance(event, Preview):
        return replace(blank, picture=shown.picture, step=event.step)
    if event.error is not None:
        return replace(blank, error=event.error[:1].upper() + event.error[1:])
    seconds = f"{event.seconds:.2f}"
    return replace(
        blank,
        picture=shown.picture,
        calls=event.calls,
        seconds=seconds,
        caption=f"{blank.name}, {event.calls} call{'s' if event.calls != 1 else ''}, {seconds} s",
        badge=_speed_up(event, base),
    )


def _speed_up(event: Generation, base: Generation | None) -> _Badge | None:
    if base is None or not event.seconds:
        return None
    if event is base:
        return _Badge("reference", "The others are measured against this one", quiet=True, label=False)
    factor = base.seconds / event.seconds
    words = f"{factor:.1f} times as fast as the base at {base.steps} steps"
    if factor > 1:
        return _Badge(f"{factor:.1f}{_TIMES} faster", words, quiet=False)
    return _Badge(f"{1 / factor:.1f}{_TIMES} slower" if factor < 1 else "as fast", words, quiet=True)
