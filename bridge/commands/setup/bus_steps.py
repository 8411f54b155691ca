"""The steps of `setup` at the bus: its adapter, and the sensors on its line."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from bridge import event_loop
from bridge.commands.enroll import enrolment
from bridge.commands.scan.result import Ending, sentence
from bridge.commands.scan.scan import Target, Wishes, scan
from bridge.commands.scan.text import name as name_of
from bridge.commands.setup.context import Context
from bridge.commands.setup.dialogue import NobodyToAsk
from bridge.commands.setup.draft import Draft
from bridge.commands.setup.finds import OneBus, block, faults, is_pushing, is_same, one_bus, proposed_name
from bridge.commands.setup.searching import Face
from bridge.commands.terminal.next_step import command as next_command
from bridge.config.places import check_adapter, check_plain_name
from bridge.errors import BridgeError, ConfigError
from bridge.port.adapter import adapters, find_adapter
from protocols.toolkit.scanning import Find

_PLUG_IN_WITHIN_S: Final = 60.0


class BusSteps:
    """The adapter of a bus and its sensors.

    Args:
        context: what it works with.
    """

    def __init__(self, context: Context) -> None:
        self._draft, self._dialogue, self._answers = context.draft, context.dialogue, context.answers

    def find_adapter(self) -> None:
        """Find the adapter of the bus and write it.

        Raises:
            BridgeError: there is none, or nobody can be asked which.
        """
        draft, bus = self._draft, self._answers.bus
        draft.begin()
        adapter = self._answers.adapter or self._found_adapter()
        try:
            draft.set_adapter(bus, check_adapter(adapter))
        except ValueError as error:
            raise ConfigError([f"--adapter: {error}"]) from None
        self._dialogue.tell(f'{draft.site}: bus {bus} has adapter "{adapter}"')

    def _found_adapter(self) -> str:
        """Return the adapter that is there, or that is plugged in now."""
        draft, dialogue, bus = self._draft, self._dialogue, self._answers.bus
        own = enrolment.own(draft.site, bus)
        if own and dialogue.confirm(f"{own}; keep it?"):
            return own.identity.adapter
        spares = enrolment.spares(draft.site)
        if len(spares) == 1:
            dialogue.tell(spares[0])
            if dialogue.confirm("take it?"):
                return spares[0].identity.adapter
        elif spares:
            by_text = {str(each): each.identity.adapter for each in spares}
            spare = dialogue.choose("which adapter is it", list(by_text), option="--adapter")
            if spare is not None:
                return by_text[spare]
        if dialogue.is_silent:
            raise NobodyToAsk("no adapter is free, or several are: say which with --adapter")
        before = list(adapters())
        dialogue.tell(f"plug the adapter in now (waiting {_PLUG_IN_WITHIN_S:g} s)")
        proposal = enrolment.plugged_in(before, _PLUG_IN_WITHIN_S, site=draft.site)
        dialogue.tell(proposal)
        return proposal.identity.adapter

    def find_sensors(self) -> None:
        """Scan the bus, and write a block for each find that the person agrees to.

        Raises:
            BridgeError: nobody answers, or no find was taken.
            KeyboardInterrupt: the scan was interrupted before anybody answered.
        """
        draft, dialogue, answers = self._draft, self._dialogue, self._answers
        port = find_adapter(str(draft.bus(answers.bus)["adapter"]))
        wishes = self._wishes()
        dialogue.tell("searching the line; Ctrl-C ends that, and what answers until then counts")
        with Face(dialogue) as face:
            result = event_loop.run(scan(Target(port, port), wishes, face))
        if result.ending is Ending.INTERRUPTED and not result.finds:
            raise KeyboardInterrupt
        if result.ending is Ending.NOT_OURS and not any(
            is_pushing(one.find.protocol) for one in result.finds
        ):
            raise BridgeError(
                "what another master asks for can be read by a bus with listen = true: "
                f"serial-bridge sniff {port} --learn proposes its blocks"
            )
        group = one_bus(result.finds)
        if group is None:
            for located in result.finds:
                dialogue.tell(f"{located.line}: {sentence(located.find)}")
            raise BridgeError(
                f"{result.remark or 'nobody answers whose values can be read'}; "
                f"then go on: {next_command('serial-bridge setup', draft.site)}"
            )
        draft.set_line(answers.bus, group.protocol, str(group.line))
        dialogue.tell(
            f"{len(group.finds)} found: {group.protocol} at {group.line}, {result.octets_sent} octets sent, "
            "nothing was written to any device"
        )
        for text in group.others:
            dialogue.tell(text)
        for find in group.finds:
            self._take(group, find)
        if not draft.sensors(answers.bus):
            raise BridgeError(
                "no sensor was taken: their blocks can be written by hand, or scan again: "
                f"{next_command('serial-bridge setup --from scan', draft.site)}"
            )

    def _wishes(self) -> Wishes:
        """Return what is looked for: of a bus with sensors, more of its own kind."""
        bus, answers = self._draft.bus(self._answers.bus), self._answers
        line, protocols = answers.line, answers.protocols
        if bus.get("sensor"):
            line = line or str(bus.get("line", ""))
            protocols = protocols or [str(bus["protocol"])]
        return Wishes(line, protocols, answers.addresses)

    def _take(self, group: OneBus, find: Find) -> None:
        """Propose a find as a sensor, and write its block if the person agrees."""
        draft, dialogue, bus = self._draft, self._dialogue, self._answers.bus
        place = f"address {find.address}" if find.address else "the device"
        for sensor_block in draft.sensors(bus):
            if is_same(find, sensor_block):
                dialogue.tell(f"{place}: is {sensor_block.get('name')} already")
                return
        keys: dict[str, Any] = dict(find.keys)
        kind = name_of(find) if find.model or find.identity else f"{find.protocol}, {name_of(find)}"
        dialogue.tell(f"{place}: {kind}; {sentence(find)}")
        if faults(group.protocol, keys) and (model := self._model(group.protocol, keys, find)):
            keys["model"] = model
        if lack := faults(group.protocol, keys):
            dialogue.tell(f"left out: {lack}")
            return
        name = proposed_name(find, str(keys.get("model") or ""), draft.names)
        name = dialogue.ask(
            "its name (n = leave it out)", option="--yes", default=name, check=partial(_new_name, draft)
        )
        if name.lower() == "n":
            return
        draft.add_sensor(bus, block(group.protocol, name, keys, self._answers.every))

    def _model(self, protocol: str, keys: Mapping[str, Any], find: Find) -> str | None:
        """Return the model that a person names, where the scan claims none; None if nobody knows it."""
        if (model := self._answers.models.get(find.address)) is not None:
            return model

        def check(text: str) -> str:
            if lack := faults(protocol, {**keys, "model": text}):
                raise ValueError(lack)
            return text

        return self._dialogue.choose(
            "its model, by number or by name (serial-bridge models lists them)",
            [name for name, _ in find.rivals],
            option=f"--model {find.address}=MODEL",
            check=check,
        )


def _new_name(draft: Draft, text: str) -> str:
    """Return a sensor's name if none has it yet."""
    name = check_plain_name(text)
    if name in draft.names:
        raise ValueError(f"{name} is a sensor already, choose another name")
    return name
