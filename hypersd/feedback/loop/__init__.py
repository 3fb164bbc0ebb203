"""Rounds of feedback: votes, reward model, tuned adapter, head-to-head battles, report."""
