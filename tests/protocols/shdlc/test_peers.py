"""SHDLC beside Sensirion's drivers: each side parses what the other builds, and they read our sensors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sensirion_driver_adapters.shdlc_adapter.shdlc_channel import ShdlcChannel
from sensirion_shdlc_driver import ShdlcConnection, ShdlcSerialPort
from sensirion_shdlc_driver.errors import ShdlcDeviceError
from sensirion_shdlc_driver.serial_frame_builder import (
    ShdlcSerialMisoFrameBuilder,
    ShdlcSerialMosiFrameBuilder,
)
from sensirion_shdlc_sfa3x import Sfa3xShdlcDevice
from sensirion_shdlc_svm40 import Svm40ShdlcDevice
from sensirion_shdlc_svm41 import Svm41ShdlcDevice
from sensirion_uart_sps30.commands import OutputFormat
from sensirion_uart_sps30.device import Sps30Device

from bridge.simulator.field.bus import SimulatedBus
from protocols.shdlc import PROTOCOL
from protocols.shdlc.frame import Miso, Mosi, StreamFramer, build, request
from protocols.shdlc.models import MODELS
from protocols.shdlc.simulation import DIALECT, SimulatedSensor
from protocols.toolkit.framing import Frame

octets = st.integers(0, 255)


@given(octets, octets, st.binary(max_size=255))
def test_what_sensirion_builds_is_what_we_build_and_read(address: int, command: int, data: bytes) -> None:
    theirs = ShdlcSerialMosiFrameBuilder(address, command, data).to_bytes()
    assert theirs == build(Mosi(address, command, data))
    (frame,) = StreamFramer().feed(theirs)
    assert isinstance(frame, Frame)
    assert request(frame) == Mosi(address, command, data)


@given(octets, octets, octets, st.binary(max_size=255))
def test_what_we_build_is_read_by_sensirion(address: int, command: int, state: int, data: bytes) -> None:
    parser = ShdlcSerialMisoFrameBuilder()
    assert parser.add_data(build(Miso(address, command, state, data)))
    assert parser.interpret_data() == (address, command, state, data)


@contextmanager
def on_a_line(sensor: SimulatedSensor) -> Iterator[ShdlcSerialPort]:
    assert PROTOCOL.line is not None
    with (
        SimulatedBus({sensor.address: sensor}, PROTOCOL.line, dialect=DIALECT) as bus,
        ShdlcSerialPort(str(bus.path), PROTOCOL.line.baudrate, additional_response_time=5.0) as port,
    ):
        yield port


@pytest.mark.parametrize("form", ["float", "integer"])
def test_sensirions_driver_reads_our_sps30(form: str) -> None:
    names = [each.name for each in MODELS["sps30"].quantities]
    sensor = SimulatedSensor(MODELS["sps30"], dict(zip(names, range(1, 11), strict=True)))
    with on_a_line(sensor) as port:
        device = Sps30Device(ShdlcChannel(port))
        assert device.read_serial_number() == sensor.serial
        if form == "float":
            device.start_measurement(OutputFormat.OUTPUT_FORMAT_FLOAT)
            read = device.read_measurement_values_float()
            assert read == tuple(range(1, 11))
        else:
            device.start_measurement(OutputFormat.OUTPUT_FORMAT_UINT16)
            read = device.read_measurement_values_uint16()
            assert read == (*range(1, 10), 10_000)  # the size is in nm
        device.stop_measurement()


def test_sensirions_driver_reads_our_sfa30() -> None:
    air = {"formaldehyde": 21.4, "humidity": 45.67, "temperature": -3.215}
    sensor = SimulatedSensor(MODELS["sfa30"], air)
    with on_a_line(sensor) as port:
        device = Sfa3xShdlcDevice(ShdlcConnection(port), slave_address=0)
        with pytest.raises(ShdlcDeviceError, match="not allowed in the current device state"):
            device.read_measured_values()
        device.start_measurement()
        formaldehyde, humidity, temperature = device.read_measured_values()
        assert device.get_device_marking() == sensor.serial
    assert air == {
        "formaldehyde": formaldehyde.ppb,
        "humidity": humidity.percent_rh,
        "temperature": temperature.degrees_celsius,
    }


def test_sensirions_driver_reads_our_svm41() -> None:
    air = {"humidity": 45.67, "temperature": 23.115, "voc_index": 100.5, "nox_index": 1.0}
    with on_a_line(SimulatedSensor(MODELS["svm41"], air)) as port:
        device = Svm41ShdlcDevice(ShdlcConnection(port), slave_address=0)
        device.start_measurement()
        humidity, temperature, voc, nox = device.read_measured_values()
    assert air == {
        "humidity": humidity.percent_rh,
        "temperature": temperature.degrees_celsius,
        "voc_index": voc.voc_index,
        "nox_index": nox.nox_index,
    }


def test_sensirions_driver_reads_our_svm40() -> None:
    air = {"voc_index": 100.5, "humidity": 45.67, "temperature": 23.115}
    with on_a_line(SimulatedSensor(MODELS["svm40"], air)) as port:
        device = Svm40ShdlcDevice(ShdlcConnection(port), slave_address=0)
        device.start_measurement()
        voc, humidity, temperature = device.read_measured_values()
    assert air == {
        "voc_index": voc.voc_index,
        "humidity": humidity.percent_rh,
        "temperature": temperature.degrees_celsius,
    }
