"""Captioned pictures to train on, wherever they lie: in a folder, in WebDataset shards, or on the Hub."""
