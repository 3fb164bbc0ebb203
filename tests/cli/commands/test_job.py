"""`job`, as far as it goes without a Hub; its sending is tested on a Hub of its own."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Call

WORDS = ("job", "--space", "me/hyper", "--votes", "me/votes", "--result", "me/rounds")


def test_a_dry_run_shows_the_request(call: Call) -> None:
    shown = call(*WORDS, "--rounds", "2", "--dry-run", "--json").document
    assert shown["secrets"] == ["HF_TOKEN"]
    assert shown["command"][:2] == ["bash", "-c"]
    assert "--rounds 2 " in shown["command"][2]
    assert "nothing was" in call(*WORDS, "--dry-run").out


def test_bad_input_is_one_sentence(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    assert "hf auth login" in call(*WORDS).complaint
    assert "choose from: cpu-basic" in call(*WORDS, "--flavor", "abacus", "--dry-run").complaint
    assert "run the loop" in call(*WORDS, "--family", "sdxl", "--dry-run").complaint
