"""Cleaning of captions from web pages: entities, tags, addresses and broken encodings go, the words stay."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import unescape

from ftfy import TextFixerConfig, fix_text

_FIXES = TextFixerConfig(unescape_html=True, uncurl_quotes=False)
_UNESCAPED_AT_MOST = 3
"""Times that an entity is found in what another one stood for: `&amp;amp;lt;`."""

_TAG = re.compile(r"<!--.*?-->|</?[A-Za-z][^<>]*>", re.DOTALL)
_ADDRESS = re.compile(r"(?:\b[a-z][a-z0-9+.-]*://|\bwww\.)[^\s<>\"']+", re.IGNORECASE)
_WORD = re.compile(r"\w")


def clean_caption(text: str) -> str:
    """A caption without HTML entities and tags, URLs and line breaks, its encoding mended; empty if no word is left.

    `a < b` stays: only what looks like a tag is taken for one.
    """
    for _ in range(_UNESCAPED_AT_MOST):
        if (plain := unescape(text)) == text:
            break
        text = plain
    text = fix_text(text, _FIXES)
    text = " ".join(_ADDRESS.sub(" ", _TAG.sub(" ", text)).split())
    return text if _WORD.search(text) else ""


def clean_captions(texts: Iterable[str]) -> list[str]:
    """The cleaned captions of a picture, without the empty ones, and each once."""
    return list(dict.fromkeys(filter(None, map(clean_caption, texts))))
