"""Helpers that know nothing of models or votes: errors as sentences, files written whole."""
