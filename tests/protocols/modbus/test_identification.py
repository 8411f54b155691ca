"""Which device a unit is: what may be claimed of it, and what may not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from protocols.modbus import pdu
from protocols.modbus.candidates import Candidates
from protocols.modbus.models import Library
from protocols.modbus.scanning import identify_each, modbus_scanning
from protocols.modbus.serial_line import RTU
from protocols.modbus.simulation import SimulatedUnit
from protocols.toolkit.framing import Direction, Frame
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.scanning import Evidence, Find, Heard, Scope, Search

LINE = LineSettings(9600)
READS = frozenset({0x01, 0x02, 0x03, 0x04, 0x11, 0x2B})


class Device(SimulatedUnit):
    """A unit that may say what it is, and counts what it is asked."""

    identification: bytes | None = None
    server_id: bytes | None = None

    def __init__(self, **attributes: Any) -> None:
        super().__init__(1, **attributes)
        self.asked: list[bytes] = []

    def _reply(self, request: bytes) -> bytes:
        self.asked.append(request)
        own = {pdu.ENCAPSULATED_INTERFACE: self.identification, pdu.REPORT_SERVER_ID: self.server_id}
        return own.get(request[0]) or super()._reply(request)


def identified(device: SimulatedUnit, models: Mapping[str, Mapping[str, Any]]) -> Find:
    """Return what is said of a device that may be one of these models alone."""

    class Own(Library):
        def names(self) -> list[str]:
            return sorted(self.own)

    candidates = Candidates.of(Own(Library.of(models).own))
    (find,) = conducted(identify_each("modbus-rtu", RTU, candidates, Scope(LINE, ("1",))), device)
    return find


def conducted(search: Search, device: SimulatedUnit) -> list[Find]:
    """Return the finds of a search on a line with one device, each of whose replies is in time."""
    finds: list[Find] = []
    step = next(search)
    try:
        while True:
            if isinstance(step, Find):
                finds.append(step)
                step = search.send(Heard())
                continue
            reply = device.answer(Frame(step.request.data, Direction.REQUEST))
            frame = Frame(reply, Direction.REPLY) if reply else None
            accepted = frame if frame and step.request.accepts(frame) else None
            step = search.send(Heard(accepted, octets=reply or b"", turn_around_s=0.01))
    except StopIteration:
        return finds


def model(registers: Mapping[str, Any], **fingerprint: Any) -> dict[str, Any]:
    return {"title": "A device", "sources": ["s"], "registers": registers, "fingerprint": fingerprint}


PLAIN = {"voltage": {"holding": 0, "unit": "V"}}
CODE = {"holding": 100, "is": 4711}
CODE_READ = b"\x03\x00\x64\x00\x01"


def test_the_model_whose_fingerprint_holds_is_claimed_with_its_keys() -> None:
    models = {"right": model(PLAIN, code=CODE), "other": model(PLAIN, code={"holding": 100, "is": 4712})}
    find = identified(Device(holding={0: 230, 100: 4711}), models)
    assert (find.evidence, find.model, find.rivals) == (Evidence.IDENTIFIED, "right", ())
    assert find.keys == {"address": 1, "model": "right"}
    assert find.confidence is not None
    assert find.confidence >= 0.8
    assert "fingerprint" in find.reasons[0]


def test_two_models_whose_fingerprints_hold_are_rivals_and_neither_is_claimed() -> None:
    find = identified(
        Device(holding={0: 230, 100: 4711}), {"a": model(PLAIN, code=CODE), "b": model(PLAIN, code=CODE)}
    )
    assert find.model is None
    assert find.evidence is Evidence.ANSWERS
    assert [name for name, _ in find.rivals] == ["a", "b"]


def test_a_register_that_differs_the_second_time_claims_nothing() -> None:
    class Changing(Device):
        def _reply(self, request: bytes) -> bytes:
            reply = super()._reply(request)
            if request == CODE_READ:
                self.holding[100] += 1
            return reply

    device = Changing(holding={0: 230, 100: 4711})
    assert identified(device, {"a": model(PLAIN, code=CODE)}).model is None
    assert device.asked.count(CODE_READ) == 2


def test_a_unit_that_is_silent_where_others_refuse_is_claimed_all_the_same() -> None:
    class Reticent(Device):
        def answer(self, request: Frame) -> bytes | None:
            reply = super().answer(request)
            return None if reply and reply[1] & pdu.REFUSED else reply

    others = {f"a{at}": model(PLAIN, code={"holding": 200 + at, "is": 4711}) for at in range(9)}
    device = Reticent(holding={0: 230, 100: 4711, 101: 4712})
    right = model(PLAIN, code=CODE, more={"holding": 101, "is": 4712})
    assert identified(device, others | {"right": right}).model == "right"


def test_a_unit_that_is_gone_is_not_asked_for_ever() -> None:
    class Gone(Device):
        def answer(self, request: Frame) -> bytes | None:
            reply = super().answer(request)
            return reply if len(self.asked) <= 2 else None

    device = Gone(holding={0: 230})
    others = {f"a{at}": model(PLAIN, code={"holding": 200 + at, "is": 4711}) for at in range(60)}
    assert identified(device, others).model is None
    assert len(device.asked) < 20


def test_a_weak_fingerprint_and_plausible_values_claim_nothing() -> None:
    registers = {f"voltage_l{phase}": {"holding": phase, "unit": "V"} for phase in range(6)}
    models = {"weak": model(registers, baud={"holding": 100, "within": [0, 4]}), "map": model(registers)}
    find = identified(Device(holding={**dict.fromkeys(range(6), 230), 100: 2}), models)
    assert find.model is None
    assert {name for name, _ in find.rivals} == {"weak", "map"}


def test_a_constant_that_another_device_may_measure_claims_nothing_by_itself() -> None:
    """633 ppm of CO2 stood where a pyranometer has its type; both times it was read."""
    registers = {"irradiance": {"holding": 5, "unit": "W/m²"}, "supply": {"holding": 9, "unit": "V"}}
    models = {"pyranometer": model(registers, device_type={"holding": 0, "is": 633})}
    find = identified(Device(holding={**dict.fromkeys(range(12), 0), 0: 633}), models)
    assert find.model is None
    assert [name for name, _ in find.rivals] == ["pyranometer"]
    assert identified(Device(holding={**dict.fromkeys(range(12), 24), 0: 633}), models).model == "pyranometer"


def test_a_map_that_reads_nonsense_is_no_rival() -> None:
    registers = {f"frequency_{at}": {"holding": at, "unit": "Hz"} for at in range(6)}
    find = identified(Device(holding=dict.fromkeys(range(6), 9999)), {"map": model(registers)})
    assert find.rivals == ()


def test_what_a_device_says_of_itself_identifies_it() -> None:
    device = Device()
    device.identification = pdu.REPLIES[pdu.ENCAPSULATED_INTERFACE].build(
        function=pdu.ENCAPSULATED_INTERFACE,
        read_code=1,
        conformity=0x81,
        more_follows=0,
        next_object_id=0,
        objects=[{"id": 0, "value": b"Maker"}, {"id": 1, "value": b"M-1"}, {"id": 2, "value": b"2.0"}],
    )
    find = identified(device, {"right": model(PLAIN, identity="Maker M-[12]"), "x": model(PLAIN, code=CODE)})
    assert find.identity == {"maker": "Maker", "type": "M-1", "version": "2.0"}
    assert find.model == "right"
    assert identified(device, {"x": model(PLAIN, code=CODE)}).evidence is Evidence.IDENTIFIED


def test_the_server_id_is_asked_where_there_is_no_device_identification() -> None:
    device = Device()
    device.server_id = pdu.REPLIES[pdu.REPORT_SERVER_ID].build(
        function=pdu.REPORT_SERVER_ID, data=b"ACME 7\xff"
    )
    assert identified(device, {"x": model(PLAIN, code=CODE)}).identity["type"].startswith("ACME 7")


def test_a_sunspec_device_is_known_by_its_mark_and_named_by_its_common_model() -> None:
    texts = b"Maker".ljust(32, b"\0") + b"Model 5".ljust(32, b"\0") + bytes(16)
    content = b"SunS" + b"\0\x01\0\x42" + texts + b"1.0".ljust(16, b"\0") + b"SN42".ljust(32, b"\0")
    words = {40000 + at: int.from_bytes(content[2 * at :][:2], "big") for at in range(len(content) // 2)}
    find = identified(Device(holding=words), {"x": model(PLAIN, code=CODE)})
    assert (find.model, find.identity["maker"], find.identity["serial"]) == ("sunspec", "Maker", "SN42")
    assert find.keys == {"address": 1, "model": "sunspec"}


def test_a_search_and_an_identification_only_read() -> None:
    device = Device(holding=dict.fromkeys(range(200), 1), input=dict.fromkeys(range(200), 1))
    scanning = modbus_scanning("modbus-rtu", RTU, Library())
    assert scanning.search is not None
    assert scanning.identify is not None
    conducted(scanning.search(Scope(LINE, ("1", "2"))), device)
    conducted(scanning.identify(Scope(LINE, ("1",))), device)
    assert len(device.asked) > 10
    assert {request[0] for request in device.asked} <= READS
