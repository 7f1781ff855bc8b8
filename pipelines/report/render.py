"""Templates: all text is escaped when it is inserted, with its hidden characters made visible."""

import hashlib
from base64 import b64encode
from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from schemas.colours import PALETTE
from schemas.visible import visible


def render(page: str, **values: object) -> bytes:
    """Return a page of the report.

    Args:
        page: the name of its template and of its script: `index`, `grid` or `records`.
        values: what the template shows.
    """
    script = _asset(f"{page}.js")
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    template = _environment().get_template(f"{page}.html")
    style = PALETTE + _asset("report.css")
    text = template.render(values, policy=policy, script=script, style=style)
    return text.encode()


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("pipelines.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _shown(value: object) -> object:
    """Return foreign text with hidden characters as escapes, and other values as they are."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _asset(name: str) -> str:
    return (resources.files("pipelines.report.assets") / name).read_text(encoding="utf-8")
