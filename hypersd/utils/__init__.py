"""Helpers independent of models and votes: error messages, atomic files, environment, statistics."""
