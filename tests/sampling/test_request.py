"""Requests and their checks."""

from __future__ import annotations

import pytest

from hypersd.sampling.request import MAX_PROMPT, MAX_SEED, Request, Run, parse_seed

RUN = (Run(model="base"),)


def request(prompt: str = "a cat", seed: int = 0, runs: tuple[Run, ...] = RUN) -> Request:
    return Request(prompt=prompt, seed=seed, family="emoji", runs=runs)


@pytest.mark.parametrize(
    ("prompt", "complaint"),
    [
        ("", "empty"),
        (" \n ", "empty"),
        ("x" * (MAX_PROMPT + 1), "2001 characters"),
        ("x" * 10_000, "10000 characters"),
        ("a\x00cat", "control characters"),
        ("a\x1b[31mcat", "control characters"),
        ("a\ncat", "control characters"),
        ("a \ud800 cat", "control characters"),
        ("a\u2028cat", "control characters"),
        ("a cat \u202egnp.exe", "control characters"),  # shown from right to left
        ("a \u2066cat\u2069", "control characters"),
        ("\u200b\u2060\ufeff", "empty"),  # nothing to see
        ("\u0301", "empty"),
        ("a c" + "\u0301" * 9 + "at", "more than 8 marks on one letter"),
        ("\u0489" * 1000 + "cat", "more than 8 marks on one letter"),
    ],
)
def test_a_prompt_that_cannot_be_used_is_refused_in_one_sentence(prompt: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as caught:
        request(prompt)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "prompt",
    [
        "a cat \N{WOMAN}\N{ZERO WIDTH JOINER}\N{ROCKET} and \N{HEAVY BLACK HEART}\ufe0f",
        "\u0642\u0637 \u0645\u06cc\u200c\u062e\u0648\u0627\u0628\u062f",  # Persian, with a zero-width non-joiner
        "Ph\u01a1\u0309 b\u006f\u0300",
        "a cat \u200f on red",
    ],
)
def test_a_prompt_in_any_language_is_kept_as_it_is(prompt: str) -> None:
    assert request(prompt).prompt == prompt


@pytest.mark.parametrize("seed", [-1, MAX_SEED + 1, 10**30])
def test_a_seed_out_of_range_is_refused(seed: int) -> None:
    with pytest.raises(ValueError, match="whole number from 0"):
        request(seed=seed)


@pytest.mark.parametrize("text", ["abc", "", "-1", "1.5", "1e3", str(10**30), str(MAX_SEED + 1), "٣", "0x10"])
def test_what_is_no_seed_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="whole number from 0"):
        parse_seed(text)


@pytest.mark.parametrize(("text", "seed"), [("0", 0), (" 7 ", 7), ("007", 7), (str(MAX_SEED), MAX_SEED)])
def test_a_seed_is_read(text: str, seed: int) -> None:
    assert parse_seed(text) == seed


def test_runs_must_be_there_once() -> None:
    with pytest.raises(ValueError, match="at least one"):
        request(runs=())
    with pytest.raises(ValueError, match="twice"):
        request(runs=(Run(model="base", steps=4), Run(model="base", steps=4)))
    assert len(request(runs=(Run(model="base", steps=4), Run(model="base", steps=8))).runs) == 2


def test_a_prompt_is_kept_without_surrounding_spaces_and_in_any_script() -> None:
    assert request("  eine Katze, 猫 🐱 \n").prompt == "eine Katze, 猫 🐱"
