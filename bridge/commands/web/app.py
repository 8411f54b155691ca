"""The pages: each route gathers plain data for a template; each action goes into the audit log."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route

from bridge.audit_log import AuditLog, Change
from bridge.commands.pages.environment import LANGUAGES, STYLE, environment, translators
from bridge.commands.web import views
from bridge.commands.web.access import SESSION_S, csrf_token, hashed, name_of
from bridge.commands.web.guard import COOKIE
from bridge.commands.web.language import CHOSEN, language_of, one_sentence
from bridge.commands.web.scanning import Scanning
from bridge.commands.web.store import AccessStore, now_s
from bridge.errors import BridgeError

if TYPE_CHECKING:
    from starlette.requests import Request

    from bridge.config import Site

STREAMS_MOST: Final = 32
_STREAM_S: Final = 1800.0
_SCRIPT: Final = STYLE.with_name("live.js")

Handler = Callable[["Request"], Awaitable[Response]]


class Pages:
    """The pages of one site.

    Args:
        site: the site.
        store: who is paired.
        is_secure: whether the cookie is only for HTTPS.

    Attributes:
        streams: how many streams of live values are open.
    """

    def __init__(self, site: Site, store: AccessStore, *, is_secure: bool) -> None:
        self.streams = 0
        self.scanning = Scanning(site)
        self._site = site
        self._store = store
        self._is_secure = is_secure
        self._snapshots = views.Snapshots(site)
        self._log = AuditLog(site.path, site.spool.path, site.clock.trust)

    def app(self) -> Starlette:
        """Return the application; `Guard` goes around it."""
        routes: list[tuple[str, Handler, str]] = [
            ("/", self._glance, "GET"),
            ("/sensor", self._sensor, "GET"),
            ("/bus", self._bus, "GET"),
            ("/uplink", self._uplink, "GET"),
            ("/scan", self._scan, "GET"),
            ("/scan.txt", self._scan_text, "GET"),
            ("/config", self._config, "GET"),
            ("/doctor", self._doctor, "GET"),
            ("/report", self._report, "GET"),
            ("/events", self._events, "GET"),
            ("/pair", self._pair_form, "GET"),
            ("/style.css", self._style, "GET"),
            ("/live.js", self._script, "GET"),
            ("/pair", self._pair, "POST"),
            ("/try", self._try, "POST"),
            ("/scan", self._start_scan, "POST"),
            ("/stop", self._stop_scan, "POST"),
            ("/leave", self._leave, "POST"),
        ]
        return Starlette(
            routes=[Route(path, handler, methods=[method]) for path, handler, method in routes],
            exception_handlers={HTTPException: _not_there, Exception: _failed},
        )

    # Pages.

    async def _glance(self, request: Request) -> Response:
        return self._page(request, "glance.html", views.glance(self._site, await self._snapshots.newest()))

    async def _sensor(self, request: Request) -> Response:
        document = await self._snapshots.newest()
        name = request.query_params.get("name", "")
        if name not in document["sensors"]:
            raise HTTPException(404)
        content = await asyncio.to_thread(views.sensor_page, self._site, document, name)
        return self._page(request, "sensor.html", content)

    async def _bus(self, request: Request) -> Response:
        document, name = await self._snapshots.newest(), request.query_params.get("name", "")
        if name not in document["buses"]:
            raise HTTPException(404)
        content = await asyncio.to_thread(views.bus_page, self._site, document, name)
        return self._page(request, "bus.html", content)

    async def _uplink(self, request: Request) -> Response:
        return self._page(request, "uplink.html", views.uplink_page(await self._snapshots.newest()))

    async def _scan(self, request: Request) -> Response:
        return self._page(request, "scan.html", {"scan": self.scanning})

    async def _scan_text(self, request: Request) -> Response:
        text = "\n\n".join(lines for _, _, lines in self.scanning.finds)
        headers = {"Content-Disposition": 'attachment; filename="scan.txt"'}
        return PlainTextResponse(text + "\n", headers=headers)

    async def _config(self, request: Request) -> Response:
        document = await self._snapshots.newest()
        text = await asyncio.to_thread(self._site.path.read_text, "utf-8")
        content = {"edits": document["not_in_force"], "text": text.splitlines()[:1500]}
        return self._page(request, "config.html", content)

    async def _doctor(self, request: Request) -> Response:
        from bridge.commands.doctor.examination import Machine, machine_findings, wrong

        findings = await asyncio.to_thread(machine_findings, self._site, Machine())
        return self._page(request, "doctor.html", {"findings": wrong(findings)})

    async def _report(self, request: Request) -> Response:
        from bridge.commands.report.content import gather
        from bridge.commands.report.page import page

        report = await asyncio.to_thread(gather, self._site)
        headers = {"Content-Disposition": 'attachment; filename="report.html"'}
        return HTMLResponse(page(report, language_of(request)), headers=headers)

    async def _style(self, request: Request) -> Response:
        return FileResponse(STYLE, media_type="text/css")

    async def _script(self, request: Request) -> Response:
        return FileResponse(_SCRIPT, media_type="text/javascript")

    async def _events(self, request: Request) -> Response:
        if self.streams >= STREAMS_MOST:
            return one_sentence(request, 503, "too many pages are open: reload one to see it anew")
        stream = self._stream(request.scope["session"], language_of(request))
        return StreamingResponse(stream, media_type="text/event-stream")

    async def _stream(self, cookie: str, language: str) -> AsyncIterator[str]:
        """Yield what changed, once a second, while the session goes on."""
        self.streams += 1
        said, words = translators(language)
        last_text, ends_at = "", now_s() + _STREAM_S
        try:
            while now_s() < ends_at and self._store.read().knows(cookie, now_s()):
                document = await self._snapshots.newest()
                now = views.live(self._site, document, said, words)
                now |= {"scan": said(self.scanning.progress_text), "scanned": self.scanning.mark}
                text = json.dumps(now)
                if text != last_text:
                    yield f"data: {text}\n\n"
                last_text = text
                await asyncio.sleep(1)
        finally:
            self.streams -= 1

    # Actions.

    async def _pair_form(self, request: Request) -> Response:
        return self._page(request, "pair.html", {"refusal": ""})

    async def _pair(self, request: Request) -> Response:
        if self._store.read().locked_s(now_s()):
            return self._page(request, "pair.html", {"refusal": "locked"}, 429)
        code = "".join(filter(str.isdigit, request.scope["form"].get("code", "")))
        cookie, browser = secrets.token_urlsafe(32), request.headers.get("user-agent", "")[:120]
        is_paired = await asyncio.to_thread(
            self._store.change, lambda access: access.pair(code, cookie, browser, now_s())
        )
        if not is_paired:
            return self._page(request, "pair.html", {"refusal": "wrong"}, 403)
        await self._note("pair", Change(f"web: session {name_of(hashed(cookie))}", None, browser))
        response = RedirectResponse("/", 303)
        response.set_cookie(
            COOKIE, cookie, int(SESSION_S), secure=self._is_secure, httponly=True, samesite="strict"
        )
        return response

    async def _leave(self, request: Request) -> Response:
        name = name_of(hashed(request.scope["session"]))
        for ended in await asyncio.to_thread(self._store.change, lambda access: access.revoke(name)):
            await self._note("leave", Change(f"web: session {ended}", "paired", None))
        response = RedirectResponse("/pair", 303)
        response.delete_cookie(COOKIE)
        return response

    async def _try(self, request: Request) -> Response:
        from bridge.commands.try_.borrowed import borrowed_answer, query_of

        name = request.scope["form"].get("name", "")
        sensor = self._site.sensors.get(name)
        if sensor is None:
            raise HTTPException(404)
        answer, error = None, ""
        try:
            bus = self._site.buses[sensor.bus]
            answer = await borrowed_answer(self._site, query_of(self._site, bus, sensor))
            if answer is None:
                error = f"bus {bus.name} is not being read: start its service, or type serial-bridge try"
            else:
                error = answer["silence"] or ""
        except (BridgeError, OSError) as refusal:
            error = str(refusal)
        await self._note("try", Change(f"web: try {name}", None, error or "answered"))
        return self._page(request, "tried.html", {"name": name, "answer": answer, "error": error})

    async def _start_scan(self, request: Request) -> Response:
        bus = request.scope["form"].get("bus", "")
        if bus not in self._site.buses:
            raise HTTPException(404)
        if not self.scanning.is_running:
            await self._note("scan", Change(f"web: scan {bus}", None, "begun"))
        self.scanning.start(bus)
        return RedirectResponse("/scan", 303)

    async def _stop_scan(self, request: Request) -> Response:
        if self.scanning.is_running:
            await self._note("stop", Change(f"web: scan {self.scanning.bus}", "begun", "interrupted"))
            await self.scanning.stop()
        return RedirectResponse("/scan", 303)

    async def _note(self, what: str, change: Change) -> None:
        """Write an action into the audit log; a log that cannot be written keeps nobody from reading."""
        await asyncio.to_thread(self._log.record, f"web {what}", [change])

    def _page(
        self, request: Request, template: str, content: dict[str, Any], status: int = 200
    ) -> HTMLResponse:
        language, cookie = language_of(request), request.scope["session"]
        html = (
            environment(language)
            .get_template(template)
            .render(
                **content,
                site=self._site.name,
                buses=list(self._site.buses),
                path=request.url.path,
                here=_here(request),
                token=csrf_token(cookie) if cookie else "",
                is_paired=bool(cookie),
            )
        )
        response = HTMLResponse(html, status)
        if request.query_params.get("lang") in LANGUAGES:
            response.set_cookie(
                CHOSEN, language, 365 * 86400, secure=self._is_secure, httponly=True, samesite="strict"
            )
        return response


def _here(request: Request) -> str:
    """Return the address of this page, to add a language to; of the answer to a form, the first page."""
    if request.method == "POST" and request.url.path != "/pair":
        return "/?"
    parameters = [(key, value) for key, value in request.query_params.multi_items() if key != "lang"]
    return f"{request.url.path}?{urlencode(parameters)}{'&' if parameters else ''}"


async def _not_there(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    return one_sentence(request, status, "there is no such page: go back to the first one")


async def _failed(request: Request, error: Exception) -> Response:
    return one_sentence(request, 500, "the page failed: the log of serial-bridge-web has more")
