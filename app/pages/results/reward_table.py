"""The reward model's scores on the Results tab."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from app.templating import render
from hypersd.utils.estimates import Estimate

if TYPE_CHECKING:
    from hypersd.feedback.reward.vs_votes import RewardVsVotes


def judge_rows(verdicts: RewardVsVotes | None, ceiling: Estimate | None) -> str:
    """The reward model's mean rewards and agreement with voters, as HTML; `ceiling` is voters' self-agreement."""
    if verdicts is None or not verdicts.means:
        return render("reward_scores", means=[])
    means = [(label, mean, not math.isnan(mean.low)) for label, mean in verdicts.means]
    known = [mean for _, mean, sure in means if sure]
    return render(
        "reward_scores",
        means=means,
        low=min((mean.low for mean in known), default=0.0),
        high=max((mean.high for mean in known), default=1.0),
        agreement=verdicts.agreement,
        ceiling=ceiling if ceiling and ceiling.n else None,
        waiting=verdicts.unseen,
    )
