"""Choice of a family's base, on the Compare, Sweep and Control tabs."""

from __future__ import annotations

import gradio as gr

from hypersd.models.family_bases import OWN, base_titles
from hypersd.models.specs import Family


def base_choice(family: Family, base: str = "", *, elem_id: str) -> gr.Radio:
    """Choice between a family's own base and the others that it offers; hidden if there are no others."""
    choices = [(OWN, ""), *((title, name) for name, title in base_titles(family).items())]
    return gr.Radio(choices, value=base, label="Base", visible=len(choices) > 1, elem_id=elem_id)
