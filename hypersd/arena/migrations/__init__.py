"""History of the arena's tables, step by step. A change of `tables.py` needs a new file in `versions/`."""
