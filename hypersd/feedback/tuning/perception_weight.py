"""Weight of the visual-perception loss beside the reward, known without loading PyTorch."""

from __future__ import annotations

PERCEPTION = 0.1
"""A choice of this project: the paper gives none (λ)."""
