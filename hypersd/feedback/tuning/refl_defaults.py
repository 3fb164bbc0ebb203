"""Defaults of reward feedback learning that commands read without loading PyTorch."""

from __future__ import annotations

PERCEPTION = 0.1
"""Weight of the visual-perception loss beside the reward: a choice of this project, the paper gives none (λ)."""

FEEDBACK_RANK = 8
"""Rank of the feedback's own adapter, by which it widens the adapter that it is merged into."""
