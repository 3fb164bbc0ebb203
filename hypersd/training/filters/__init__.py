"""Filters of captioned pictures for training few-step models: pictures are measured once, then limits decide."""
