"""Every command in the documents is parsed, and run at small size where it needs no Hub and no GPU."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from hypersd.cli.main import build_parser, main
from tests.documents import DOCUMENTS, ROOT, shell_commands

Words = tuple[str, ...]
OURS = ("-m", "hypersd")

OTHERS = {
    "pip install": "installs, which .ci/run does with these lines",
    "uv pip compile": "asks PyPI; tests/test_lock.py reads its result",
    "pytest": "the tests",
    "hf download": "asks the Hub",
    "ruff check": "a check, which .ci/run runs",
    "python -c": "needs torchvision's published file",
    "HYPERSD_DATA=my-arena python": "serves the page, as the tests of tests/app do",
    "HYPERSD_BASES=RunDiffusion/Juggernaut-XL-v9,": "serves the page; tests/app/test_published_families.py",
    "HYPERSD_BASES=Ink=/models/ink.safetensors:0.8,": "serves the page; tests/app/test_published_families.py",
    "export HYPERSD_DATA=my-arena": "a variable of the shell",
    "POSTGRES_PASSWORD=... docker": "no Docker here; tests/test_containers.py reads its files",
}
"""Beginnings of the commands that are not ours, with the reason why they are not run here."""

NEEDS = {
    "--family sdxl": "the Hub or its cache; tests/cli/test_published_cards.py runs the family with random weights",
    "--family sd15": "the same",
    "--base": "the Hub; tests/cli/test_other_bases.py",
    "hf://": "the Hub; tests/training/sources/test_hub_dataset.py",
    "OWNER/NAME": "a token; tests/deploy/test_space.py tests/deploy/test_job_request.py",
}
"""Parts of commands that are parsed only, with the need; not those with --dry-run."""

ELSEWHERE = {
    "loop": "tests/cli/commands/test_loop.py",
    "reward": "tests/cli/commands/test_loop.py",
    "feedback": "tests/cli/commands/test_loop.py",
    "compare a big cat on a blue background --grid": "tests/cli/commands/test_compare_grid.py",
    "compare --like out/sweep/grid.png": "tests/cli/commands/test_compare_grid.py",
    "evaluate": "tests/cli/commands/test_evaluate.py",
    "votes": "tests/cli/commands/test_votes.py",
    "rank": "tests/cli/commands/test_rank.py",
    "arena init": "tests/cli/commands/test_arena_init.py",
    "claims": "tests/cli/commands/test_claims.py",
    "data filter": "tests/cli/commands/test_data_filter.py",
    "emoji train": "tests/cli/commands/test_emoji.py",
    "emoji perceive": "tests/cli/commands/test_emoji.py",
    "distill": "tests/cli/commands/test_distill.py",
    "shrink": "tests/training/test_adapter_rank.py",
    "merge": "tests/training/test_adapter_rank.py",
    "distill tscd --data": "tests/cli/commands/test_distill_pictures.py",
}
"""Beginnings of commands that these tests run at small size, on what the command needs."""

SMALL = {
    "compare --like": "",
    "compare a big cat on a blue background --models hyper": "",
    "compare": "--steps 1",
    "control": "--steps 1",
    "emoji render": "--count 1",
}
"""Words that make a command small, by its beginning; the longest one that fits counts, and the last option wins."""

EVERY = tuple(dict.fromkeys(words for document in DOCUMENTS for words in shell_commands(document)))


def ours(words: Words) -> Words:
    """The words after `-m hypersd`, or none."""
    place = words.index("-m") if "-m" in words else len(words)
    return words[place + 2 :] if words[place : place + 2] == OURS else ()


COMMANDS = tuple(dict.fromkeys(own for words in EVERY if (own := ours(words))))


def beginning(words: Words, table: dict[str, str]) -> str | None:
    """The longest beginning of a command in a table."""
    text = " ".join(words)
    return max((head for head in table if text == head or text.startswith(f"{head} ")), key=len, default=None)


def is_run(words: Words) -> bool:
    """True for commands that are run here; the plan of a training of SDXL takes minutes, and has tests of its own."""
    if "--dry-run" in words:
        return words[0] != "distill"
    return not any(need in " ".join(words) for need in NEEDS) and beginning(words, ELSEWHERE) is None


RUN = tuple(filter(is_run, COMMANDS))


def test_a_command_that_is_not_ours_is_known() -> None:
    assert len(COMMANDS) > 40
    unknown = [words for words in EVERY if not ours(words) and beginning(words, OTHERS) is None]
    assert not unknown, "run it here, or add it to OTHERS with the reason"


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_is_parsed(words: Words) -> None:
    build_parser().parse_args(words)


def test_exceptions_are_used_and_their_tests_exist() -> None:
    parsed_only = [words for words in COMMANDS if not is_run(words)]
    for table in (ELSEWHERE, SMALL):
        assert table.keys() <= {beginning(words, table) for words in COMMANDS}, "a row that no command needs"
    assert not [need for need in NEEDS if not any(need in " ".join(words) for words in parsed_only)]
    files = {*ELSEWHERE.values()} | {word for need in (*NEEDS.values(), *OTHERS.values()) for word in need.split()}
    assert all((ROOT / file).exists() for file in files if file.startswith("tests/"))


def status(words: Words) -> int:
    """The exit status of a command at small size."""
    head = beginning(words, SMALL)
    try:
        return main([*words, *(SMALL[head].split() if head else ())])
    except SystemExit as stop:
        return int(stop.code or 0)


@pytest.fixture(scope="module")
def statuses(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Words, int]]:
    """The exit status of each command, run one after the other in one folder, as a reader would."""
    folder = tmp_path_factory.mktemp("reader")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("HYPERSD_DATA", str(folder / "data"))
        patch.setenv("HYPERSD_EMOJI", str(tiny_folder))
        patch.delenv("DATABASE_URL", raising=False)
        shutil.copy(tiny_folder / "adapters" / "hyper.safetensors", "my.safetensors")
        shutil.copy(ROOT / "docs" / "compare.png", "cat.png")
        (folder / "photos").mkdir()
        shutil.copy(ROOT / "docs" / "compare.png", "photos/a.png")
        Path("photos/a.txt").write_text("a cat")
        yield {words: status(words) for words in RUN}


@pytest.mark.parametrize("words", RUN, ids=" ".join)
def test_a_command_runs(statuses: dict[Words, int], words: Words) -> None:
    assert statuses[words] == 0
