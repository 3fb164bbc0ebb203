"""The Arena tab: two pictures, no names, one key. It moves by the scripts in static, and speaks by texts.py."""

from __future__ import annotations

import html
import json

import gradio as gr

from app.texts import ARENA, LANGUAGES, Words

_KEYS = (("left", "1"), ("right", "2"), ("tie", "0"), ("both_bad", "9"), ("skip", "Space"))


def build_arena(words: Words, *, open_: bool, published: bool = False) -> None:
    """Lay out the tab. Its battles come over the arena's own door (`app/routes.py`), never through a component."""
    shown = skeleton(published=published) if open_ else f'<p class="hs-empty">{words("closed_arena")}</p>'
    gr.HTML(shown, elem_id="hs-arena")


def skeleton(*, published: bool = False) -> str:
    """The tab's HTML in English, with all its texts in all languages for the script to choose from.

    Visitors are told what is kept of them, and whether it is `published` already or only may be.
    """
    words = {key: html.escape(text) for key, text in ARENA["en"].items()}
    buttons = "".join(
        f'<button type="button" class="hs-choice" data-choice="{choice}" aria-disabled="true">'
        f'<span data-text="{choice}">{words[choice]}</span><kbd aria-hidden="true">{key}</kbd></button>'
        for choice, key in _KEYS
    )
    tools = "".join(
        f'<button type="button" class="hs-{name}" aria-pressed="false"><span data-text="{text}">{words[text]}</span>'
        f'<kbd aria-hidden="true">{key}</kbd></button>'
        for name, text, key in (("zoom", "zoom", "Z"), ("view", "slider", "S"))
    )
    halves = "".join(
        f'<div class="hs-half" data-side="{side}" role="img" data-label="{side}_picture" '
        f'aria-label="{words[f"{side}_picture"]}"></div>'
        for side in ("left", "right")
    )
    kept = "kept_published" if published else "kept_private"
    texts = html.escape(json.dumps({language: ARENA[language] for language in LANGUAGES}))
    return f"""
<section class="hs-arena" data-texts="{texts}" aria-label="Arena">
<div class="hs-modes" role="group" data-label="part" aria-label="{words["part"]}" hidden></div>
<p class="hs-study"></p>
<header class="hs-arena-head"><h2 data-text="question">{words["question"]}</h2>
<p class="hs-arena-prompt" aria-live="polite">&nbsp;</p></header>
<div class="hs-stage" data-view="side" aria-busy="true">{halves}
<input type="range" class="hs-cut" min="0" max="100" value="50" hidden
data-label="slider" aria-label="{words["slider"]}">
<p class="hs-wait" role="status" data-text="drawing">{words["drawing"]}</p></div>
<div class="hs-choices" role="group" data-label="question" aria-label="{words["question"]}">{buttons}</div>
<div class="hs-tools"><span>{tools}</span><span class="hs-count"></span></div>
<div class="hs-said" role="status"></div>
<div class="hs-told" role="status" hidden></div>
<form class="hs-own"><label for="hs-own-prompt" data-text="own">{words["own"]}</label>
<span><input id="hs-own-prompt" type="text" maxlength="300" autocomplete="off">
<button type="submit" data-text="draw">{words["draw"]}</button></span></form>
<form class="hs-own hs-look-up"><label for="hs-receipt" data-text="your_receipt">{words["your_receipt"]}</label>
<span><input id="hs-receipt" type="text" maxlength="64" autocomplete="off" spellcheck="false">
<button type="submit" data-text="look_up">{words["look_up"]}</button></span>
<output class="hs-looked-up" role="status"></output></form>
<div class="hs-mine" hidden></div>
<p class="hs-kept" data-text="{kept}">{words[kept]}</p>
</section>"""
