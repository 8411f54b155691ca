"""The language in which a browser is answered, and the one sentence that somebody gets instead of a page."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse

from bridge.commands.pages.environment import LANGUAGES, translators

CHOSEN: Final = "language"
"""The cookie that keeps a chosen language."""


def language_of(request: HTTPConnection) -> str:
    """Return the language of a page: the chosen one, else the browser's."""
    accepted = Headers(scope=request.scope).get("accept-language", "")
    for language in (request.query_params.get("lang"), request.cookies.get(CHOSEN), accepted[:2].lower()):
        if language in LANGUAGES:
            return str(language)
    return "en"


def one_sentence(request: HTTPConnection, status: int, sentence: str) -> PlainTextResponse:
    """Return a response that is one sentence, in the language of the browser."""
    said, _words = translators(language_of(request))
    return PlainTextResponse(f"{said(sentence)}\n", status)
