"""Filters of captioned pictures, as the data of few-step models are chosen: measured once, decided by limits."""
