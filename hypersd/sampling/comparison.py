"""The same prompt and seed for several models, cheapest first."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress

import torch
from PIL import Image, ImageDraw, ImageFont

from hypersd.models.engine import Engine
from hypersd.sampling.control_residuals import LoadedControl, control_tensor
from hypersd.sampling.finite import NotFiniteError
from hypersd.sampling.planning import PlannedRun, planned
from hypersd.sampling.png import fitted
from hypersd.sampling.remarks import unread_remark
from hypersd.sampling.request import Generation, Preview, Request
from hypersd.sampling.sampler import SampledImage, decode, denoise
from hypersd.utils.errors import Cancelled, gist

log = logging.getLogger(__name__)

Event = Preview | Generation

DrawAll = Callable[[Sequence[Request]], Iterator[Iterable[Event]]]
"""Function that draws requests: the results of each, in the order of the requests."""

PREVIEW_EVERY = 4
"""Steps between previews; a run of fewer steps has none."""


def compare(
    request: Request, engine: Engine, *, cancelled: Callable[[], bool] = lambda: False, previews: bool = False
) -> Iterator[Event]:
    """Draw every run of a request, cheapest first; yield each result as soon as it is finished.

    A run that fails yields a `Generation` with an error; the others go on. When `cancelled` becomes true, the iteration
    ends within one UNet call; a download in progress is completed for later requests.

    Raises:
        ValueError: a model is unknown, or does not run at the number of steps asked for; or no model bears a parameter.
    """
    for run in planned(engine.family, request):
        for seed in request.seeds:
            try:
                yield from _run(request, seed, engine, run, cancelled=cancelled, previews=previews)
            except Cancelled:
                return
            except Exception as error:  # an error of one model must not stop the others
                log.debug("%s failed at %d steps", run.spec.name, run.recipe.steps, exc_info=True)
                yield Generation(
                    model=run.spec.name,
                    steps=run.recipe.steps,
                    calls=0,
                    guidance_scale=run.recipe.guidance_scale,
                    seconds=0.0,
                    error=_sentence(error),
                    seed=seed,
                )


def drawn_by(engine: Engine) -> DrawAll:
    """The function that draws requests with an engine, each when its turn comes."""
    return lambda requests: (compare(request, engine) for request in requests)


def _run(
    request: Request, seed: int, engine: Engine, run: PlannedRun, *, cancelled: Callable[[], bool], previews: bool
) -> Iterator[Event]:
    if cancelled():  # before any download, loading or waiting
        raise Cancelled
    engine.load(cancelled)
    embeds = engine.prompts.encode(request.prompt, run.negative_prompt)
    model, recipe, (width, height) = run.spec.name, run.recipe, run.size
    control = _control(request, engine, run, cancelled)
    controlled = control is not None
    with engine.use(recipe, cancelled, tiny_decoder=request.tiny_decoder, controlled=controlled) as loaded:
        for event in denoise(
            loaded, recipe, embeds, seed, pixels=height, width=width, control=control, cancelled=cancelled
        ):
            if isinstance(event, SampledImage):
                yield Generation(
                    model=model,
                    steps=recipe.steps,
                    calls=event.calls,
                    guidance_scale=recipe.guidance_scale,
                    seconds=event.seconds,
                    image=event.image,
                    seed=seed,
                    timesteps=event.timesteps,
                    unread=embeds.unread,
                    backend=loaded.backend,
                    warnings=(*filter(None, (unread_remark(embeds.unread), loaded.warning)), *run.warnings),
                )
            elif previews and event.step % PREVIEW_EVERY == 0 and event.step < recipe.steps:
                with suppress(NotFiniteError):  # only a preview; the run itself reports the error
                    picture = decode(loaded.vae, event.clean)
                    yield Preview(model=model, steps=recipe.steps, step=event.step, image=picture, seed=seed)


def _control(request: Request, engine: Engine, run: PlannedRun, cancelled: Callable[[], bool]) -> LoadedControl | None:
    """Control image and its ControlNet, loaded; None if the run follows none."""
    if request.control is None:
        return None
    controlnet = engine.controlnet(request.control.mode, cancelled)
    width, height = run.size
    image = control_tensor(request.control.image, width, height, next(controlnet.parameters()))
    scale = request.control.scale_with(engine.family.controlnet(request.control.mode))
    return LoadedControl(controlnet, image, scale)


def _sentence(error: Exception) -> str:
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return "there is not enough memory; close what else uses it, or choose fewer models"
    return gist(error)


def grid(request: Request, generations: Sequence[Generation], side: int = 256, *, title: str = "") -> Image.Image:
    """All pictures of a comparison, a column for each run, a row for each seed; a failed one is grey.

    A control image has its own column before them; `title` is written before the prompt.
    """
    failed = Image.new("RGB", (side, side), "gainsboro")
    columns = list(dict.fromkeys((generation.model, generation.steps) for generation in generations))
    rows = sorted({generation.seed for generation in generations})
    line, margin = 18, 12
    below = side + 2 * line + margin
    before = 0 if request.control is None else side + margin
    width = before + len(columns) * (side + margin) + margin
    sheet = Image.new("RGB", (width, 2 * margin + line + len(rows) * below), "white")
    heading = f"{title}: {request.prompt}" if title else request.prompt
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=13)
    pen.text((margin, margin), f"{heading[: width // 8]}  (seed {request.seed})", fill="black", font=font)
    if request.control is not None:
        sheet.paste(fitted(request.control.image, side), (margin, margin + line + margin // 2))
        pen.text((margin, margin + line + margin // 2 + side + 4), request.control.mode, fill="black", font=font)
    for generation in generations:
        left = before + margin + columns.index((generation.model, generation.steps)) * (side + margin)
        top = margin + line + margin // 2 + rows.index(generation.seed) * below
        picture = fitted(generation.image or failed, side)
        sheet.paste(picture, (left + (side - picture.width) // 2, top + (side - picture.height) // 2))
        steps = f"{generation.steps} step{'s' if generation.steps > 1 else ''}"
        pen.text((left, top + side + 4), generation.model, fill="black", font=font)
        note = "failed" if generation.image is None else f"{generation.seconds:.2f} s"
        seed = f", seed {generation.seed}" if len(rows) > 1 else ""
        pen.text((left, top + side + 4 + line), f"{steps}, {note}{seed}", fill="dimgray", font=font)
    return sheet
