"""The world, the judge and the drawn scenes of tests/emoji, for the tests of this folder."""

from __future__ import annotations

from tests.emoji.conftest import judge, pictures, scenes, world

__all__ = ["judge", "pictures", "scenes", "world"]
