"""Accessibility of a part of the page, in light and in dark."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

_SETTLED_MS = 500
"""Time in which what unfolds or changes its colours has done so; until then it is pale."""


def expect_no_barriers(page: Page, part: str) -> None:
    """Expect that axe finds no barrier in the part of the page with this selector, in both colour schemes."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        body = expect(page.locator("body.dark"))
        body.to_have_count(1 if scheme == "dark" else 0)
        page.wait_for_timeout(_SETTLED_MS)
        violations = Axe().run(page, context=part)
        assert violations.violations_count == 0, f"{scheme}: {violations.generate_report()}"
