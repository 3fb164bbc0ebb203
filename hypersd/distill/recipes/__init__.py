"""Recipes: a module a method, whose `train` runs the method's stages on a `DistillationTask`."""
