"""The arena: blind battles, an append-only vote store, rankings. Imports neither torch nor the rest of hypersd."""
