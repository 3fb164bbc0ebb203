"""Ranking by votes: pairwise counts, the Davidson model, confidence, the leaderboard."""
