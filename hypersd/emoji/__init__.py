"""The embedded family: scenes of sprites, their captions, a judge, and the training of its models."""
