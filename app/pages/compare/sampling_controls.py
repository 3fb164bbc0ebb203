"""Controls of the sampling parameters, collapsed by default: an empty field keeps each model's own value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from hypersd.models.specs import Family
from hypersd.sampling.request import MAX_COUNT, Request, SamplingParameters, parse_size, sides
from hypersd.utils.numbers import parse_number

_OWN = "each model\N{RIGHT SINGLE QUOTATION MARK}s own"


@dataclass(frozen=True, eq=False, kw_only=True)
class SamplingControls:
    """The controls."""

    panel: gr.Accordion
    eta: gr.Textbox
    strength: gr.Textbox
    guidance: gr.Textbox
    negative: gr.Textbox
    size: gr.Textbox
    count: gr.Slider
    tiny: gr.Checkbox

    @property
    def inputs(self) -> set[Any]:
        """The components that a request's parameters and count are made of."""
        return {self.eta, self.strength, self.guidance, self.negative, self.size, self.count, self.tiny}

    def parameters(self, values: Mapping[Any, Any]) -> SamplingParameters:
        """The parameters that are set.

        Raises:
            ValueError: one of them is out of range.
        """
        typed = {part: str(values[part] or "").strip() for part in self.inputs - {self.tiny}}
        eta, strength, guidance = (
            parse_number(typed[part]) if typed[part] else None for part in (self.eta, self.strength, self.guidance)
        )
        return SamplingParameters(
            eta=eta,
            strength=strength,
            guidance_scale=guidance,
            negative_prompt=typed[self.negative] or None,
            size=parse_size(typed[self.size]) if typed[self.size] else None,
        )

    def restored(self, family: Family, request: Request) -> dict[Any, Any]:
        """Show what a request sets, unfolded if it sets anything."""
        given = request.parameters
        return {
            self.panel: gr.Accordion(open=bool(given.given) or request.count > 1 or request.tiny_decoder),
            self.eta: _shown(given.eta),
            self.strength: _shown(given.strength),
            self.guidance: _shown(given.guidance_scale),
            self.negative: given.negative_prompt or "",
            self.size: sides(given.size) if given.size else "",
            self.count: request.count,
            self.tiny: decoder_choice(family, tiny=request.tiny_decoder),
        }


def sampling_controls(family: Family) -> SamplingControls:
    """Lay out the controls for the family that is shown first."""
    with gr.Accordion("Sampling", open=False, elem_id="hs-sampling") as panel:
        with gr.Row(elem_id="hs-sampling-numbers"):
            guidance = _field("Guidance", "1 is none. Distilled models take none.")
            eta = _field("Eta", "Noise added anew at each step, 0 to 1.")
            strength = _field("LoRA strength", "1 is as published.")
            size = _field("Size", "Pixels: 512 or 1024x768.")
        negative = gr.Textbox(
            label="Negative prompt",
            info="What to keep out; it works through guidance.",
            max_lines=1,
            elem_id="hs-negative",
        )
        count = gr.Slider(1, MAX_COUNT, 1, step=1, label="Pictures a model", info="From seeds that follow each other.")
        tiny = decoder_choice(family)
    return SamplingControls(
        panel=panel,
        eta=eta,
        strength=strength,
        guidance=guidance,
        negative=negative,
        size=size,
        count=count,
        tiny=tiny,
    )


def decoder_choice(family: Family, *, tiny: bool = False) -> gr.Checkbox:
    """Choice of a family's tiny decoder; hidden for a family that has none."""
    return gr.Checkbox(
        value=tiny,
        label="Tiny decoder",
        info="Much faster on a CPU, a little softer.",
        visible=family.tiny_decoder is not None,
        elem_id="hs-tiny",
    )


def _field(label: str, info: str) -> gr.Textbox:
    """A short text, since an empty number comes back as 0."""
    return gr.Textbox(label=label, info=info, placeholder=_OWN, max_lines=1, min_width=150)


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
