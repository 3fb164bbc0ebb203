"""The Results tab in Chinese: nothing on it stays English, and nothing is translated that it does not say."""

from __future__ import annotations

import ast
import html
import math
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast, get_args

import pytest

from app.pages.board_rows import report
from app.pages.judge_rows import judge_rows
from app.pages.results import Handlers, about
from app.pages.study_rows import study_rows
from app.phrases import ENGLISH, PHRASES, REASONS, Speaker, speaker
from app.studies import Studies
from app.told import Compared
from hypersd.arena.agreement import wilson
from hypersd.arena.battle import Contestant, now
from hypersd.arena.board import Board, Standing, compute
from hypersd.arena.influence import Influence
from hypersd.arena.progress import Progress
from hypersd.arena.publish import Health
from hypersd.arena.settled import decisions
from hypersd.arena.studies import STUDIES, Study
from hypersd.arena.tally import Judgement, Tally
from hypersd.arena.trust import Reason
from hypersd.arena.views import View
from hypersd.evaluate.intervals import Interval
from hypersd.feedback.verdicts import Verdicts
from tests.arena.conftest import pair
from tests.arena.test_trust import vote

CHINESE = Speaker("zh")
DRAWN_BY = ("plots.py", *(f"pages/{name}.py" for name in ("results", "board_rows", "judge_rows", "study_rows")))
NAMES = r"emoji/\w+@\d+|(hyper|base)@\d+|emoji-v1|emoji|python -m hypersd reward train|HYPERSD_REWARD"
PROPER = {"Elo", "GB", "Krippendorff", "UTC"}
WORD = r"[A-Za-z]{2,}"


def standing(contestant: str, **changes: Any) -> Standing:
    usual: dict[str, Any] = {"elo": 1000.0, "low": 900.0, "high": 1100.0, "rank": 1, "rank_low": 1, "rank_high": 2}
    usual |= {"sure_rank": 1, "votes": 400, "seconds": 0.5, "preliminary": False}
    return Standing(contestant=contestant, **{**usual, **changes})


def full_board(**changes: Any) -> Board:
    """A board with everything that a board can have."""
    won = [Judgement(f"v{number}", "emoji/hyper@4", "emoji/base@25", "left") for number in range(80)]
    usual: dict[str, Any] = {
        "standings": (standing("emoji/hyper@4"), standing("emoji/base@25", seconds=2.0, preliminary=True)),
        "contestants": ("emoji/base@25", "emoji/hyper@4"),
        "win_rates": ((None, 0.0), (1.0, None)),
        "decisions": tuple(decisions(Tally.of(won))),
        "agreement": wilson(3, 4),
        "influence": Influence(2, "v1", "emoji/hyper@4"),
        "reasons": dict.fromkeys(get_args(Reason), 1),
    }
    shares = {"left_share": wilson(5, 9), "self_agreement": wilson(8, 9)}
    return Board(kind="simulated", rules="1", votes=80, kept=70, voters=80, **shares, **{**usual, **changes})


def study(*, ties: bool) -> Any:
    """A study with a row that is complete, and rows that cannot be had; as the arena hands it to the page."""
    declared = Study.read(STUDIES / "figure5-emoji.json")
    first, *others = declared.comparisons
    declared = Study(**{name: getattr(declared, name) for name in declared.__slots__} | {"ties": ties})
    shares = {first: wilson(60, 100)} | {row: wilson(0, 0) for row in others}
    progress = Progress(study=declared, shares=shares)
    reasons = ["of another family than emoji", "needs about 8 GB of GPU memory"]
    unable = dict(zip((others[0].rival, others[1].rival), reasons, strict=True))
    counting = SimpleNamespace(progress=lambda *_: progress)
    return cast("Studies", SimpleNamespace(unable=lambda: unable, declared={"it": declared}, counting=counting))


