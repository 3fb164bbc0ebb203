"""Putting the page where others can use it."""
