"""Tuning of few-step adapters by preferences: ReFL, DPO, the reward-hacking monitor, the merge."""
