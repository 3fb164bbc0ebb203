"""Models that can be run: families as data, and the loading of their shared weights."""
