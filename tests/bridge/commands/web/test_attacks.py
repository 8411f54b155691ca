"""What was tried to get in, or to make it fall over: docs/web.md has the table, a row for each kind."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import html5lib
import pytest

from bridge.commands.web.access import csrf_token
from bridge.commands.web.guard import BODY_MOST, is_our_host, is_our_origin
from bridge.commands.web.serve import CONNECTIONS_MOST, REQUEST_WITHIN_S, own_names
from tests.bridge.commands.web.served import WITHIN_S, Served, served
from tests.support.played_site import HOSTILE, play

PAGES = (
    "/",
    "/sensor?name=boiler",
    "/bus?name=meters",
    "/uplink",
    "/scan",
    "/scan.txt",
    "/config",
    "/doctor",
    "/report",
    "/events",
)
ACTIONS = ("/try", "/scan", "/leave")


@pytest.fixture(autouse=True)
def _nothing_falls_over(page: Served) -> Iterator[None]:
    yield
    assert page.lives()
    page.store.change(lambda access: access.__init__())  # type: ignore[misc]  # codes, locks and sessions


@pytest.mark.parametrize("path", PAGES)
def test_without_a_cookie_no_page_is_shown(page: Served, path: str) -> None:
    for cookie in ("", "0", "A" * 43):
        status, response = page.ask(path, cookie=cookie)
        assert status == 401
        assert b"main-meter" not in response


@pytest.mark.parametrize("path", ACTIONS)
def test_without_a_cookie_nothing_is_done(page: Served, path: str) -> None:
    assert page.ask(path, "POST", body="name=boiler&bus=meters")[0] == 401


def test_a_revoked_session_is_over_at_once(page: Served) -> None:
    cookie = page.session()
    assert page.ask("/", cookie=cookie)[0] == 200
    page.store.change(lambda access: access.revoke(None))
    assert page.ask("/", cookie=cookie)[0] == 401


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "localhost.evil.example", "", "127.0.0.1.nip.io", "[::1"]
)
def test_a_foreign_host_is_refused_whoever_asks(page: Served, host: str) -> None:
    status, response = page.ask("/", cookie=page.session(), host=host)
    assert status in (400, 421)
    assert b"main-meter" not in response


def test_two_hosts_are_refused(page: Served) -> None:
    assert page.ask("/", cookie=page.session(), more="Host: evil.example")[0] in (400, 421)


@pytest.mark.parametrize(
    "host", ["localhost:9000", "127.0.0.1", "[::1]:8470", "192.168.1.4:8470", "[fe80::1]"]
)
def test_an_address_is_no_name_that_could_be_rebound(host: str) -> None:
    assert is_our_host(host, own_names())


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "https://{host}", "http://{host}.evil.example", "http://localhost"],
)
@pytest.mark.parametrize("path", ["/pair", *ACTIONS])
def test_an_action_from_a_foreign_page_is_refused(page: Served, path: str, origin: str) -> None:
    cookie = page.session()
    body = f"name=boiler&bus=meters&token={csrf_token(cookie)}"
    status, _ = page.ask(path, "POST", body=body, cookie=cookie, origin=origin.format(host=page.host))
    assert status == 403


def test_without_an_origin_only_the_browsers_own_word_counts() -> None:
    assert not is_our_origin(None, None, "http", "localhost")
    assert not is_our_origin(None, "cross-site", "http", "localhost")
    assert not is_our_origin("http://evil.example", "same-origin", "http", "localhost")
    assert is_our_origin(None, "same-origin", "http", "localhost")


@pytest.mark.parametrize("path", ACTIONS)
@pytest.mark.parametrize("token", ["", "0", csrf_token("another session")])
def test_an_action_without_the_token_of_its_session_is_refused(page: Served, path: str, token: str) -> None:
    body = f"name=boiler&bus=meters&token={token}"
    assert page.ask(path, "POST", body=body, cookie=page.session())[0] == 403


def test_guessing_codes_is_over_after_five(page: Served) -> None:
    code = page.code()
    statuses = [page.ask("/pair", "POST", body=f"code={guess:08}")[0] for guess in range(7)]
    assert statuses == [403] * 5 + [429] * 2
    status, response = page.ask("/pair", "POST", body=f"code={code}")
    assert status == 429
    assert b"set-cookie" not in response.lower()


def test_while_it_is_locked_a_guess_writes_nothing(page: Served) -> None:
    for guess in range(5):
        page.ask("/pair", "POST", body=f"code={guess}")
    written = page.store.path(".json").stat().st_mtime_ns
    for guess in range(20):
        page.ask("/pair", "POST", body=f"code={guess}")
    assert page.store.path(".json").stat().st_mtime_ns == written


def test_the_cookie_is_out_of_reach_of_scripts_and_foreign_pages(page: Served) -> None:
    status, response = page.ask("/pair", "POST", body=f"code={page.code()}")
    (cookie,) = re.findall(rb"set-cookie: (session=.*)\r\n", response)
    assert status == 303
    assert {b"HttpOnly", b"SameSite=strict", b"Max-Age=43200"} <= set(cookie.split(b"; "))
    assert len(re.findall(rb"session=([\w-]+)", cookie)[0]) >= 43  # 256 bits


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/style.css/../../../site.toml",
        "/..%5c..%5cetc",
        "//etc/passwd",
        "/style.css%00.html",
        "/credentials.toml",
        "/sensor?name=../../etc/passwd",
        "/bus?name=%2e%2e%2f",
    ],
)
def test_no_path_leads_to_a_file(page: Served, path: str) -> None:
    status, response = page.ask(path, cookie=page.session())
    assert status == 404
    assert b"root:" not in response


@pytest.mark.parametrize(
    "path", ["/?lang=de%0d%0aSet-Cookie:%20session=x", "/sensor?name=x%0d%0aX-Evil:%201"]
)
def test_no_header_can_be_injected(page: Served, path: str) -> None:
    _, response = page.ask(path, cookie=page.session())
    head = response.partition(b"\r\n\r\n")[0].lower()
    assert b"x-evil" not in head
    assert b"set-cookie" not in head


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH"])
def test_other_methods_are_refused_and_no_foreign_origin_is_allowed(page: Served, method: str) -> None:
    status, response = page.ask("/", method, cookie=page.session(), more="Origin: http://evil.example")
    assert status in (400, 405)
    assert b"access-control" not in response.lower()


def test_every_response_forbids_foreign_scripts_and_frames(page: Served) -> None:
    cookie = page.session()
    for path, status in (("/", 200), ("/nowhere", 404), ("/pair", 200), ("/style.css", 200)):
        got, response = page.ask(path, cookie=cookie)
        head = response.partition(b"\r\n\r\n")[0].lower()
        assert got == status
        assert b"content-security-policy: default-src 'none'" in head
        assert b"unsafe" not in head
        assert b"frame-ancestors 'none'" in head
        assert b"x-content-type-options: nosniff" in head
        assert b"\r\nserver:" not in head


def test_an_oversized_body_is_refused(page: Served) -> None:
    cookie = page.session()
    assert page.ask("/try", "POST", body="name=" + "x" * BODY_MOST, cookie=cookie)[0] == 413
    claim = f"POST /pair HTTP/1.1\r\nHost: {page.host}\r\nOrigin: http://{page.host}\r\n"
    head = claim + "Content-Length: 99999999999\r\nConnection: close\r\n\r\n"
    assert b" 413 " in page.raw(head.encode() + b"x" * 100_000)[:20]


def test_an_oversized_head_is_refused(page: Served) -> None:
    try:
        status, _ = page.ask("/", more="X-Long: " + "x" * 200_000)
    except ConnectionError:
        status = 0
    assert status in (0, 400, 431)


@pytest.mark.parametrize("octets", [b"\x16\x03\x01\x02\x00", b"\x00" * 64, b"GET\r\n\r\n", b"\r\n" * 100])
def test_what_is_no_request_is_dropped(page: Served, octets: bytes) -> None:
    with socket.create_connection(("127.0.0.1", page.port), timeout=WITHIN_S) as connection:
        connection.sendall(octets)


def test_a_thousand_connections_leave_room_once_they_go(page: Served) -> None:
    with ExitStack() as stack:
        for _connection in range(1000):
            stack.enter_context(socket.create_connection(("127.0.0.1", page.port), timeout=WITHIN_S))
        process, deadline = Path(f"/proc/{page.process.pid}"), time.monotonic() + WITHIN_S
        while len(list((process / "fd").iterdir())) > CONNECTIONS_MOST + 50:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        rss = re.search(r"VmRSS:\s+(\d+)", (process / "status").read_text())
        assert rss is not None
        assert int(rss[1]) < 150_000
    deadline = time.monotonic() + WITHIN_S
    while not page.lives():
        assert time.monotonic() < deadline


def test_a_slow_request_is_cut_off_while_others_are_served(page: Served) -> None:
    begun = time.monotonic()
    with ExitStack() as stack:
        slow = [
            stack.enter_context(socket.create_connection(("127.0.0.1", page.port), timeout=30))
            for _connection in range(50)
        ]
        for connection in slow:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
        cookie = page.session()
        assert page.ask("/", cookie=cookie)[0] == 200
        while time.monotonic() - begun < REQUEST_WITHIN_S - 1:  # an octet now and then changes nothing
            for connection in slow:
                connection.sendall(b"x")
            time.sleep(1)
        for connection in slow:
            try:
                while connection.recv(100):
                    pass
            except ConnectionError:
                pass
    assert time.monotonic() - begun < REQUEST_WITHIN_S + 10  # a loaded machine


def test_names_values_and_wire_texts_stay_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    name = "".join(char for char in HOSTILE if char.isprintable())
    with served(tmp_path, third=name) as hostile:
        play(hostile.site, value=HOSTILE, trouble=HOSTILE)
        cookie = hostile.session()
        for path in PAGES[:-1]:
            status, response = hostile.ask(path.replace("boiler", "main-meter"), cookie=cookie)
            assert status == 200
            tree = html5lib.parse(response.partition(b"\r\n\r\n")[2], namespaceHTMLElements=False)
            scripts = [element.get("src") for element in tree.iter("script")]
            assert scripts in ([], ["/live.js"])
            assert [element.tag for element in tree.iter() if element.tag == "img"] == []
            assert [key for element in tree.iter() for key in element.attrib if key.startswith("on")] == []
            assert b"\x1b" not in response
