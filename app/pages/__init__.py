"""The tabs, one module each."""
