"""credentials.toml edited while it is in use."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from pathlib import Path

import pytest

from bridge.config import Credentials, CredentialsWatch, Site, ThingsBoard, Token, load_credentials, load_site
from tests.bridge.config.conftest import SITES
from tests.support.certificates import Authority
from tests.support.loop import on_jumping_clock

LOOK_EVERY_S = 0.02
TIMEOUT_S = 20.0


@pytest.fixture
def site() -> Site:
    return load_site(SITES / "good.toml")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "credentials.toml"
    path.touch(mode=0o600)
    path.write_text('[sensors]\nroof = "before"\n')
    return path


@pytest.fixture
def watch(file: Path, site: Site) -> CredentialsWatch:
    return CredentialsWatch(load_credentials(file, site), site, look_every_s=LOOK_EVERY_S)


def replace(file: Path, text: str, mode: int = 0o600) -> None:
    draft = file.with_suffix(".new")
    draft.write_text(text)
    draft.chmod(mode)
    draft.replace(file)


async def edited(watch: CredentialsWatch) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        await watch.edited()


async def passed_over(watch: CredentialsWatch) -> None:
    """The file as it stands is seen, and is no news."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(20 * LOOK_EVERY_S):
            await watch.edited()


async def test_an_edit_is_taken(watch: CredentialsWatch, file: Path) -> None:
    replace(file, '[sensors]\nroof = "after"\n')
    await edited(watch)
    assert watch.current.sensors == {"roof": Token("after")}


async def test_a_file_that_nobody_touches_is_no_news(watch: CredentialsWatch) -> None:
    await passed_over(watch)


async def test_saving_the_file_again_asks_for_another_try(watch: CredentialsWatch, file: Path) -> None:
    await asyncio.to_thread(file.touch)
    await edited(watch)


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        ("[sensors]\nroof = after", 0o600, "a text needs quotes"),
        ('[sensors]\nroof = "after"', 0o644, "chmod 600"),
    ],
)
async def test_a_broken_edit_is_said_once_and_changes_nothing(
    text: str,
    mode: int,
    said: str,
    watch: CredentialsWatch,
    file: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    replace(file, text, mode)
    looking = asyncio.create_task(watch.edited())
    async with asyncio.timeout(TIMEOUT_S):
        while not caplog.records:  # noqa: ASYNC110 - a log has no event
            await asyncio.sleep(LOOK_EVERY_S)
    looking.cancel()
    await passed_over(watch)
    assert watch.current.sensors == {"roof": Token("before")}
    (record,) = caplog.records
    assert said in record.getMessage()
    assert "after" not in record.getMessage()


@on_jumping_clock
async def test_half_a_file_is_not_taken_for_a_whole_one(file: Path, site: Site) -> None:
    """It is saved slowly, and every part of it would be right by itself."""
    parts = ["[sensors]\n", 'roof = "a"\n', 'soil = "b"\n', 'main-meter = "c"\n']
    watch = CredentialsWatch(load_credentials(file, site), site, look_every_s=1.0)
    editing = asyncio.create_task(watch.edited())
    await asyncio.sleep(3.5)
    for number in range(1, len(parts) + 1):
        file.write_text("".join(parts[:number]))  # noqa: ASYNC240 - at once, for a jumping clock
        os.utime(file, ns=(number, number))  # a jumping clock moves no file's time
        await asyncio.sleep(1.0)
        assert not editing.done()
        assert watch.current.sensors == {"roof": Token("before")}
    await editing
    assert set(watch.current.sensors) == {"roof", "soil", "main-meter"}


async def test_a_file_that_is_gone_for_a_while_is_taken_when_it_is_back(
    watch: CredentialsWatch, file: Path
) -> None:
    await asyncio.to_thread(file.unlink)
    await passed_over(watch)
    assert watch.current.sensors == {"roof": Token("before")}
    replace(file, '[sensors]\nroof = "back"\n')
    await edited(watch)
    assert watch.current.sensors == {"roof": Token("back")}


async def test_a_renewed_certificate_is_an_edit(file: Path, site: Site) -> None:
    secure = dataclasses.replace(site, thingsboard=ThingsBoard(url="coaps://tb.example.com"))
    authority = Authority(file.parent)
    authority.issue("roof")
    replace(file, '[sensors]\nroof = { certificate = "roof.pem", key = "roof.key" }')
    watch = CredentialsWatch(load_credentials(file, secure), secure, look_every_s=LOOK_EVERY_S)
    await passed_over(watch)
    authority.issue("roof")
    await edited(watch)


async def test_credentials_made_in_code_are_never_edited(site: Site) -> None:
    await passed_over(CredentialsWatch(Credentials({}), site))
