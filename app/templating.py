"""HTML from the templates in `templates/`; values are escaped unless they are markup."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

_FOLDER = Path(__file__).parent / "templates"


def render(template: str, **values: object) -> Markup:
    """A rendered template, as markup, so that it can be inserted into another template.

    Args:
        template: its file's name, without the extension.
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
