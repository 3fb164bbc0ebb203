"""Sources of captioned pictures: a folder, WebDataset shards, or the Hub."""
