"""Scale of a round of the loop."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopScale:
    """Numbers of pairs, votes, battles and steps of a round.

    Args:
        pairs, votes, voters: of the votes that are learned from, where they are simulated.
        battles, battle_pairs, judges: votes and pairs of pictures in the blind battles for each number of steps, and
            voters that cast them.
        prompts, seeds: that metrics are taken over: half of the prompts show one object, in eight pictures each, so
            that one picture more or less is 0.8 points, where the loop's aim is that no point is lost.
        shorten: factor on the number of training steps.
    """

    pairs: int = 900
    votes: int = 4500
    voters: int = 40
    battles: int = 200
    battle_pairs: int = 40
    judges: int = 25
    prompts: int = 32
    seeds: int = 8
    shorten: float = 1.0

    def shortened(self, factor: float) -> LoopScale:
        """This fraction of everything, for a quick look; never less than what a stage needs."""
        return replace(
            self,
            pairs=max(36, round(factor * self.pairs)),
            votes=max(180, round(factor * self.votes)),
            battles=max(20, round(factor * self.battles)),
            battle_pairs=max(4, round(factor * self.battle_pairs)),
            prompts=max(2, round(factor * self.prompts)),
            seeds=max(2, round(factor * self.seeds)),
            shorten=factor * self.shorten,
        )
