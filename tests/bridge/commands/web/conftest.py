"""One page for the tests of a module: all read it, and none leaves anything behind that another sees."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.bridge.commands.web.served import Served, served


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("web")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RUNTIME_DIRECTORY", str(folder / "run"))
        with served(folder) as page:
            yield page
