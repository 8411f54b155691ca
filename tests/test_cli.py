"""What the command line itself does with what a command raises."""

from __future__ import annotations

import sys

import pytest

from bridge.cli import main


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            PermissionError(13, "Permission denied", "/var/lib/serial-bridge/spool.db"),
            "/var/lib/serial-bridge/spool.db is not open to this user: run this with sudo, "
            "or as one of the group serial-bridge\n",
        ),
        (PermissionError("no"), "no is not open to this user: "),
    ],
)
def test_what_this_user_may_not_open_is_one_sentence(
    error: PermissionError, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused() -> None:
        raise error

    monkeypatch.setattr(sys.modules[main.__module__], "app", refused)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith(said)
