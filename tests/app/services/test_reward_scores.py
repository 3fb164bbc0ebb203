"""Reward scores on the Results tab: a real reward model on real pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.pages.results.reward_table import judge_rows
from app.services.reward_scores import RewardScores
from app.services.settings import AppSettings
from hypersd.arena.dataset.splits import split_of
from hypersd.arena.store.store import Store
from hypersd.arena.votes.battle import Vote
from hypersd.arena.votes.images import ImageStore
from hypersd.feedback.reward.reward_model import RewardModel
from hypersd.utils.environment import Environment
from hypersd.utils.estimates import wilson
from tests.arena.voted import vote
from tests.families import write_clip

QUANTILES = {"0.25": -1.0, "0.5": 0.0, "0.75": 1.0, "0.9": 2.0}


TESTED = [prompt for prompt in (f"prompt {number}" for number in range(40)) if split_of(prompt) == "test"][:4]


def reward_model(folder: Path) -> None:
    """An untrained reward model."""
    write_clip(folder / "clip")
    model = RewardModel.start(folder / "clip")
    model.metadata |= {"seed": 0, "preferred": QUANTILES}
    model.save(folder / "reward")


@pytest.fixture
def pictures(tmp_path: Path) -> ImageStore:
    return ImageStore(str(tmp_path / "pictures"))


@pytest.fixture
def votes(tmp_path: Path, pictures: ImageStore) -> list[Vote]:
    store = Store(f"sqlite:///{tmp_path}/votes.sqlite")
    votes = [vote(store, pictures, number, prompt=prompt) for number, prompt in enumerate(TESTED)]
    store.engine.dispose()
    return votes


def never() -> bool:
    return False


def test_the_newest_reward_model_scores_voted_pictures(tmp_path: Path, pictures: ImageStore, votes: list[Vote]) -> None:
    reward_scores = RewardScores(pictures, tmp_path / "loop")
    reward_scores.work({"human": votes}, never)
    assert reward_scores.results == {}, "there is no reward model"
    reward_model(tmp_path / "loop" / "round-1")
    reward_scores.work({"human": votes, "simulated": []}, never)
    scores = reward_scores.results["human"]
    assert {label for label, _ in scores.means} == {"toy/a@1", "toy/b@1"}
    assert (scores.agreement.n, scores.unseen) == (4, 0)
    assert reward_scores.results["simulated"].means == ()
    text = judge_rows(scores, wilson(9, 10))
    assert "of 4 decisive votes on prompts that it did not learn from; they agree with themselves in 90% of 10" in text


def test_votes_on_training_prompts_are_excluded(tmp_path: Path, pictures: ImageStore) -> None:
    store = Store(f"sqlite:///{tmp_path}/learned.sqlite")
    prompts = [prompt for prompt in (f"prompt {number}" for number in range(8)) if split_of(prompt) != "test"]
    votes = [vote(store, pictures, number, prompt=prompt) for number, prompt in enumerate(prompts)]
    store.engine.dispose()
    reward_model(tmp_path)
    reward_scores = RewardScores(pictures, tmp_path / "loop", chosen=tmp_path / "reward")
    reward_scores.work({"human": votes}, never)
    assert reward_scores.results["human"].agreement.n == 0
    assert "is not known" in judge_rows(reward_scores.results["human"], None)


def test_scoring_pauses_for_visitors_and_continues(tmp_path: Path, pictures: ImageStore, votes: list[Vote]) -> None:
    reward_model(tmp_path)
    visitors: list[Any] = [True]
    reward_scores = RewardScores(pictures, tmp_path / "loop", chosen=tmp_path / "reward", busy=lambda: bool(visitors))
    reward_scores.work({"human": votes}, never)
    assert reward_scores.results["human"].unseen == 4
    visitors.clear()
    reward_scores.work({"human": votes}, never)
    assert reward_scores.results["human"].unseen == 0


def test_without_a_reward_model_the_page_explains_how_to_train_one() -> None:
    assert "reward train" in judge_rows(None, None)


def test_an_invalid_reward_model_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no reward model"):
        AppSettings.from_environment(Environment.read({"HYPERSD_REWARD": str(tmp_path)}))