def drawn(say: Speaker) -> Iterator[str]:
    """Everything that the tab can show."""
    row = Study.read(STUDIES / "figure5-sdxl.json").comparisons[0]
    ours = type(row)(ours=Contestant.parse("emoji/hyper@4"), rival=Contestant.parse("emoji/base@25"), paper=75.8)
    yield report(full_board(), [Compared(ours, 3, 4), Compared(ours, 0, 0)], say=say)
    calm = {"influence": Influence(0, "", ""), "agreement": None, "reasons": {}}
    yield report(full_board(standings=(), **calm), [], part=about(View(family="emoji", steps=1), say), say=say)
    apart = {"apart": (("emoji/hyper@1", "emoji/base@4"), ("emoji/hyper@2",))}
    yield report(full_board(intervals="model", **apart), [], say=say)
    yield about(View(steps=4, prompts="emoji-v1"), say)
    for votes in ([], [vote(pair=pair())]):
        yield report(compute(votes), [], say=say)
    sure, single = Interval(mean=0.5, low=0.4, high=0.6), Interval(mean=0.1, low=math.nan, high=math.nan)
    means = (("emoji/hyper@4", sure), ("emoji/base@25", single))
    for found in (None, Verdicts(means, wilson(0, 0), 0), Verdicts(means, wilson(3, 4), 7)):
        yield judge_rows(found, wilson(9, 10), say)
    for ties in (False, True):
        yield study_rows(study(ties=ties), "human", say)


def read(page: str) -> str:
    """What a visitor reads or hears: the text, the labels and the titles."""
    heard = re.findall(r'(?:aria-label|title)="([^"]*)"', page)
    return html.unescape(" ".join([re.sub(r"<[^>]*>", " ", page), *heard]))


def english_in(page: str) -> set[str]:
    return set(re.findall(WORD, re.sub(NAMES, "", read(page)))) - PROPER


def test_a_report_in_chinese_has_no_english_word() -> None:
    for page in drawn(CHINESE):
        assert english_in(page) == set()


def test_the_same_report_in_english_has_no_chinese_sign() -> None:
    pages = list(drawn(ENGLISH))
    assert len(set().union(*map(english_in, pages))) > 100, "the test before is able to fail"
    assert not re.search(r"[\u3000-\u9fff]", "".join(map(read, pages)))


def said(root: Path) -> tuple[set[str], set[str]]:
    """Of the code that draws: its strings, and those that it says at once."""
    strings: set[str] = set()
    at_once: set[str] = set()
    for name in DRAWN_BY:
        for node in ast.walk(ast.parse((root / "app" / name).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                strings.add(node.value)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "say":
                inside = [part for part in ast.walk(node.args[0]) if isinstance(part, ast.Constant)]
                at_once |= {part.value for part in inside if isinstance(part.value, str)}
    return strings, at_once


def test_every_phrase_is_said_and_what_is_said_has_its_chinese(root: Path) -> None:
    strings, at_once = said(root)
    assert set(PHRASES) - strings == set(get_args(Reason)), "why votes do not count is said by the rules"
    assert len(at_once) > 40
    assert at_once <= set(PHRASES)


@pytest.mark.parametrize("phrases", [PHRASES, REASONS])
def test_both_languages_have_the_same_gaps(phrases: dict[str, str]) -> None:
    for english, chinese in phrases.items():
        assert sorted(re.findall(r"{[^}]*}", english)) == sorted(re.findall(r"{[^}]*}", chinese)), english
        assert set(re.findall(WORD, re.sub(r"{[^}]*}", "", chinese))) <= PROPER, english


def test_reasons_are_what_the_package_gives(root: Path) -> None:
    folders = ("arena", "models", "feedback")
    given = "".join(file.read_text() for name in folders for file in (root / "hypersd" / name).rglob("*.py"))
    for reason in REASONS:
        assert [part for part in re.split(r"{\w+}", reason) if part not in given] == []


def test_a_reason_keeps_what_it_names() -> None:
    lonely = "no votes connect these groups, so they cannot be compared: emoji/a@1; emoji/{b}@1"
    assert CHINESE.because(lonely) == "以下各组之间没有投票相连，因此无法比较：emoji/a@1; emoji/{b}@1"
    assert CHINESE.because("CUDA {out} of memory") == "CUDA {out} of memory", "a library's own words stay"
    assert ENGLISH.because(lonely) == lonely


def test_the_header_of_the_browser_chooses_the_language() -> None:
    assert speaker("zh-TW,en;q=0.5").chinese
    assert not speaker("en,zh;q=0.5").chinese
    assert not speaker("").chinese


@pytest.mark.parametrize("failure", ["", "the network is away"])
def test_where_votes_are_published_is_told_in_chinese(failure: str) -> None:
    for last in (now(), None):
        publisher = SimpleNamespace(health=Health(7, last, failure))
        told = Handlers(cast("Any", SimpleNamespace(publisher=publisher)))._published(CHINESE)
        assert english_in(told.replace(failure, "")) == set()
        assert failure in told
