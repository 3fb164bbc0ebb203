"""Fixtures of this folder's tests."""

from __future__ import annotations

from tests.tiny_families import cache, downloaded, emoji, sd15, sd21, sdxl

__all__ = ["cache", "downloaded", "emoji", "sd15", "sd21", "sdxl"]
