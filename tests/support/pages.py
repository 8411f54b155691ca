"""README and the pages of docs/, as the tests that check them read them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = {path.stem: path.read_text("utf-8") for path in sorted((ROOT / "docs").glob("*.md"))}
ALL = "\n".join((README, *PAGES.values()))
BLOCKS: list[str] = re.findall(r"```toml\n(.*?)```", ALL, re.DOTALL)
"""Every piece of TOML that is shown, README's first: its whole site, then its credentials."""
