"""The arena's HTTP routes."""
