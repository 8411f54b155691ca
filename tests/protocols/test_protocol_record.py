"""What the catalogue's records promise to who holds a protocol without knowing which."""

from __future__ import annotations

from dataclasses import fields

import pytest

from protocols import CATALOGUE, load
from protocols.toolkit.protocol import PolledProtocol, Protocol, ProtocolTemplate, PushingProtocol
from protocols.toolkit.pushing import PushingSettings
from tests.protocols.vectors import SPOKEN

every_protocol = pytest.mark.parametrize("entry", [pytest.param(load(name), id=name) for name in SPOKEN])


@every_protocol
def test_a_protocol_is_polled_or_pushes(entry: Protocol) -> None:
    assert isinstance(entry, PolledProtocol) != isinstance(entry, PushingProtocol)
    assert hasattr(entry, "device") != hasattr(entry, "listener")


@every_protocol
def test_a_model_that_a_protocol_does_not_have_is_a_key_error(entry: Protocol) -> None:
    with pytest.raises(KeyError):
        entry.describer_for("no such model")
    for model in entry.model_names:
        assert callable(entry.describer_for(model))


@pytest.mark.parametrize("name", [name for name in SPOKEN if isinstance(load(name), PushingProtocol)])
def test_the_settings_of_a_sensor_that_pushes_choose_among_its_values(name: str) -> None:
    entry = load(name)
    assert isinstance(entry, PushingProtocol)
    given_id = entry.schema["properties"].get("id", {}).get("examples", [])[:1]
    settings = entry.settings({"id": given_id[0]} if given_id else {})
    assert isinstance(settings, PushingSettings)
    assert settings.address == settings.id
    assert settings.units


def test_a_template_has_only_what_is_known_without_a_declaration() -> None:
    templates = [name for name in CATALOGUE if isinstance(load(name), ProtocolTemplate)]
    assert templates == ["declared"]
    names = {field.name for field in fields(ProtocolTemplate)}
    assert "declared_by" in names
    assert not names & {"framer", "describer", "settings", "device", "listener"}
