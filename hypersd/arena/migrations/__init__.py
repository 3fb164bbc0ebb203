"""Migrations of the arena's tables. A change of `tables.py` needs a new file in `versions/`."""
