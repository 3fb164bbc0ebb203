"""Reward model against votes: its rewards of the arena's pictures, and its agreement with people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from hypersd.arena.votes.battle import Vote
from hypersd.evaluate.intervals import bootstrap_mean
from hypersd.utils.estimates import Estimate, wilson

Rewards = Mapping[tuple[str, str], float]
"""The reward of a picture (its name) for a prompt."""


@dataclass(frozen=True, slots=True)
class RewardVsVotes:
    """A judge beside voters.

    Args:
        means: each contestant's mean reward, with an interval over prompts; best first.
        agreement: of decisive votes on prompts that the judge did not learn from, how often the chosen picture has the
            higher reward.
        unseen: votes that are not counted in the agreement, since their pictures have not been looked at yet.
    """

    means: tuple[tuple[str, Estimate], ...]
    agreement: Estimate
    unseen: int


def pictures_of(votes: Iterable[Vote]) -> list[tuple[str, str]]:
    """The pictures of votes, with their prompts, each once, in order."""
    keys = ((entry.picture, vote.battle.pair.prompt) for vote in votes for entry in vote.battle.pair.entries)
    return list(dict.fromkeys(keys))


def compare_with_votes(votes: Iterable[Vote], rewards: Rewards, learned: Callable[[str], bool]) -> RewardVsVotes:
    """Set the judge beside the votes that count.

    Args:
        votes: cleaned, of one kind of voter.
        rewards: as far as they are known.
        learned: whether the judge may have learned from a prompt.
    """
    by_prompt: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    seen: set[tuple[str, str]] = set()
    right = decided = unseen = 0
    for vote in votes:
        prompt = vote.battle.pair.prompt
        left, other = (rewards.get((entry.picture, prompt)) for entry in vote.battle.sides)
        if left is None or other is None:
            unseen += 1
            continue
        for entry, reward in zip(vote.battle.sides, (left, other), strict=True):
            if (entry.picture, prompt) not in seen:
                seen.add((entry.picture, prompt))
                by_prompt[entry.contestant.label][prompt].append(reward)
        if vote.winner and not learned(prompt):
            decided += 1
            right += (left > other) == (vote.winner == vote.battle.sides[0])
    means = {
        label: bootstrap_mean(np.array([np.mean(found) for found in prompts.values()]))
        for label, prompts in by_prompt.items()
    }
    ranked = sorted(means.items(), key=lambda item: -item[1].value)
    return RewardVsVotes(tuple(ranked), wilson(right, decided), unseen)
