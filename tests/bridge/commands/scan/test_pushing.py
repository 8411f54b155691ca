"""Sensors that push are recognised by their own frames, apart from others whose frames look alike."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bridge.commands.scan.listening import told_by
from bridge.commands.scan.protocols import spoken
from bridge.simulator.training.catalogue import KINDS, Pushing
from bridge.simulator.training.drawing import random_bus
from protocols import hpma, load, plantower
from protocols.toolkit import layout
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.protocol import PushingProtocol
from protocols.toolkit.scanning import Evidence, Find

VECTORS = Path(__file__).parents[3] / "vectors"
PROTOCOLS = list(spoken().values())


def heard(octets: bytes, line: str) -> Sequence[Find]:
    traffic = told_by(octets, LineSettings.parse(line), PROTOCOLS)
    return traffic.finds if traffic else ()


def claimed(octets: bytes, line: str) -> list[tuple[str, str]]:
    finds = heard(octets, line)
    return [(find.protocol, find.address) for find in finds if find.evidence is Evidence.IDENTIFIED]


def vectors(name: str) -> dict[str, bytes]:
    document: dict[str, Any] = json.loads((VECTORS / f"{name}.json").read_text("utf-8"))
    return {vector["id"]: bytes.fromhex(vector["hex"]) for vector in document["vectors"] if "hex" in vector}


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if isinstance(kind, Pushing)], ids=lambda kind: kind.protocol
)
def test_a_sensor_that_pushes_is_claimed_by_its_own_protocol_alone(kind: Pushing) -> None:
    for seed in range(12):
        (device,) = random_bus(seed, protocol=kind.protocol).devices
        script = kind.script(device)
        octets = b"".join(next(script)[1] for _ in range(4))
        (find,) = heard(octets, str(device.line))
        assert (find.protocol, find.address) == (device.protocol, device.address)
        assert find.evidence is Evidence.IDENTIFIED
        assert find.model in (None, device.model)
        load_settings(find)


def load_settings(find: Find) -> None:
    """The keys of a find are what its protocol takes."""
    record = load(find.protocol)
    assert isinstance(record, PushingProtocol)
    record.settings(find.keys)


def hpma_report(*words: int) -> bytes:
    body = layout.build(hpma.REPORT, data=[*words, *[0] * (13 - len(words))], check=0)[:-2]
    return body + sum(body).to_bytes(2, "big")


def plantower_report(*words: int) -> bytes:
    body = layout.build(plantower.REPORT, length=2 * len(words) + 2, data=words, check=0)[:-2]
    return body + sum(body).to_bytes(2, "big")


def test_sensors_of_two_makers_with_one_frame_are_told_apart_by_what_their_words_mean() -> None:
    compact = [hpma_report(3, 4, 4, 5), hpma_report(4, 5, 6, 7)]
    standard = [hpma_report(0, 5, 9), hpma_report(0, 6, 10)]
    dust = [
        plantower_report(5, 8, 9, 5, 8, 9, 900, 300, 80, 9, 2, 1, 0x9700),
        plantower_report(5, 8, 8, 5, 8, 8, 800, 300, 70, 9, 2, 1, 0x9700),
    ]
    assert claimed(b"".join(compact), "9600 8N1") == [("honeywell-hpma-compact", "")]
    assert claimed(b"".join(standard), "9600 8N1") == [("honeywell-hpma", "")]
    assert claimed(b"".join(dust), "9600 8N1") == [("plantower", "")]


def test_words_that_fit_no_maker_are_no_claim() -> None:
    odd = plantower_report(9, 3, 1, 5, 8, 9, 1, 300, 80, 9, 2, 1, 7)
    assert claimed(odd * 3, "9600 8N1") == []


def test_a_model_is_named_only_where_its_reports_are_its_own() -> None:
    short = plantower_report(5, 8, 9, 5, 8, 9, 0, 0, 0)
    with_air = plantower_report(5, 8, 9, 5, 8, 9, 900, 300, 80, 9, 235, 460, 0x9700)
    with_counts = plantower_report(5, 8, 9, 5, 8, 9, 900, 300, 80, 9, 2, 1, 0x9700)
    models = [heard(report * 2, "9600 8N1")[0].model for report in (short, with_air, with_counts)]
    assert models == ["pms3003", "pms5003t", None]


def test_one_telegram_is_no_claim() -> None:
    report = vectors("sds011")["sds011-0001"]
    assert claimed(report * 2, "9600 8N1")
    assert claimed(report, "9600 8N1") == []


def test_values_that_cannot_be_are_no_claim() -> None:
    hot = plantower_report(5, 8, 9, 5, 8, 9, 900, 300, 80, 9, 235, 6000, 0)
    (find,) = heard(hot * 3, "9600 8N1")
    assert find.evidence is Evidence.HEARD
    assert "humidity 600" in find.reasons[0]


MODE_D = b"/ESY5Q3DA1004 V3.04\r\n\r\n1-0:0.0.0*255(1336001560)\r\n1-0:1.8.0*255(00032549.5*kWh)\r\n!\r\n"


def test_a_customer_port_and_a_meter_of_mode_d_are_told_apart() -> None:
    old_port = vectors("dsmr")["dsmr-0001"]
    assert claimed(MODE_D * 2, "9600 7E1") == [("iec62056-21-d", "1336001560")]
    assert {protocol for protocol, _ in claimed(old_port * 2, "9600 7E1")} == {"dsmr"}


@pytest.mark.parametrize(
    ("name", "protocol", "line"),
    [
        ("sml", "sml", "9600 8N1"),
        ("nmea0183", "nmea0183", "4800 8N1"),
        ("vedirect_text", "vedirect-text", "19200 8N1"),
        ("sds011", "sds011", "9600 8N1"),
        ("plantower", "plantower", "9600 8N1"),
        ("jk_bms_push", "jk-bms-push", "115200 8N1"),
    ],
)
def test_no_capture_of_one_protocol_is_claimed_by_another(name: str, protocol: str, line: str) -> None:
    claims = 0
    for identifier, octets in vectors(name).items():
        protocols = {claim for claim, _ in claimed(octets * 3, line)}
        assert protocols <= {protocol}, identifier
        claims += bool(protocols)
    assert claims > 2
