"""A report as PDF, by the Chromium of this machine, which is not part of the bridge."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from bridge.errors import BridgeError

_WITHIN_S = 60
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


class NoPdf(BridgeError):
    """There is no program that makes a PDF here, or it failed."""


def pdf_of(html: str) -> bytes:
    """Return a page as PDF.

    Raises:
        NoPdf: there is no Chromium, or it failed.
    """
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        raise NoPdf(
            "--pdf needs the program chromium: install it (apt install chromium), or open the page "
            "elsewhere and print it"
        )
    with tempfile.TemporaryDirectory(prefix="serial-bridge-report-") as folder:
        page, pdf = Path(folder) / "report.html", Path(folder) / "report.pdf"
        page.write_text(html, "utf-8")
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium's own refuses root
        try:
            subprocess.run(  # noqa: S603  # no shell, and every argument is ours
                [
                    program,
                    "--headless",
                    "--disable-gpu",
                    *sandbox,
                    f"--user-data-dir={folder}/profile",
                    "--no-pdf-header-footer",
                    f"--print-to-pdf={pdf}",
                    page.as_uri(),
                ],
                check=True,
                capture_output=True,
                timeout=_WITHIN_S,
            )
            return pdf.read_bytes()
        except (subprocess.SubprocessError, FileNotFoundError) as error:
            raise NoPdf(
                f"{program} made no PDF ({error}): open the page in a browser and print it"
            ) from error
