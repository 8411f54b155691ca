"""The steps of `setup`, in their order; each writes what it decided, and can be taken again.

    adapter ▶ scan ▶ server ▶ tokens ▶ values ▶ delivery
       ◀──────◀───────◀────────◀────────◀── "b" goes back

What is decided already, by an earlier run or by hand, is not asked again unless `--from` says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path

from bridge.commands.setup.arrival_steps import ArrivalSteps
from bridge.commands.setup.bus_steps import BusSteps
from bridge.commands.setup.context import Context
from bridge.commands.setup.dialogue import Back
from bridge.commands.setup.draft import Draft
from bridge.commands.setup.server_steps import ServerSteps
from bridge.commands.terminal.audited import recorded_edit


class Step(StrEnum):
    """A step, by the word for --from."""

    ADAPTER = "adapter"
    SCAN = "scan"
    SERVER = "server"
    TOKENS = "tokens"
    VALUES = "values"
    DELIVERY = "delivery"


_TITLES: Mapping[Step, str] = {
    Step.ADAPTER: "Adapter",
    Step.SCAN: "Sensors",
    Step.SERVER: "Server",
    Step.TOKENS: "Access tokens",
    Step.VALUES: "Live values",
    Step.DELIVERY: "Delivery",
}


class Setup:
    """One run of the dialogue.

    Args:
        context: what its steps work with.
    """

    def __init__(self, context: Context) -> None:
        self._draft, self._dialogue, self._answers = context.draft, context.dialogue, context.answers
        bus, server, arrival = BusSteps(context), ServerSteps(context), ArrivalSteps(context)
        self._work: Mapping[Step, Callable[[], None]] = {
            Step.ADAPTER: bus.find_adapter,
            Step.SCAN: bus.find_sensors,
            Step.SERVER: server.name_server,
            Step.TOKENS: server.obtain_tokens,
            Step.VALUES: arrival.show_values,
            Step.DELIVERY: arrival.deliver_values,
        }

    def run(self, first: Step | None) -> None:
        """Take the steps from `first` on; None: those that are not decided yet, then values and delivery.

        Raises:
            StepsFailed: not every sensor's values arrived.
            BridgeError: a step failed; what was decided before it is kept.
        """
        steps = list(Step)
        index = steps.index(first) if first else 0
        is_redone = first is not None
        while index < len(steps):
            step = steps[index]
            if not is_redone and self._is_decided(step):
                index += 1
                continue
            self._dialogue.heading(index + 1, len(steps), _TITLES[step])
            try:
                with recorded_edit(self._draft.site, f"setup, {step}"):
                    self._work[step]()
            except Back:
                index, is_redone = max(0, index - 1), True
                continue
            index, is_redone = index + 1, False

    def _is_decided(self, step: Step) -> bool:
        """Return whether a step's answer stands in the files already and no option says another one."""
        draft, answers = self._draft, self._answers
        match step:
            case Step.ADAPTER:
                return bool(draft.bus(answers.bus).get("adapter")) and answers.adapter is None
            case Step.SCAN:
                return bool(draft.sensors(answers.bus))
            case Step.SERVER:
                return bool(draft.url) and answers.url is None and answers.device_key is None
            case Step.TOKENS:
                return not draft.without_credential
            case _:
                return False


def default_bus(site: Path) -> str:
    """Return the bus to set up: the first that is not complete, else the first, else "meters"."""
    tables = Draft(site, site).tables.get("bus", {})
    unfinished = [
        name for name, table in tables.items() if not (table.get("adapter") and table.get("sensor"))
    ]
    return next(iter([*unfinished, *tables]), "meters")
