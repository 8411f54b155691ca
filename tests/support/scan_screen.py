"""The screen of a scan for the documentation: a cabinet with devices, two of them on one address."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.commands.scan.result import Ending, Located, ScanResult
from bridge.commands.scan.text import find_lines, name, summary
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.scanning import Evidence, Find, Trouble

_LINE = LineSettings(9600, parity="E")


def _find(address: int, evidence: Evidence, **of_find: object) -> Located:
    find = Find(
        protocol="modbus-rtu",
        address=str(address),
        evidence=evidence,
        keys={"address": address},
        **of_find,  # type: ignore[arg-type]
    )
    return Located(find, _LINE, 3.0 + address / 4)


def scanned_cabinet() -> ScanResult:
    """Return the result of that scan."""
    finds = (
        _find(
            1,
            Evidence.IDENTIFIED,
            model="abb-b23",
            confidence=0.95,
            reasons=("its fingerprint is that of ABB B23, read twice, and of no other model",),
        ),
        _find(
            2,
            Evidence.IDENTIFIED,
            model="sunspec",
            confidence=0.99,
            reasons=('carries "SunS" at 40000, so it is a SunSpec device: Fronius Symo 8.2-3-M 29301234',),
            identity={"maker": "Fronius", "type": "Symo 8.2-3-M", "serial": "29301234"},
        ),
        _find(
            7,
            Evidence.ANSWERS,
            reasons=("the maps of these models give plausible values; more than one may",),
            rivals=(("eastron-sdm230", 0.6), ("eastron-sdm120", 0.5)),
        ),
        _find(12, Evidence.ANSWERS, trouble=Trouble.TWO_DEVICES, reasons=("one question is answered twice",)),
    )
    return ScanResult("/dev/ttyUSB0", finds, Ending.COMPLETE, "", 2912, 44.0)


def scan_lines() -> Sequence[str]:
    """Return the lines of the screen."""
    result = scanned_cabinet()
    lines = ["$ serial-bridge scan /dev/ttyUSB0"]
    for located in result.finds:
        find = located.find
        lines.append(f"{located.line}: {find.protocol} address {find.address}, {name(find)}")
    for located in result.finds:
        lines += find_lines(located)
    return [*lines, *summary(result)]
