"""What is claimed of a device of each model that ships: that model, or none, and never another."""

from __future__ import annotations

from functools import cache

import pytest

from bridge.simulator.training import units
from bridge.simulator.training.description import RandomDevice
from protocols.modbus import models
from protocols.modbus.candidates import Candidates
from protocols.modbus.models import SHIPPED, Model
from protocols.modbus.scanning import identify_each
from protocols.modbus.serial_line import RTU
from protocols.toolkit.framing import Direction, Frame
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.scanning import Find, Heard, Scope

LINE = LineSettings(9600)
NAMES = models.names()
KNOWN = [name for name in NAMES if models.load(name).fingerprint]
CLAIMABLE = [name for name in KNOWN if models.load(name).fingerprint.strength]


@cache
def candidates() -> Candidates:
    return Candidates.of(SHIPPED)


@cache
def found(name: str) -> Find:
    """Return what an identification says of a simulated device of a model."""
    device = RandomDevice("modbus-rtu", "1", LINE, f"claims/{name}", model=name)
    unit = units.modbus_rtu(device, lambda: 0.0)
    search = identify_each("modbus-rtu", RTU, candidates(), Scope(LINE, ("1",)))
    step = next(search)
    while not isinstance(step, Find):
        reply = unit.answer(Frame(step.request.data, Direction.REQUEST))
        assert isinstance(reply, bytes)
        step = search.send(Heard(Frame(reply, Direction.REPLY), octets=reply, turn_around_s=0.01))
    return step


@pytest.mark.parametrize("name", CLAIMABLE)
def test_a_device_with_the_fingerprint_of_a_model_is_claimed_for_it(name: str) -> None:
    assert found(name).model == name, found(name)


@pytest.mark.parametrize("name", NAMES)
def test_no_device_is_claimed_for_another_model(name: str) -> None:
    assert found(name).model in (None, name)


@pytest.mark.parametrize("name", KNOWN)
def test_a_fingerprint_has_a_source_and_an_example_of_each_pattern(name: str) -> None:
    model: Model = models.load(name)
    fingerprint = model.fingerprint
    assert model.sources
    if fingerprint.identity is not None:
        assert fingerprint.identity.search(" ".join(fingerprint.example))
    for trait in fingerprint.traits:
        assert trait.pattern is None or trait.holds(trait.example)


def test_models_of_every_kind_are_claimed() -> None:
    kinds = {models.load(name).kind for name in CLAIMABLE}
    assert len(CLAIMABLE) >= 27
    assert len(kinds) >= 5, kinds
