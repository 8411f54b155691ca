"""A sample of `replace` killed at each change of the disk that it makes (`tests.faults.replace_kills`)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.replace_kills import kill

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(180)]

HALF_OF_THE_SITE, HALF_OF_THE_AUDIT_LINE = 3, 7


def test_every_file_is_old_or_new_and_said_again_it_ends_well(tmp_path: Path) -> None:
    try:
        count = kill(tmp_path, [HALF_OF_THE_SITE, HALF_OF_THE_AUDIT_LINE])
    except FileNotFoundError as missing:
        pytest.skip(str(missing))
    assert count == 2
