"""Cleaning of captions from web pages: removes entities, tags and addresses, and repairs encodings."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import unescape

from ftfy import TextFixerConfig, fix_text

_FIXES = TextFixerConfig(unescape_html=True, uncurl_quotes=False)
_UNESCAPED_AT_MOST = 3
"""Largest nesting depth of entities: `&amp;amp;lt;`."""

_TAG = re.compile(r"<!--.*?-->|</?[A-Za-z][^<>]*>", re.DOTALL)
_ADDRESS = re.compile(r"(?:\b[a-z][a-z0-9+.-]*://|\bwww\.)[^\s<>\"']+", re.IGNORECASE)
_WORD = re.compile(r"\w")


def clean_caption(text: str) -> str:
    """A caption without HTML entities, tags, URLs and line breaks, with repaired encoding; empty if no word is left.

    `a < b` stays: only complete tags are removed.
    """
    for _ in range(_UNESCAPED_AT_MOST):
        if (plain := unescape(text)) == text:
            break
        text = plain
    text = fix_text(text, _FIXES)
    text = " ".join(_ADDRESS.sub(" ", _TAG.sub(" ", text)).split())
    return text if _WORD.search(text) else ""


def clean_captions(texts: Iterable[str]) -> list[str]:
    """The cleaned captions of a picture, without empty ones and duplicates."""
    return list(dict.fromkeys(filter(None, map(clean_caption, texts))))
