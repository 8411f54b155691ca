"""The output of `provision`: a line for each sensor, and on a terminal a progress bar below them."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NotRequired, TypedDict

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from bridge import event_loop
from bridge.commands.provision.provisioning import FAILED, Outcome, ProvisioningRefused, planned, provision
from bridge.commands.terminal.audited import Change, record
from bridge.config import Site
from bridge.errors import UplinkError
from bridge.plain_text import json_text, lines, one_line


class SensorOutcome(TypedDict):
    """The result for a sensor."""

    device: str
    result: str
    reason: NotRequired[str]  # why there is no token


class ProvisionDocument(TypedDict):
    """The document of `provision --json`."""

    credentials: str  # the file that holds the tokens
    sensors: dict[str, SensorOutcome]
    error: str | None  # why the work ended before its end


_AGAIN = "run `serial-bridge provision` again for the rest: what was asked for is written down"


def show(site: Site, path: Path, prefix: str, *, dry_run: bool, as_json: bool) -> int:
    """Provision the site, or with `dry_run` only list what would be asked for; return the exit status.

    Raises:
        ConfigError, AlreadyRunning: nothing was asked for.
    """
    view = _View(site, as_json=as_json)
    error = ""
    if dry_run:
        outcomes = planned(site, path, prefix)
        view.begin(len(outcomes))
        for outcome in outcomes:
            view.report(outcome)
    else:
        with view.running():
            try:
                event_loop.run(provision(site, path, prefix, begin=view.begin, report=view.report))
            except (ProvisioningRefused, UplinkError) as reason:
                error = str(reason)
            finally:
                record(site.path, "provision", *_changes(path, view.outcomes))
    view.end(path, error)
    return 1 if error or any(outcome.result == FAILED for outcome in view.outcomes) else 0


def _changes(path: Path, outcomes: Sequence[Outcome]) -> list[Change]:
    """Return which sensors have a token now; the tokens themselves are no one's to read in a log."""
    return [
        Change(
            f"{path.name}: sensors.{outcome.sensor}",
            None,
            f"token of device {outcome.device}, {outcome.result}",
        )
        for outcome in outcomes
        if outcome.result != FAILED
    ]


class _View:
    def __init__(self, site: Site, *, as_json: bool) -> None:
        self.outcomes: list[Outcome] = []
        self._site = site
        self._as_json = as_json
        self._console = Console(quiet=as_json, highlight=False, markup=False, soft_wrap=True)
        self._bar = Progress(
            TextColumn("devices"),
            BarColumn(),
            MofNCompleteColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("devices", total=None)

    @contextmanager
    def running(self) -> Iterator[None]:
        with self._bar:
            yield

    def begin(self, missing: int) -> None:
        self._bar.update(self._task, total=missing)
        if not missing:
            self._console.print("every sensor has a credential: nothing to do")
        elif self._site.thingsboard.scheme == "coap":
            self._console.print("note: coap:// is not encrypted: who listens on the way can read the tokens")

    def report(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self._console.print(one_line(outcome))
        self._bar.advance(self._task)

    def end(self, path: Path, error: str) -> None:
        if self._as_json:
            print(json_text(self._document(path, error), indent=2))  # noqa: T201
            return
        if self.outcomes:
            counts = Counter(outcome.result for outcome in self.outcomes)
            self._console.print(", ".join(f"{count} {result}" for result, count in counts.items()))
        if error:
            print(lines([error, _AGAIN]), file=sys.stderr)  # noqa: T201

    def _document(self, path: Path, error: str) -> ProvisionDocument:
        sensors: dict[str, SensorOutcome] = {}
        for outcome in self.outcomes:
            sensors[outcome.sensor] = {"device": outcome.device, "result": outcome.result}
            if outcome.reason:
                sensors[outcome.sensor]["reason"] = outcome.reason
        return {"credentials": str(path), "sensors": sensors, "error": error or None}
