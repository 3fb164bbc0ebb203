"""Preferences: votes in the form a reward model learns from."""
