"""Pairing: a code opens one session, for a time; wrong codes lock it; only hashes are kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bridge.commands.web import store
from bridge.commands.web.access import CODE_S, LOCK_S, SESSION_S, Access, csrf_token, parse
from bridge.commands.web.store import AccessStore

CODE, COOKIE = "01234567", "a cookie"


def paired(now_s: float = 100.0) -> Access:
    access = Access()
    access.offer(CODE, now_s)
    assert access.pair(CODE, COOKIE, "a phone", now_s)
    return access


def test_a_code_begins_one_session_that_ends_after_twelve_hours() -> None:
    access = paired()
    assert access.knows(COOKIE, 100.0 + SESSION_S - 1)
    assert not access.knows(COOKIE, 100.0 + SESSION_S)
    assert not access.pair(CODE, "another", "", 101.0)  # used up


def test_a_code_is_valid_for_ten_minutes() -> None:
    access = Access()
    access.offer(CODE, 0.0)
    assert not access.pair(CODE, COOKIE, "", CODE_S)
    access.offer(CODE, 0.0)
    assert access.pair(CODE, COOKIE, "", CODE_S - 1)


def test_a_new_code_replaces_the_one_before() -> None:
    access = Access()
    access.offer(CODE, 0.0)
    access.offer("76543210", 1.0)
    assert not access.pair(CODE, COOKIE, "", 2.0)


def test_the_fifth_wrong_code_locks_pairing_for_five_minutes_even_to_the_right_one() -> None:
    access = Access()
    access.offer(CODE, 0.0)
    for _guess in range(5):
        assert not access.pair("00000000", COOKIE, "", 1.0)
    assert access.locked_s(1.0) == LOCK_S
    assert not access.pair(CODE, COOKIE, "", 1.0 + LOCK_S - 1)
    assert access.pair(CODE, COOKIE, "", 1.0 + LOCK_S)


def test_a_new_code_does_not_end_the_lock() -> None:
    access = Access()
    for _guess in range(5):
        access.pair("", COOKIE, "", 0.0)
    access.offer(CODE, 1.0)
    assert not access.pair(CODE, COOKIE, "", 2.0)


def test_without_a_code_nothing_is_right() -> None:
    for guess in ("", "0", CODE):
        assert not Access().pair(guess, COOKIE, "", 0.0)


def test_sessions_can_be_revoked_one_by_one_or_all() -> None:
    access = paired()
    access.offer(CODE, 101.0)
    access.pair(CODE, "another", "", 101.0)
    (first, _second) = access.sessions
    assert access.revoke(first[:8]) == [first[:8]]
    assert not access.knows(COOKIE, 102.0)
    assert access.knows("another", 102.0)
    assert len(access.revoke(None)) == 1
    assert access.revoke("nobody") == []


def test_no_more_than_thirty_two_browsers_are_paired_the_oldest_goes() -> None:
    access = Access()
    for number in range(40):
        access.offer(CODE, number)
        access.pair(CODE, f"cookie {number}", "", number)
    assert len(access.sessions) == 32
    assert not access.knows("cookie 0", 40.0)
    assert access.knows("cookie 39", 40.0)


def test_neither_code_nor_cookie_is_in_the_document() -> None:
    access = paired()
    access.offer("99887766", 100.0)
    text = json.dumps(access.document())
    assert COOKIE not in text
    assert "99887766" not in text
    assert parse(json.loads(text)) == access


@pytest.mark.parametrize(
    "document", [{}, {"code": 1}, {"sessions": []}, {**Access().document(), "sessions": 5}]
)
def test_by_a_damaged_document_nobody_has_access(document: dict[str, object]) -> None:
    assert parse(document) == Access()


def test_the_token_of_a_form_belongs_to_its_session() -> None:
    assert csrf_token("a") != csrf_token("b")
    assert "a cookie" not in csrf_token("a cookie")


def test_the_file_is_private_and_ends_with_the_boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = AccessStore(tmp_path / "spool.db")
    first.change(lambda access: access.offer(CODE, store.now_s()))
    assert first.change(lambda access: access.pair(CODE, COOKIE, "", store.now_s()))
    assert first.path(".json").stat().st_mode & 0o777 == 0o600
    assert AccessStore(tmp_path / "spool.db").read().knows(COOKIE, store.now_s())
    monkeypatch.setattr(store, "boot_id", lambda: "another boot")
    assert first.read() == Access()
