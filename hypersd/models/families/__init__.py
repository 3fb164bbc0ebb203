"""The model families, one file each: run specifications as data."""
