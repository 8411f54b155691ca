"""What the command line itself does with what a command raises."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bridge.commands.terminal.app import main
from bridge.commands.terminal.options import secrets_of


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


def test_the_credentials_are_those_beside_the_site_unless_told_or_handed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    site, told = tmp_path / "barn.toml", Path("elsewhere.toml")
    assert secrets_of(site, None) == tmp_path / "credentials.toml"
    handed_over = tmp_path / "run"
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(handed_over))
    assert secrets_of(site, None) == tmp_path / "credentials.toml", "nothing is handed over there"
    handed_over.mkdir()
    (handed_over / "credentials.toml").touch()
    assert secrets_of(site, None) == handed_over / "credentials.toml"
    assert secrets_of(site, told) == told


@pytest.mark.parametrize("command", ["check", "status"])
def test_a_file_that_is_missing_is_told_with_the_next_step(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "site.toml"
    monkeypatch.setattr(sys, "argv", ["serial-bridge", command, "--site", str(site)])
    with pytest.raises(SystemExit):
        main()
    said = capsys.readouterr().err
    assert f"{site}: there is no such file: write it, or name it with --site\n" in said


def test_check_looks_for_the_credentials_beside_the_site_that_it_was_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.delenv("SERIAL_BRIDGE_CREDENTIALS", raising=False)
    site = tmp_path / "site.toml"
    site.write_text('site = "barn"\n[thingsboard]\nurl = "coap://127.0.0.1"\n')
    monkeypatch.setattr(sys, "argv", ["serial-bridge", "check", "--site", str(site)])
    with pytest.raises(SystemExit):
        main()
    secrets = tmp_path / "credentials.toml"
    assert (
        f"{secrets}: there is no such file: write it, or name it with --credentials\n"
        in capsys.readouterr().err
    )


def test_models_of_no_kind_and_no_grade_are_told_with_those_that_there_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for option, word in (("--kind", "teapot"), ("--grade", "X")):
        monkeypatch.setattr(sys, "argv", ["serial-bridge", "models", option, word])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        assert "kinds are " in (said := capsys.readouterr().err)
        assert "grades are A, B, C, D" in said
