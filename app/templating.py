"""HTML from the templates in `templates/`: whatever is put into one is escaped, unless it is markup already."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

_FOLDER = Path(__file__).parent / "templates"


def render(template: str, **values: object) -> Markup:
    """A template filled in; as markup, so that it may be put into another template.

    Args:
        template: its file's name, without the ending.
        values: for its placeholders; a placeholder without a value is an error.
    """
    return Markup(_environment().get_template(f"{template}.html").render(values))  # noqa: S704 - autoescaped


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["thousands"] = "{:,}".format
    return environment
