"""The training loop and its parts: data, DDIM steps, adapters, checkpoints."""
