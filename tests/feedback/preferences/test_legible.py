"""A lost picture costs its own votes, and no others."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from hypersd.arena.votes.images import ImageStore
from hypersd.feedback.preferences.dataset import Preference, Preferences
from hypersd.feedback.preferences.legible import with_pictures
from hypersd.utils.estimates import wilson


def test_choices_on_lost_pictures_are_left_out_and_the_pictures_named(tmp_path: Path) -> None:
    pictures = ImageStore(str(tmp_path))
    names = [pictures.put(Image.new("RGB", (8, 8), (shade, 0, 0))) for shade in range(6)]
    examples = tuple(
        Preference(prompt=f"prompt {first}", pictures=(names[first], names[first + 1]), target=1.0)
        for first in (0, 2, 4)
    )
    given = Preferences(examples=examples, kind="human", self_agreement=wilson(0, 0), agreement=wilson(0, 0), cast=3)
    assert with_pictures(given, pictures) == (given, set())
    (tmp_path / names[0][:2] / f"{names[0]}.webp").unlink()
    (tmp_path / names[5][:2] / f"{names[5]}.webp").write_bytes(b"cut off")
    left, lost = with_pictures(given, pictures)
    assert left.examples == examples[1:2]
    assert lost == {names[0], names[5]}
