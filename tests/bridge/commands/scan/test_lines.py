"""At which line settings a protocol is looked for."""

from __future__ import annotations

from bridge.commands.scan.plan import Limits, steps
from bridge.commands.scan.protocols import spoken
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.protocol import PolledProtocol
from protocols.toolkit.scanning import Scanning


def scannings(*names: str) -> dict[str, Scanning]:
    records = {name: record for name, record in spoken(names).items() if isinstance(record, PolledProtocol)}
    return {name: record.scanning() for name, record in records.items() if record.scanning}


def searched(names: dict[str, Scanning], line: str) -> set[str]:
    return {step.protocol for step in steps(names, Limits(line=LineSettings.parse(line)))}


def test_what_has_one_line_setting_is_not_looked_for_at_another() -> None:
    everything = scannings()
    at_9600 = searched(everything, "9600 8N1")
    assert {"modbus-rtu", "mbus", "dlt645", "jbd-bms", "daly-bms"} <= at_9600
    assert not {"jk-bms", "kamstrup-kmp", "voltronic-pi30", "vedirect-hex", "shdlc"} & at_9600


def test_a_second_stop_bit_is_no_other_setting() -> None:
    assert "kamstrup-kmp" in searched(scannings(), "1200 8N1")


def test_what_alone_is_looked_for_is_looked_for_at_any_setting() -> None:
    assert searched(scannings("jk-bms"), "9600 8N1") == {"jk-bms"}
