"""Files of prompts."""

from __future__ import annotations

from pathlib import Path

import pytest

from hypersd.arena.service.prompt_files import read_prompt_file


def test_prompts_are_lines_and_empty_lines_are_ignored(tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_bytes("\ufeffa big cat\r\n\n  \t\nan owl: größer \n".encode())
    assert read_prompt_file(file) == ["a big cat", "an owl: größer"]


def test_only_a_newline_ends_a_line(tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_text("one\u2028still one\ntwo\x0bstill two\n", encoding="utf-8")
    assert read_prompt_file(file) == ["one\u2028still one", "two\x0bstill two"]


@pytest.mark.parametrize("content", [b"", b"\n \n\t\n", b"\xef\xbb\xbf"])
def test_a_file_without_prompts_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "prompts.txt"
    file.write_bytes(content)
    with pytest.raises(ValueError, match="contains no prompts"):
        read_prompt_file(file)


def test_a_picture_is_not_a_file_of_prompts(tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_bytes(b"\x89PNG\r\n\x1a\n\xff")
    with pytest.raises(ValueError, match="UTF-8"):
        read_prompt_file(file)


def test_comments_byte_order_marks_and_other_line_endings_are_ignored(tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_bytes(
        b"\xef\xbb\xbfa big cat on a blue background\r\n\r\n   \r\n# a comment line\r\n"
        b"  #another\r\na small dog on a pink background  \r\n\xef\xbb\xbfan owl\rthe #1 owl"
    )
    assert read_prompt_file(file) == [
        "a big cat on a blue background",
        "a small dog on a pink background",
        "an owl",
        "the #1 owl",
    ]


def test_duplicate_prompts_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_text("an owl\n# between\nan owl\n", encoding="utf-8")
    assert read_prompt_file(file) == ["an owl", "an owl"]


def test_a_file_of_comments_has_no_prompts(tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_text("# one\n#\n", encoding="utf-8")
    with pytest.raises(ValueError, match="contains no prompts"):
        read_prompt_file(file)
