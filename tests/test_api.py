"""The Python interface, as the documentation shows it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import hypersd


def test_models_are_compared_in_five_lines() -> None:
    pictures = hypersd.compare("a big cat on a blue background", models=["hyper"], steps=[1, 2], seed=7)
    assert [(picture.model, picture.steps, picture.error) for picture in pictures] == [
        ("hyper", 1, None),
        ("hyper", 2, None),
    ]
    assert all(picture.image is not None and picture.image.size == (128, 128) for picture in pictures)


def test_parameters_are_set_where_a_recipe_bears_them() -> None:
    parameters = hypersd.SamplingParameters(guidance_scale=5, negative_prompt="dog", size=(64, 96))
    pictures = hypersd.compare("a big cat", models=["base"], steps=[1], seed=7, count=2, parameters=parameters)
    assert [(picture.seed, picture.guidance_scale, picture.error) for picture in pictures] == [
        (7, 5, None),
        (8, 5, None),
    ]
    assert all(picture.image is not None and picture.image.size == (64, 96) for picture in pictures)


def test_an_engine_serves_several_comparisons_and_the_same_seed_draws_the_same() -> None:
    engine = hypersd.load("emoji")
    first, second = (
        hypersd.compare("a small rocket on a pink background", models=["hyper"], steps=[1], seed=3, engine=engine)[0]
        for _ in range(2)
    )
    assert first.image is not None
    assert second.image is not None
    assert first.image.tobytes() == second.image.tobytes()


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: hypersd.load("dalle"), "unknown family 'dalle'"),
        (lambda: hypersd.compare("a cat", models=["magic"]), "unknown model 'magic'"),
        (lambda: hypersd.compare("   "), "prompt is empty"),
        (lambda: hypersd.compare("a cat", models=["hyper"], parameters=hypersd.SamplingParameters(eta=2)), "eta must"),
        (
            lambda: hypersd.compare("a cat", models=["turbo"], parameters=hypersd.SamplingParameters(guidance_scale=7)),
            "turbo at 1 step takes no guidance",
        ),
        (lambda: hypersd.rank("nowhere.parquet"), "nowhere.parquet"),
        (lambda: hypersd.feedback.tune(rewards=["nowhere"], out="x"), "nowhere"),
        (lambda: hypersd.feedback.tune(rewards=["nowhere"], out="x", method="dpo"), "name them with `votes`"),
    ],
)
def test_bad_input_is_a_sentence(call: object, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises((ValueError, OSError), match=complaint):
        call()  # pyright: ignore[reportCallIssue]
    assert not list(tmp_path.iterdir()), "nothing is written"


def test_what_there_is_not_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'distil'"):
        _ = hypersd.distil
    assert {"compare", "load", "rank", "RewardModel", "feedback"} <= set(dir(hypersd))


def test_an_import_loads_nothing_of_the_package(root: Path) -> None:
    script = "import sys, hypersd; print(sorted(name for name in sys.modules if name.startswith('hypersd')))"
    out = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "['hypersd']"
