"""One line and an exit status."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from hypersd.cli.main import COMMANDS, build_parser
from hypersd.cli.output import table
from hypersd.cli.parser import Parser, guarded


def raising(error: BaseException) -> int:
    raise error


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("no\nsuch\tmodel"), "no such model"),
        (FileNotFoundError(2, "No such file or directory", "p.txt"), "p.txt: No such file or directory"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError("cannot write"), "cannot write"),
        (ValueError(), "ValueError"),
    ],
)
def test_bad_input_is_one_line_and_status_2(error: Exception, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(lambda: raising(error)) == 2
    assert capsys.readouterr().err == f"hypersd: error: {line}\n"


def test_an_interruption_is_status_130(capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(lambda: raising(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == "hypersd: error: interrupted\n"


def test_a_fault_of_the_program_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        guarded(lambda: raising(ZeroDivisionError()))


def test_a_parser_complains_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    parser = Parser(prog="test")
    parser.add_argument("--out", required=True)
    with pytest.raises(SystemExit) as stop:
        parser.parse_args([])
    assert stop.value.code == 2
    complaint = capsys.readouterr().err
    assert complaint == "hypersd: error: the following arguments are required: --out (see test --help)\n"


def test_a_reader_that_goes_away_gets_no_traceback(root: Path) -> None:
    script = (
        "import sys; from hypersd.cli.parser import guarded; "
        "sys.exit(guarded(lambda: print('line\\n' * 1_000_000) or 0))"
    )
    shell = f'"{sys.executable}" -c "{script}" | head -1'
    done = subprocess.run(["bash", "-c", shell], cwd=root, capture_output=True, text=True, check=False)
    assert done.stdout == "line\n"
    assert done.stderr == ""


def test_a_table_has_numbers_to_the_right() -> None:
    assert table(("model", "steps"), [("base", 25), ("hyper", 4)]) == "model  steps\nbase      25\nhyper      4"


def test_a_table_may_be_empty() -> None:
    assert table(("model",), []) == "model"


def commands(*words: str) -> dict[str, argparse.ArgumentParser]:
    """The commands that the parser of these words knows."""
    actions = build_parser(words)._actions
    (choices,) = (action.choices for action in actions if isinstance(action, argparse._SubParsersAction))
    return dict(choices)


def test_a_command_that_is_named_is_built_alone_and_alike() -> None:
    every = commands()
    assert list(every) == list(COMMANDS) == list(commands("--version"))
    for name, parser in every.items():
        alone = commands(name, "--help")
        assert list(alone) == [name]
        assert alone[name].format_help() == parser.format_help()
