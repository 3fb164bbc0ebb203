"""The Arena tab: blind votes on two pictures. Its scripts are in static/, its texts in texts.py."""

from __future__ import annotations

import gradio as gr

from app.templating import render
from app.texts import ARENA, LIBRARY

_KEYS = (("left", "1"), ("right", "2"), ("tie", "0"), ("both_bad", "9"), ("skip", "Space"))
_CLOSED = """
<p class="hs-empty">The arena is closed: its votes cannot be kept. The log of this page has the reason for its owner;
DATABASE_URL sets where votes are stored.</p>
"""


def build_arena(*, open_: bool, published: bool = False, draws: bool = True, signs_in: bool = False) -> None:
    """Lay out the tab, with a button for signing in if visitors can.

    Its battles use the arena's HTTP routes, not Gradio components.
    """
    if open_ and signs_in:
        gr.LoginButton(size="sm", elem_id="hs-arena-login")
    gr.HTML(skeleton(published=published, draws=draws) if open_ else _CLOSED, elem_id="hs-arena")


def skeleton(*, published: bool = False, draws: bool = True) -> str:
    """The tab's HTML, with the texts that its script needs.

    It states which data of visitors is stored, and whether votes are `published` or may be published. `draws` tells
    whether models draw the pairs; else the pictures exist already.
    """
    texts = {**ARENA, **({} if draws else LIBRARY)}
    kept = "kept_published" if published else "kept_private"
    return render("arena", texts=texts, keys=_KEYS, kept=kept, draws=draws)
