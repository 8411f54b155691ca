"""What every request passes before a page sees it, and what every response carries; one ASGI layer.

    Host      an address, or a name of this machine: a foreign name that was made to point here is refused
    method    GET, HEAD and POST, nothing else
    Origin    a POST comes from a page of ours, or not at all
    body      at most 4 kB, within 10 s
    cookie    everything but pairing and the files of the page needs a session
    token     each action carries the token of its session

Whoever is refused gets one sentence and no page.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Collection
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bridge.commands.web.access import csrf_token
from bridge.commands.web.language import one_sentence
from bridge.commands.web.store import AccessStore, now_s
from bridge.hosts import as_address

COOKIE: Final = "session"
BODY_MOST: Final = 4096
_BODY_S: Final = 10.0
_OPEN: Final = ("/pair", "/style.css", "/live.js")
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}


def is_our_host(host: str, names: Collection[str]) -> bool:
    """Return whether a Host header names this machine: by an address, or by one of its names.

    A browser that was lured to a foreign name which resolves to this machine still sends that name here.
    """
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    return as_address(name.strip("[]")) is not None or name.lower().removesuffix(".") in names


def is_our_origin(origin: str | None, fetch_site: str | None, scheme: str, host: str) -> bool:
    """Return whether a request that changes something comes from a page of ours."""
    if origin is not None:
        return origin == f"{scheme}://{host}"
    return fetch_site == "same-origin"


def cookie_of(headers: Headers) -> str:
    """Return the session's cookie; "" without one."""
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel else ""


class Guard:
    """The layer around the pages.

    Args:
        app: the pages; they find the fields of a form in the scope, as "form".
        store: who is paired.
        names: the names of this machine, in lower case.
        is_secure: whether it is reached over HTTPS.
    """

    def __init__(self, app: ASGIApp, store: AccessStore, names: Collection[str], *, is_secure: bool) -> None:
        self._app = app
        self._store = store
        self._names = names
        self._scheme = "https" if is_secure else "http"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        refusal = await self._refusal(scope, receive)
        handler = refusal if refusal is not None else self._app
        await handler(scope, receive, send_guarded)

    async def _refusal(self, scope: Scope, receive: Receive) -> Response | None:
        request = HTTPConnection(scope)
        headers = request.headers
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not is_our_host(hosts[0], self._names):
            return one_sentence(
                request, 421, "this gateway has another name: use the address that `web pair` shows"
            )
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return one_sentence(request, 405, "this page only reads and asks")
        scope["form"], scope["session"] = {}, ""
        if scope["method"] == "POST":
            if not is_our_origin(
                headers.get("origin"), headers.get("sec-fetch-site"), self._scheme, hosts[0]
            ):
                return one_sentence(
                    request, 403, "this did not come from a page of this gateway: open its own page"
                )
            body = await _body(receive)
            if body is None:
                return one_sentence(request, 413, "too long, or too slow: reload the page and try again")
            scope["form"] = {
                key: value[0] for key, value in parse_qs(body.decode("utf-8", "replace")).items()
            }
        cookie = cookie_of(headers)
        if self._store.read().knows(cookie, now_s()):
            scope["session"] = cookie
        if scope["path"] in _OPEN:
            return None
        if not scope["session"]:
            if scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
                return RedirectResponse("/pair", 303)
            return one_sentence(request, 401, "not paired: sudo serial-bridge web pair")
        if scope["method"] == "POST" and not hmac.compare_digest(
            csrf_token(cookie), scope["form"].get("token", "")
        ):
            return one_sentence(request, 403, "the form is of another session: reload the page and try again")
        return None


async def _body(receive: Receive) -> bytes | None:
    """Return the body of a request; None if it is too long or does not come."""
    body = b""
    try:
        async with asyncio.timeout(_BODY_S):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    return None
                body += bytes(message.get("body", b""))
                if len(body) > BODY_MOST:
                    return None
                if not message.get("more_body", False):
                    return body
    except TimeoutError:
        return None
