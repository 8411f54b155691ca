"""Random devices on RS-485 and UARTs that are asked: Modbus units of the shipped models, SHDLC, VE.Direct."""

from __future__ import annotations

from bridge.simulator.field.sensors import LiveUnit
from bridge.simulator.field.waveform import words
from bridge.simulator.field.wire import Unit
from bridge.simulator.training.description import Clock, RandomDevice
from protocols.modbus import models
from protocols.modbus.ascii import ASCII
from protocols.modbus.carrier import Carrier
from protocols.modbus.models.fingerprint import Trait
from protocols.modbus.registers import Table
from protocols.modbus.serial_line import RTU
from protocols.shdlc.models import MODELS
from protocols.shdlc.simulation import SimulatedSensor
from protocols.vedirect.simulation import SimulatedDevice


def modbus_rtu(device: RandomDevice, clock: Clock) -> Unit:
    """Return a unit with the registers of its model."""
    return _unit(device, RTU, clock)


def modbus_ascii(device: RandomDevice, clock: Clock) -> Unit:
    """Return a unit that speaks Modbus ASCII, with the registers of its model."""
    return _unit(device, ASCII, clock)


def shdlc(device: RandomDevice, _: Clock) -> Unit:
    """Return a sensor that has begun to measure, or sleeps."""
    chance, model = device.chance, MODELS[device.model]
    values = {quantity.name: round(chance.uniform(1, 60), 1) for quantity in model.quantities}
    return SimulatedSensor(model, values, int(device.address), chance.randbytes(8).hex().upper())


def vedirect(device: RandomDevice, _: Clock) -> Unit:
    """Return a battery monitor or a charger."""
    chance = device.chance
    product_id = chance.choice((0x0203, 0x0204, 0xA042, 0xA053, 0xA060))
    registers = {
        0xED8D: chance.randrange(1180, 1440).to_bytes(2, "little"),  # voltage, 10 mV
        0x0FFF: chance.randrange(2000, 10000).to_bytes(2, "little"),  # state of charge, 0.01 %
    }
    return SimulatedDevice(registers, product_id=product_id.to_bytes(2, "little"))


def _unit(device: RandomDevice, carrier: Carrier, clock: Clock) -> LiveUnit:
    model = models.load(device.model)
    unit = LiveUnit(int(device.address), model.registers, device.seed, carrier, clock)
    unit.max_registers = model.limits.max_registers
    unit.objects = model.fingerprint.example
    for trait in model.fingerprint.traits:
        _put(unit, trait)
    return unit


def _put(unit: LiveUnit, trait: Trait) -> None:
    """Give a unit a register by which its model is known."""
    register = trait.register
    value = trait.example or (trait.constants[0] if trait.constants else sum(trait.within or (0, 0)) / 2)
    octets = words(register, value)
    table = unit.holding if register.table is Table.HOLDING else unit.input
    table |= {
        register.start + at: int.from_bytes(octets[2 * at : 2 * at + 2], "big")
        for at in range(register.words)
    }
