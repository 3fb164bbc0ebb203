"""Captions of web pages, cleaned."""

from __future__ import annotations

import pytest

from hypersd.training.filters.caption_cleaning import clean_caption, clean_captions


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a cat &amp; a dog", "a cat & a dog"),
        ("a cat &amp;amp; a dog", "a cat & a dog"),
        ("<b>a cat</b><br/>on a mat", "a cat on a mat"),
        ("a cat <!-- sold\nout --> on a mat", "a cat on a mat"),
        ("&lt;p class=&quot;x&quot;&gt;a cat&lt;/p&gt;", "a cat"),
        ("a cat, see https://example.org/cat?id=3&b=1 or www.example.org", "a cat, see or"),
        ("  a\tcat\r\n on   a mat ", "a cat on a mat"),
        ("a cafÃ© in Paris", "a café in Paris"),
        ("3 < 4 and 5 > 4", "3 < 4 and 5 > 4"),
        ("“a cat”", "“a cat”"),
        ("www.shop.com", ""),
        ("<img src='a.png'> - !", ""),
        ("猫", "猫"),
    ],
)
def test_a_caption_is_cleaned(text: str, cleaned: str) -> None:
    assert clean_caption(text) == cleaned


def test_captions_of_a_picture_are_kept_once_and_empty_ones_left_out() -> None:
    assert clean_captions(["a cat", "<i>a  cat</i>", "https://a.b/c", "a dog"]) == ["a cat", "a dog"]
