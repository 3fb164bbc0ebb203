"""Votes and their parts: battles, images, quality control, agreement between voters."""
