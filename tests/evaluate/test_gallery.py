"""A gallery: figures as small pictures, and a page of them."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from hypersd.evaluate.gallery import write_gallery
from hypersd.evaluate.paper_figures import write_sheet


def test_a_page_shows_figures_in_their_order_with_their_captions(tmp_path: Path) -> None:
    row = Image.effect_noise((1600, 200), 60)
    figures: list[Path] = []
    for number, rows in ((10, [row, row]), (7, []), (1, [row])):
        caption = [f"Figure {number}. A title.", "Rows: a cat."]
        figures += write_sheet(tmp_path / f"figure-{number}", caption, rows, "make it")
    out = tmp_path / "out"
    out.mkdir()
    files = write_gallery("Figures", figures, out, "make the page")
    assert [file.name for file in files] == ["figure-1.webp", "figure-10.webp", "gallery.md"]
    with Image.open(files[1]) as picture:
        assert (picture.format, picture.size) == ("WEBP", (1100, 275))
    page = files[-1].read_text()
    order = ["# Figures", "`make the page`", "## Figure 1. A title.", "(figure-1.webp)", "Rows: a cat."]
    order += ["## Figure 7. A title.", "## Figure 10. A title.", "(figure-10.webp)"]
    places = [page.index(each) for each in order]
    assert places == sorted(places)
    assert "make it" not in page
