"""The endpoints `/compare` and `/compare_pictures`: one prompt and one seed, drawn by several models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.processing_utils import save_pil_to_cache
from gradio.utils import get_upload_folder

from app.api.api_types import PictureRecord
from app.pages.compare import result_cards
from app.services.draw_job import Job
from app.services.engines import EngineManager
from app.services.grid_picture import grid_picture
from app.texts import sentence
from hypersd.models.specs import Family
from hypersd.sampling.remarks import word_remarks
from hypersd.sampling.request import Generation, Request, Run, SamplingParameters, parse_seed, parse_size
from hypersd.utils.errors import gist


@dataclass(frozen=True, eq=False)
class CompareEndpoint:
    """The endpoint of a page's engines."""

    engines: EngineManager

    def compare(  # noqa: PLR0917 - the names are the interface
        self,
        prompt: str,
        seed: int,
        family: str,
        models: list[str],
        steps: list[int],
        eta: float | None = None,
        strength: float | None = None,
        guidance: float | None = None,
        negative: str | None = None,
        size: str | None = None,
        count: int = 1,
        base: str = "",
        decoder: str = "full",
    ) -> list[PictureRecord]:
        """Draw a prompt with several models (none named: all of the family's) at several steps (none: their defaults).

        The other arguments are as on the command line; null keeps each model's own. eta: share of new noise in each
        step, 0 to 1. strength: scale of an adapter, up to 2. guidance: 1 to 20. negative: content to avoid. size: such
        as "1024x768". count: pictures per model, with consecutive seeds. base: one of the names that
        `/models` lists (of emoji: "noto", "twemoji", "flat"); empty for the family's own. decoder: "full" or "tiny".

        Returns one object for each picture: model, steps, seed, calls, guidance_scale, seconds, error, image (a data
        URL), and warnings: sentences about what was not done as asked.
        """
        try:
            texts = (family, *models, negative, size, base, decoder)
            _check_types(prompt, steps, numbers=(eta, strength, guidance), texts=texts, count=count)
            changed = self.engines.on_base(family, base or "")
            changed.check(models)
            request = Request(
                prompt=prompt,
                seed=parse_seed(str(seed)),
                family=family,
                runs=_runs(changed.family, models, steps),
                parameters=SamplingParameters(
                    eta=eta,
                    strength=strength,
                    guidance_scale=guidance,
                    negative_prompt=negative or None,
                    size=parse_size(size) if size else None,
                ),
                count=count,
                base=base or "",
                tiny_decoder=_is_tiny(decoder),
            )
            known = self.engines.family_for(request)
            events = self._drawn(known, request)
        except (OSError, ValueError) as error:
            raise gr.Error(sentence(gist(error)), print_exception=False) from error
        remarks = word_remarks(known, request.prompt)
        return [_record(event, result_cards.texts(known, request, event), remarks) for event in events]

    def compare_pictures(
        self,
        prompt: str,
        seed: int = 0,
        family: str = "",
        models: list[str] | None = None,
        steps: list[int] | None = None,
    ) -> gr.FileData:
        """Draw one prompt and one seed with several models, side by side in one picture with the seconds of each.

        Args:
            prompt: to draw; the embedded family draws scenes of emoji, such as "a big cat on a blue background".
            seed: of the initial noise, the same for every model.
            family: of the models, such as "sdxl"; empty for the page's own.
            models: names from the list of models; none for all of the family's.
            steps: numbers of steps for each model; none for their defaults.
        """
        try:
            known = self.engines.family(family or self.engines.first)
            _check_types(prompt, steps, numbers=(), texts=(), count=1)
            runs = _runs(known, models or (), steps or ())
            request = Request(prompt=prompt, seed=parse_seed(str(seed)), family=known.name, runs=runs)
            events = self._drawn(known, request)
        except ValueError as error:
            raise gr.Error(sentence(gist(error)), print_exception=False) from error
        picture, texts = grid_picture(known, request, events)
        picture.info.update(texts)
        path = save_pil_to_cache(picture, get_upload_folder(), name="comparison", format="png")
        return gr.FileData(path=path, mime_type="image/png")

    def _drawn(self, family: Family, request: Request) -> list[Generation]:
        return [event for event in self.engines.draw(Job(request, family)) if isinstance(event, Generation)]


def _is_tiny(decoder: str) -> bool:
    """True for the tiny decoder.

    Raises:
        ValueError: there is no such decoder.
    """
    if decoder not in {"full", "tiny"}:
        raise ValueError(f"the decoder must be full or tiny, not {str(decoder)[:20]!r}")
    return decoder == "tiny"


def _runs(family: Family, models: Sequence[str], steps: Sequence[int]) -> tuple[Run, ...]:
    """Each model at each number of steps."""
    return tuple(
        Run(model=name, steps=family.spec(name).recipe(count).steps)
        for name in models or [spec.name for spec in family.specs]
        for count in steps or [None]
    )


def _check_types(prompt: Any, steps: Any, *, numbers: Sequence[Any], texts: Sequence[Any], count: Any) -> None:
    """Check the types of a script's JSON values.

    Raises:
        ValueError: a value has a wrong type.
    """
    if not isinstance(prompt, str) or not all(isinstance(text, str | None) for text in texts):
        raise ValueError("the prompt, the names, the negative prompt, the size, the base and the decoder must be text")
    if not all(_is_whole(number) for number in (*(steps or ()), count)):
        raise ValueError("every number of steps, and the count, must be a whole number")
    if not all(isinstance(number, float | None) or _is_whole(number) for number in numbers):
        raise ValueError("eta, strength and guidance must be numbers or null")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _record(event: Generation, texts: Mapping[str, str], remarks: Sequence[str]) -> PictureRecord:
    return {
        "model": event.model,
        "steps": event.steps,
        "seed": event.seed,
        "calls": event.calls,
        "guidance_scale": event.guidance_scale,
        "seconds": event.seconds,
        "error": event.error,
        "image": result_cards.data_url(event.image, texts) if event.image else None,
        "warnings": [*remarks, *event.warnings],
    }
