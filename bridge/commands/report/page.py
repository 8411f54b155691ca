"""The report as one HTML file: style and charts are inside, nothing is fetched, no script runs."""

from __future__ import annotations

from bridge.commands.pages.environment import environment, inline_style
from bridge.commands.report.content import Report


def page(report: Report, language: str = "en") -> str:
    """Return the HTML of a report; the same report gives the same text."""
    return environment(language).get_template("report.html").render(report=report, style=inline_style())
