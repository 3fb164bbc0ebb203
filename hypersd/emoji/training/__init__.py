"""Training of the embedded family: autoencoder, CLIP towers, latents, base model."""
