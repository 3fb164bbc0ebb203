"""Arenas of pictures that exist already, by any generator: their list, their folder, and their pairs."""
