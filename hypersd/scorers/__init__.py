"""Models that score pictures for prompts, published or part of a family; used by rewards and evaluations."""
