"""The last steps of `setup`: the sensors' live values, and their arrival at the server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge import event_loop
from bridge.commands.setup.context import Context
from bridge.commands.setup.delivery import deliver
from bridge.commands.terminal.next_step import command as next_command
from bridge.commands.try_.several import ask_all, line
from bridge.config import Credentials, Site, load_credentials, load_site, with_keys
from bridge.errors import BridgeError, StepsFailed
from protocols.toolkit.polling import Values


class ArrivalSteps:
    """Live values and their delivery.

    Args:
        context: what it works with.
    """

    def __init__(self, context: Context) -> None:
        self._draft, self._dialogue, self._answers = context.draft, context.dialogue, context.answers
        self._values: dict[str, Values] = {}

    def show_values(self) -> None:
        """Ask every sensor of the bus once and show its values.

        Raises:
            BridgeError: none gave a value.
        """
        site, dialogue = self._loaded(), self._dialogue
        names = [sensor.name for sensor in site.buses[self._answers.bus].sensors]
        width = max(map(len, names), default=0)
        self._values = {}

        def report(answer: Mapping[str, Any]) -> None:
            dialogue.tell(line(answer, width))
            if answer["values"]:
                self._values[answer["sensor"]] = answer["values"]

        event_loop.run(ask_all(site, names, None, report))
        if not self._values:
            raise BridgeError(
                "no sensor gave a value; look at one with serial-bridge try SENSOR -v, then go on: "
                + next_command("serial-bridge setup --from values", site.path)
            )

    def deliver_values(self) -> None:
        """Send the values that were shown, and say what the server answered.

        Raises:
            StepsFailed: it did not take those of every sensor.
        """
        if not self._values:
            self.show_values()
        dialogue, draft = self._dialogue, self._draft
        site = self._loaded()
        credentials = (
            load_credentials(draft.credentials, site) if draft.credentials.exists() else Credentials({})
        )
        results = event_loop.run(deliver(site, credentials, self._values))
        for result in results:
            dialogue.tell(f"{result.sensor}: {result.sentence}")
        failures = [result for result in results if not result.is_accepted]
        if failures:
            is_token = all("token" in failure.sentence for failure in failures)
            step = "tokens" if is_token else "server"
            again = next_command(f"serial-bridge setup --from {step}", draft.site)
            raise StepsFailed(
                [f"{len(failures)} of {len(results)} not delivered; mend it, then go on: {again}"]
            )

    def _loaded(self) -> Site:
        """Return the site as its files are now."""
        site, credentials = self._draft.site, self._draft.credentials
        return with_keys(load_site(site), credentials)
