"""Files of a round's report: its Markdown, and pictures before and after."""

from __future__ import annotations

import torch
from PIL import Image

from hypersd.feedback.loop.results import ReportResult
from hypersd.feedback.loop.round_report import STEPS, text
from hypersd.feedback.loop.round_stages import CONTESTANT
from hypersd.feedback.loop.rounds import REPORT_FILE, Round
from hypersd.models.engine import Engine
from hypersd.sampling.comparison import compare
from hypersd.sampling.request import Generation, Request, Run
from hypersd.utils.files import atomic_path, write_text

_PROMPTS = (
    "a big cat on a blue background",
    "a small rocket on a pink background",
    "a big owl on a green background",
    "a penguin left of a cactus on a red background",
    "a bus left of a tree on a yellow background",
    "a small pizza on a white background",
)


def write_report(current: Round, engine: Engine) -> ReportResult:
    """Write `report.md` and the pictures that it shows, before and after, into the round's folder.

    Raises:
        OSError: the folder cannot be written.
        ValueError: a stage has not been done, or its file is damaged.
    """
    contestant = current.result(CONTESTANT)
    pictures = {"before": contestant.parent, "after": contestant.successor}
    for name, model in pictures.items():
        with atomic_path(current.folder / f"{name}.webp") as part:
            picture_grid(engine, model).save(part, quality=92)
    result = ReportResult(report=REPORT_FILE, before="before.webp", after="after.webp")
    write_text(current.folder / REPORT_FILE, text(current, pictures=result, threads=torch.get_num_threads()))
    return result


def picture_grid(engine: Engine, model: str) -> Image.Image:
    """A column a prompt, a row a number of steps; always the same prompts and seeds."""
    family = engine.family
    known = {recipe.steps for recipe in family.spec(model).recipes}
    runs = tuple(Run(model=model, steps=steps) for steps in STEPS if steps in known)
    sheet = Image.new("RGB", (family.pixels * len(_PROMPTS), family.pixels * len(runs)), "gainsboro")
    for column, prompt in enumerate(_PROMPTS):
        request = Request(prompt=prompt, seed=column, family=family.name, runs=runs)
        for event in compare(request, engine):
            if isinstance(event, Generation) and event.image is not None:
                row = [run.steps for run in runs].index(event.steps)
                sheet.paste(event.image, (column * family.pixels, row * family.pixels))
    return sheet
