"""Markdown as HTML, for a round's report: the same text on the page as in the round's folder."""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import Sequence
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape

_LEVEL_OFFSET = 1
"""A report's title is a heading below the page's own."""


def to_html(text: str, folder: Path) -> Markup:
    """A report as HTML. Markup in the text is shown as text; tables scroll by themselves where the page is narrow.

    Args:
        text: Markdown with tables.
        folder: of the report's pictures. They are embedded, because the folder is not served; links to files of the
            folder and missing pictures are shown as text.
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(text)
    _number_tables(tokens)
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{int(token.tag[1:]) + _LEVEL_OFFSET}"
        if token.type == "th_open" and following is not None and not following.content:
            token.attrs["aria-hidden"] = "true"  # a screen reader would announce an empty header
    for child in (child for token in tokens for child in token.children or ()):
        if child.type == "image":
            child.type, child.content = "html_inline", _figure(child, folder)
        elif child.type in {"link_open", "link_close"}:
            child.type, child.content = "html_inline", ""
    return Markup(parser.renderer.render(tokens, parser.options, {}))  # noqa: S704 - the renderer escapes the text


def _number_tables(tokens: Sequence[Token]) -> None:
    """Put each table into a region that scrolls, named by the heading above it and its number."""
    heading, number = "", 0
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type == "heading_open" and following is not None:
            heading = following.content
        elif token.type == "table_open":
            number += 1
            token.type = "html_block"
            label = escape(f"{heading}, table {number}")
            token.content = f'<div class="hs-wide" tabindex="0" role="region" aria-label="{label}"><table>\n'
        elif token.type == "table_close":
            token.type, token.content = "html_block", "</table></div>\n"


def _figure(image: Token, folder: Path) -> str:
    description = escape(image.content)
    file = (folder / str(image.attrs["src"])).resolve()
    if not (file.is_relative_to(folder.resolve()) and file.is_file()):
        return f"<small>{description}: not there</small>"
    kind = mimetypes.guess_type(file.name)[0] or "image/png"
    data = base64.b64encode(file.read_bytes()).decode()
    return f'<img src="data:{kind};base64,{data}" alt="{description}" title="{description}">'
