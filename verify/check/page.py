"""A result as one page that needs no network, in the style of the report."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from verify.check.result import VERDICTS, Result
from verify.check.show import numbers

__all__ = ["page_of", "write_page"]

# The colours of the report's verdicts, by what a verdict means for a user.
_COLOURS = {"equal": "proved", "limited-range": "unsupported", "hard-labels-only": "unsupported"}
_COLOURS |= {"equal-up-to-constant": "proved-for", "equal-up-to-scale": "proved-for"}


def page_of(result: Result) -> str:
    """The HTML of the page."""
    environment = Environment(
        loader=PackageLoader("verify.check", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["numbers"] = numbers
    style = files("verify.report").joinpath("static/style.css").read_text(encoding="utf-8")
    return environment.get_template("check.html").render(
        result=result,
        verdict=VERDICTS[result.verdict],
        colour=_COLOURS.get(result.verdict, "refuted"),
        style=Markup(style),
        stories=tuple(dict.fromkeys((f.cause, f.why, f.cure) for f in result.findings if f.cause)),
    )


def write_page(result: Result, path: Path) -> None:
    """The page in a file; errors of the system are raised."""
    path.write_text(page_of(result), encoding="utf-8")
