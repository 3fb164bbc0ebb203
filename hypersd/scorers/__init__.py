"""Published and family-own models that score pictures for prompts; rewards are built on them, evaluations use them."""
