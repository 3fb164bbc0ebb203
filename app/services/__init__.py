"""Services behind the page: engines, arena, caches, background work."""
