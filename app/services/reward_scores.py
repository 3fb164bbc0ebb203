"""Reward scores for the Results tab: the newest reward model scores the voted pictures."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from hypersd.arena.dataset.splits import split_of
from hypersd.arena.votes.battle import Kind, Vote
from hypersd.arena.votes.images import DamagedImage, ImageStore
from hypersd.feedback.loop.rounds import rounds

if TYPE_CHECKING:
    from hypersd.feedback.reward.vs_votes import RewardVsVotes

log = logging.getLogger(__name__)

_BATCH = 16
_MOST = 4000
"""Largest number of pictures to score, those of the latest votes: each takes some milliseconds."""


@dataclass
class RewardScores:
    """Rewards of the voted pictures, and their agreement with votes. One thread writes, any thread reads.

    Args:
        pictures: the store of pictures.
        loop: the folder of the feedback loop, whose newest finished reward model is used.
        chosen: a reward model's folder to use instead; None is the newest.
        busy: tells whether a visitor waits for the models; scoring then waits.
    """

    pictures: ImageStore
    loop: Path
    chosen: Path | None = None
    busy: Callable[[], bool] = lambda: False
    results: Mapping[Kind, RewardVsVotes] = field(default_factory=dict[Kind, "RewardVsVotes"])
    _asked: Path | None = None
    _rewards: dict[tuple[str, str], float] = field(default_factory=dict[tuple[str, str], float])

    def folder(self) -> Path | None:
        """Folder of the reward model; None if there is none."""
        folders = [
            one.folder / "reward" for one in rounds(self.loop) if (one.folder / "reward" / "reward.json").exists()
        ]
        return self.chosen or (folders[-1] if folders else None)

    def work(self, kept: Mapping[Kind, Sequence[Vote]], stopped: Callable[[], bool]) -> None:
        """Score new pictures, and compare the rewards with the votes of each kind of voter.

        Raises:
            FileNotFoundError, ValueError: the reward model is missing or damaged.
        """
        folder = self.folder()
        if folder is None:
            return
        # Imports torch, which is not needed without a reward model.
        from hypersd.feedback.reward.reward_model import RewardModel  # noqa: PLC0415
        from hypersd.feedback.reward.vs_votes import compare_with_votes, pictures_of  # noqa: PLC0415

        if folder != self._asked:
            self._asked, self._rewards = folder, {}
        wanted = {kind: pictures_of(votes)[-_MOST:] for kind, votes in kept.items()}
        missing = [key for keys in wanted.values() for key in keys if key not in self._rewards]
        model = RewardModel.load(folder)
        for start in range(0, len(missing), _BATCH):
            if stopped() or self.busy():
                break
            self._look(missing[start : start + _BATCH], model.score)
        self.results = {
            kind: compare_with_votes(votes, self._rewards, lambda prompt: split_of(prompt) != "test")
            for kind, votes in kept.items()
        }

    def _look(self, keys: Sequence[tuple[str, str]], score: Callable[..., Any]) -> None:
        opened: list[tuple[Image.Image, str, str]] = []
        for name, prompt in keys:
            try:
                opened.append((self.pictures.open(name), name, prompt))
            except (FileNotFoundError, DamagedImage):
                log.warning("a picture that was voted on is lost; it gets no reward score")
        if opened:
            rewards = score([picture for picture, _, _ in opened], [prompt for _, _, prompt in opened])
            for (_, name, prompt), reward in zip(opened, rewards, strict=True):
                self._rewards[name, prompt] = float(reward)
