"""Votes as a dataset: formats, import, export, publication, the dataset card."""
