"""The page's theme, light and dark, and its scripts. All fonts are Gradio's own files: no downloads."""

from __future__ import annotations

from pathlib import Path

from gradio.themes import Base, LocalFont, colors, sizes

_STATIC = Path(__file__).parent / "static"
_SHEETS = ("page.css", "together.css", "sweep.css", "control.css", "arena.css", "results.css", "feedback.css")
CSS_FILES = [_STATIC / name for name in _SHEETS]
CANVAS_SCRIPT = _STATIC / "canvas.js"
DICE_ICON = _STATIC / "dice.svg"
_INK, _PAPER = "*neutral_900", "*neutral_50"


def page_script() -> str:
    """JavaScript that Gradio runs once when the page is loaded: keys, full-size and side-by-side views, links, arena.

    Each file is a function; the arena's calls those for zooming and for the receipt after a vote.
    """
    closer, receipt, page, together, arena = (
        (_STATIC / name).read_text(encoding="utf-8").strip()
        for name in ("zoom.js", "receipt.js", "page.js", "together.js", "arena.js")
    )
    return f"() => {{ const createZoom = {closer}, afterVote = {receipt}; ({page})(); ({together})(); ({arena})(); }}"


class Calm(Base):
    """Neutral colours with one accent colour for speed."""

    def __init__(self) -> None:
        super().__init__(
            primary_hue=colors.teal,
            secondary_hue=colors.teal,
            neutral_hue=colors.zinc,
            spacing_size=sizes.spacing_md,
            radius_size=sizes.radius_lg,
            text_size=sizes.text_md,
            # Weight 700, not 600: Gradio's SemiBold files hold Cyrillic letters only.
            font=(LocalFont("IBM Plex Sans", weights=(400, 700)), "ui-sans-serif", "system-ui", "sans-serif"),
            font_mono=(LocalFont("IBM Plex Mono", weights=(400, 700)), "ui-monospace", "monospace"),
        )
        self.name = "calm"
        self.set(
            body_background_fill=_PAPER,
            body_background_fill_dark="*neutral_950",
            background_fill_primary="white",
            background_fill_primary_dark="*neutral_900",
            background_fill_secondary="*neutral_100",
            background_fill_secondary_dark="*neutral_800",
            body_text_color_subdued="*neutral_500",
            body_text_color_subdued_dark="*neutral_400",
            block_background_fill="white",
            block_background_fill_dark="*neutral_900",
            block_border_width="0px",
            block_shadow="none",
            block_label_text_weight="600",
            block_title_text_weight="600",
            block_title_text_color="*neutral_500",
            block_title_text_color_dark="*neutral_400",
            border_color_primary="*neutral_200",
            border_color_primary_dark="*neutral_800",
            input_background_fill="white",
            input_background_fill_dark="*neutral_900",
            input_border_color="*neutral_300",
            input_border_color_dark="*neutral_700",
            input_border_color_focus="*primary_500",
            input_border_color_focus_dark="*primary_400",
            button_primary_background_fill=_INK,
            button_primary_background_fill_dark="*neutral_100",
            button_primary_background_fill_hover="*neutral_700",
            button_primary_background_fill_hover_dark="white",
            button_primary_border_color=_INK,
            button_primary_border_color_dark="*neutral_100",
            button_primary_border_color_hover="*neutral_700",
            button_primary_border_color_hover_dark="white",
            button_primary_text_color="white",
            button_primary_text_color_dark=_INK,
            button_secondary_background_fill="white",
            button_secondary_background_fill_dark="*neutral_800",
            button_secondary_background_fill_hover="*neutral_100",
            button_secondary_background_fill_hover_dark="*neutral_700",
            button_secondary_border_color="*neutral_300",
            button_secondary_border_color_dark="*neutral_700",
            button_border_width="1px",
            button_large_text_weight="600",
            checkbox_background_color_selected="*primary_600",
            checkbox_background_color_selected_dark="*primary_500",
            checkbox_border_color_selected="*primary_600",
            checkbox_border_color_selected_dark="*primary_500",
            slider_color="*primary_600",
        )
