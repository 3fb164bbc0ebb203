"""The loop where a round comes to nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hypersd.feedback.loop.feedback_loop import FeedbackLoop
from hypersd.feedback.loop.round_stages import BATTLES, CONTESTANT
from hypersd.feedback.loop.rounds import Round
from hypersd.feedback.preferences.cache import cached_preferences
from hypersd.feedback.preferences.dataset import Preferences
from hypersd.models.families.embedded import EMOJI
from hypersd.models.registered import registered_models
from hypersd.utils.estimates import wilson
from hypersd.utils.files import write_json
from tests.families import emoji_family
from tests.loops import reward_report, tuned


def write_tuned(round_: Round) -> None:
    """The stages of a round up to its tuning, of which nothing better came."""
    round_.folder.mkdir(parents=True)
    adapter = tuned(round_.tuning(), "hyper", [1, 2, 4, 8], weight=0.0)
    documents: dict[str, Any] = {
        "votes": {"kind": "simulated", "data": "1234", "votes": 30, "voters": 4, "taste": "plain"},
        "reward": reward_report("simulated").as_dict() | {"model": "5678"},
        "feedback": {
            "name": f"hyper-none-r{round_.number}",
            "entered": False,
            "method": "refl",
            "adapters": [adapter],
            "lineage": {},
        },
    }
    for stage, document in documents.items():
        write_json(round_.folder / f"{stage}.json", document)


def test_what_is_no_better_does_not_enter_and_the_next_round_starts_where_this_one_did(tmp_path: Path) -> None:
    for number in (1, 2):
        write_tuned(Round(number, tmp_path / "loop" / f"round-{number}"))
    contestants = tmp_path / "contestants"
    family = emoji_family(EMOJI, tmp_path / "family")
    first, second = FeedbackLoop(family=family, start="hyper", out=tmp_path / "loop", registered=contestants).run(2)
    assert not registered_models(contestants)
    for round_ in (first, second):
        assert round_.result(CONTESTANT).parent == "hyper"
        assert round_.result(BATTLES).steps == {}
        report = (round_.folder / "report.md").read_text(encoding="utf-8")
        assert "nothing entered" in report
        assert "Nothing better than the model as it was" in report
    before, after = ((first.folder / f"{name}.webp").read_bytes() for name in ("before", "after"))
    assert before == after


def test_a_round_learns_from_the_votes_that_were_there_when_it_began(preferences: Preferences, tmp_path: Path) -> None:
    file = tmp_path / "round-1" / "choices.json"
    assert cached_preferences(preferences, file) == preferences
    later = replace(preferences, examples=preferences.examples[:-1], self_agreement=wilson(0, 0))
    assert cached_preferences(later, file) == preferences
    assert cached_preferences(later, tmp_path / "other.json") == later
    again = cached_preferences(preferences, tmp_path / "other.json")
    assert again.digest == later.digest
    assert again.self_agreement.n == 0
    file.write_text('{"examples": []}')
    with pytest.raises(ValueError, match=r"choices\.json is damaged"):
        cached_preferences(preferences, file)


def test_a_round_goes_on_as_it_was_begun(tmp_path: Path) -> None:
    round_ = Round(1, tmp_path / "round-1")
    round_.begin({"taste": "muted", "seed": 1})
    round_.begin({"taste": "muted", "seed": 1})
    with pytest.raises(ValueError, match="was begun with taste muted; go on with that"):
        round_.begin({"taste": "plain", "seed": 1})
