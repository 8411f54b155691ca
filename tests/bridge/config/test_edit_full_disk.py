"""An edit on a disk that takes nothing more: the file stays, and the sentence says what to do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.end_to_end.small_disk import NAMESPACE, NEEDS_A_SMALL_DISK

SCRIPT = """
mount -t tmpfs -o size=64k tmpfs "$1"
printf 'site = "barn"\\n' > "$1/site.toml"
head -c 1000000 /dev/zero > "$1/filling" 2> /dev/null
"$2" -c "$3" "$1/site.toml"
cat "$1/site.toml"
"""
PROGRAM = """
import sys
from pathlib import Path
from bridge.config.edit import edit
from bridge.errors import ConfigError
try:
    edit(Path(sys.argv[1]), lambda text: text + "# more\\n")
except ConfigError as error:
    print(error)
"""


@NEEDS_A_SMALL_DISK
def test_an_edit_on_a_full_disk_says_to_make_room(tmp_path: Path) -> None:
    done = subprocess.run(
        [*NAMESPACE, "sh", "-c", SCRIPT, "sh", str(tmp_path), sys.executable, PROGRAM],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout == (
        f"{tmp_path}/site.toml: cannot be replaced (No space left on device): make room on its disk\n"
        'site = "barn"\n'
    ), done.stderr
