"""Texts of the page in English and Chinese."""
