"""An arena of one's own pictures: its folder, its pairs, and how it grows."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from hypersd.arena.library.new_arena import NewArena, plan_arena, write_arena
from hypersd.arena.library.picture_library import CATALOGUE, PictureLibrary, flattened
from hypersd.arena.library.picture_list import read_pictures
from hypersd.arena.votes.battle import Contestant
from tests.arena.library.test_picture_list import draw, table


def make(folder: Path, listing: Path, name: str | None = "mine") -> NewArena:
    """Make or extend an arena."""
    listed = read_pictures(listing)
    planned = plan_arena(folder, name, listed)
    write_arena(planned, listed)
    return planned


def three(folder: Path) -> Path:
    """A list of three models' pictures of one prompt and seed, and one of another seed; two are equal."""
    for name, colour in (("a", "red"), ("b", "blue"), ("c", "blue"), ("d", "green")):
        draw(folder / f"{name}.png", colour)
    lines = (f"a cat,{model},{seed},{model}.png" for model, seed in (("a", 7), ("b", 7), ("c", 7), ("d", 8)))
    return table(folder, *lines)


def test_pairs_have_one_prompt_and_seed_and_different_pictures(tmp_path: Path) -> None:
    planned = make(tmp_path / "arena", three(tmp_path / "source"))
    assert (planned.added, planned.pairs, planned.equal) == (4, 2, 1)
    library = PictureLibrary.read(tmp_path / "arena")
    assert library is not None
    assert library.pairs == {("mine/a@?", "mine/b@?"): [("a cat", 7)], ("mine/a@?", "mine/c@?"): [("a cat", 7)]}
    assert library.open(("a cat", 8), Contestant("mine", "d", 0)).getpixel((3, 3)) == (0, 128, 0)


def test_more_pictures_are_added_and_nothing_changes_twice(tmp_path: Path) -> None:
    folder, listing = tmp_path / "arena", three(tmp_path / "source")
    make(folder, listing)
    before = {file: file.stat().st_mtime_ns for file in folder.rglob("*.webp")}
    again = make(folder, listing, None)
    assert (again.added, again.known) == (0, 4)
    draw(listing.parent / "e.png", "pink")
    more = make(folder, table(listing.parent, "a cat,e,7,e.png", name="more.csv"))
    assert (more.added, more.known, more.pairs, len(more.library.pictures)) == (1, 0, 5, 5)
    assert before.items() <= {file: file.stat().st_mtime_ns for file in folder.rglob("*.webp")}.items()


def test_a_picture_with_votes_is_never_replaced(tmp_path: Path) -> None:
    folder, listing = tmp_path / "arena", three(tmp_path / "source")
    make(folder, listing)
    catalogue = (folder / CATALOGUE).read_bytes()
    draw(listing.parent / "a.png", "black")
    with pytest.raises(ValueError, match=r"row 1: .* has another picture of this prompt, seed and model"):
        make(folder, listing)
    with pytest.raises(ValueError, match="is the arena mine"):
        make(folder, listing, "yours")
    assert (folder / CATALOGUE).read_bytes() == catalogue


@pytest.mark.parametrize("name", ["arena.sqlite", "notes.txt"])
def test_a_folder_with_other_files_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / "arena").mkdir()
    (tmp_path / "arena" / name).write_text("mine")
    with pytest.raises(ValueError, match="holds files, but no arena"):
        make(tmp_path / "arena", three(tmp_path / "source"))
    assert [file.name for file in (tmp_path / "arena").iterdir()] == [name]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (("a cat,a,7,a.png", "a cat,b,8,b.png"), r"no prompt \(and seed\) has pictures of two models"),
        (("a cat,a,7,a.png", "a cat,b,,b.png"), r"no prompt \(and seed\) has pictures of two models"),
        (("a cat,b,7,b.png", "a cat,c,7,c.png"), "two models' pictures are equal"),
    ],
)
def test_nothing_to_compare_is_no_arena(tmp_path: Path, lines: tuple[str, str], reason: str) -> None:
    three(tmp_path / "source")
    with pytest.raises(ValueError, match=reason):
        make(tmp_path / "arena", table(tmp_path / "source", *lines))
    assert not (tmp_path / "arena").exists()


@pytest.mark.parametrize("name", ["", "My Arena", "a/b", "a@2", "x" * 41])
def test_a_name_is_part_of_every_label(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="small letters, digits and hyphens"):
        make(tmp_path / "Big Arena", three(tmp_path / "source"), name)


def test_an_interrupted_arena_is_finished_by_the_same_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, listing = tmp_path / "arena", three(tmp_path / "source")
    listed = read_pictures(listing)
    (listing.parent / "c.png").rename(listing.parent / "away")
    with pytest.raises(FileNotFoundError):
        write_arena(plan_arena(folder, "mine", listed), listed)
    assert PictureLibrary.read(folder) == PictureLibrary(folder, "mine"), "no picture that is not whole"
    (listing.parent / "away").rename(listing.parent / "c.png")
    assert make(folder, listing).added == 4


@pytest.mark.parametrize("content", ["", "{}", '{"format": 1, "name": "mine", "pictures": [{"prompt": "a"}]}'])
def test_a_damaged_list_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / CATALOGUE).write_text(content)
    with pytest.raises(ValueError, match=r"arena\.json"):
        PictureLibrary.read(tmp_path)


def test_transparent_and_turned_pictures_are_shown_as_viewers_do() -> None:
    clear = Image.new("RGBA", (20, 20), (255, 0, 0, 0))
    assert flattened(clear).getpixel((5, 5)) == (255, 255, 255)
    turned = Image.new("RGB", (20, 30))
    turned.getexif()[0x0112] = 6
    assert flattened(turned).size == (30, 20)
