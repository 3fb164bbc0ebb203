"""Figure 3's numbers: one look's error along the guided base's path."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from hypersd.distill.score_error import ScoreErrors, score_errors
from hypersd.distill.score_figure import CONSISTENCY, findings, numbers, score_models, write_score_figure
from hypersd.models.families.embedded import EMOJI
from hypersd.models.families.sdxl import SDXL
from hypersd.models.specs import Family
from tests.families import emoji_family


@pytest.fixture
def family(tmp_path: Path) -> Family:
    return emoji_family(EMOJI, tmp_path / "emoji", without=["turbo"])


def test_at_the_last_time_the_guided_base_knows_where_its_path_ends(family: Family) -> None:
    base, _ = score_models(family)
    measured = score_errors(base, base, ["a cat", "a dog"], steps=4, guidance=3.0)
    assert measured.times == (999, 749, 499, 249)
    assert measured.errors["guided base"].shape == (4, 2)
    # The path's last step goes to the schedule's clean end, whose latents keep a trace of the predicted noise.
    assert float(measured.errors["guided base"][-1].max()) < 0.1
    unguided, consistent = measured.errors["unguided base"], measured.errors["consistency model"]
    assert torch.equal(unguided, consistent), "an untrained adapter changes nothing"


def test_an_adapter_changes_its_own_errors_only(family: Family) -> None:
    base, few_steps = score_models(family)
    plain = score_errors(base, base, ["a cat"], steps=2)
    adapted = score_errors(base, few_steps, ["a cat"], steps=2)
    for name in ("guided base", "unguided base"):
        torch.testing.assert_close(plain.errors[name], adapted.errors[name])
    assert not torch.allclose(plain.errors[CONSISTENCY], adapted.errors[CONSISTENCY])


def test_the_figure_says_when_the_consistency_model_errs_less() -> None:
    rows = {
        "guided base": torch.tensor([[2.0, 2.0], [1.0, 1.0]]),
        "unguided base": torch.tensor([[0.5, 0.5], [1.0, 1.0]]),
        CONSISTENCY: torch.tensor([[1.0, 1.0], [0.5, 0.5]]),
    }
    errors = ScoreErrors(times=(999, 499), errors=rows)
    assert findings(errors) == [
        "The consistency model errs less than the guided base at 2 of 2 times: 999, 499.",
        "The consistency model errs less than the unguided base at 1 of 2 times: 499.",
    ]
    assert numbers(errors).splitlines() == [
        "t,guided base,unguided base,consistency model",
        "999,2.0000,0.5000,1.0000",
        "499,1.0000,1.0000,0.5000",
    ]


def test_the_figure_is_made_of_a_family_s_own_adapter(family: Family, tmp_path: Path) -> None:
    files = write_score_figure(family, ["a cat", "a dog"], tmp_path, seed=0, command="python -m hypersd")
    assert [file.name for file in files] == ["figure-3.png", "figure-3.csv", "figure-3.md"]
    with Image.open(files[0]) as picture:
        assert picture.size[0] > 400
    assert len(files[1].read_text().splitlines()) == 26
    assert "Made by `python -m hypersd`." in files[2].read_text()
    with pytest.raises(ValueError, match="has no adapter of hyper on disk"):
        score_models(SDXL)
