"""The record by which a protocol enters the catalogue: what it is called, and what it is made of.

    PolledProtocol      its sensors are asked:          settings ──▶ Device
    PushingProtocol     its sensors send by themselves: frames ──▶ Listener
    ProtocolTemplate    each bus declares its own:      the bus's keys ──▶ one of these two

A sensor's own keys in site.toml become its settings, of a class of the protocol's own; who holds them without
knowing that class knows their address and their units (`Settings`). The settings go back to the protocol that
made them, and to no other.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from protocols.toolkit.errors import Problem
from protocols.toolkit.framing import Frame, Framer
from protocols.toolkit.meter_keys import MeterKey
from protocols.toolkit.overhearing import Overhearer
from protocols.toolkit.polling import Device, LineSettings
from protocols.toolkit.pushing import Listener

if TYPE_CHECKING:
    from protocols.toolkit.scanning import Scanning

Fields = dict[str, Any]
Describe = Callable[[Frame], Fields]


class Settings(typing.Protocol):
    """What every protocol's settings of a sensor tell."""

    @property
    def address(self) -> str:
        """Return the address, for people and to tell which sensors share a device.

        Of a sensor that pushes it is the id in its frames. "" if there is none: it is alone on its line.
        """
        ...

    @property
    def units(self) -> Mapping[str, str]:
        """Return the values that the sensor may give, each with its unit or ""."""
        ...


# Covariant although `device` and `conflicts` take settings: a bus keeps its protocol beside the settings that
# this protocol made, so a `PolledProtocol[ModbusSettings]` is safely held as a `PolledProtocol[Settings]`.
S_co = TypeVar("S_co", bound=Settings, covariant=True)


# A record holds functions, so it is equal to itself alone; each method that a dataclass generates is compiled
# anew whenever a service starts.


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Models:
    """The device models that the sensors of a protocol can name.

    Attributes:
        names: returns their names.
        describer: like that of the protocol, for the sensors of one model. Raises KeyError: no such model.
        extended: returns the protocol with a site's own models: what each of their files says, by the model's
            name. Raises SettingsError with every mistake, each path beginning with the name. None: a site
            cannot have models of its own.
        evidence: returns how good the numbers of a model are, in a few words; "" if that is not known.
    """

    names: Callable[[], Sequence[str]]
    describer: Callable[[str], Describe]
    extended: Callable[[Mapping[str, Mapping[str, Any]]], Protocol] | None = None
    evidence: Callable[[str], str] = lambda _: ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ProtocolRecord:
    """What the catalogue tells of every protocol.

    Attributes:
        name: its name in site.toml.
        title: what it is, in a few words.
        spec: the document it follows, with version.
        line: the line settings its specification fixes, or None where the sensor's manual decides.
        schema: JSON Schema of a sensor's own keys in site.toml: {"properties": …, "required": […]}.
        bus_schema: JSON Schema of the keys that a bus has for it, like `schema`.
        bytesizes: how many data bits its characters may have.
        models: the device models that its sensors can name; None if there are no models.
    """

    name: str
    title: str
    spec: str
    line: LineSettings | None
    schema: Mapping[str, Any]
    bus_schema: Mapping[str, Any] = field(default_factory=lambda: {"properties": {}, "required": []})
    bytesizes: frozenset[int] = frozenset({7, 8})
    models: Models | None = None

    @property
    def model_names(self) -> Sequence[str]:
        """Return the names of the device models that its sensors can name."""
        return self.models.names() if self.models else ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class _ProtocolBase(ProtocolRecord, Generic[S_co]):
    """What polled and pushing protocols have in common.

    Attributes:
        framer: makes a framer for both directions of the line, for `decode` and `sniff`.
        describer: makes a function that turns the frames of one stream, in order, into fields under the
            manual's names and decoded values. It may remember the request before a reply.
        settings: reads a sensor's own keys; raises SettingsError with every mistake.
        conflicts: what is wrong with sensors that are right each by itself and share a bus: from the settings
            of all of them, a path and a message for each mistake, the path beginning with the place of the
            sensor to change, from 0.
        odd: what is probably not meant, though allowed, in a sensor's own keys that have no mistake.
        longest: octets of the longest frame; a framer keeps no more.
        with_keys: the same protocol, with the keys that decrypt what the sensors of a bus send, by their
            addresses. None: nothing is decrypted.
        scanning: returns how a line is searched for its sensors; called by who searches, so that a service
            pays nothing for it. None: `scan` does not look for them.
    """

    framer: Callable[[], Framer]
    describer: Callable[[], Describe]
    settings: Callable[[Mapping[str, object]], S_co]
    conflicts: Callable[[Sequence[S_co]], Sequence[Problem]] = lambda _: ()
    odd: Callable[[Mapping[str, object]], Sequence[Problem]] = lambda _: ()
    longest: int = 1024
    with_keys: Callable[[Mapping[str, MeterKey]], Protocol] | None = None
    scanning: Callable[[], Scanning] | None = None

    def describer_for(self, model: str | None) -> Describe:
        """Return a new describer of one stream, for sensors of this model; None: of whatever model.

        Raises:
            KeyError: there is no such model.
        """
        if model is None:
            return self.describer()
        if self.models is None:
            raise KeyError(model)
        return self.models.describer(model)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PolledProtocol(_ProtocolBase[S_co]):
    """A protocol whose sensors are asked.

    Attributes:
        device: makes the device that serves the sensors with these settings, which have one address. The line
            settings tell what a request costs.
        reply_timeout_s: from the end of a request to the first octet of its reply, where a site says nothing.
        overhearer: makes the overhearer of a line on which a foreign master asks the sensors with these
            settings. None: such a line cannot be listened to. Raises SettingsError for sensors that must be
            asked.
        candidates: the sensors, as site.toml has them, that may have been asked and answered in frames with
            these fields, for who learns a line by listening; one too many does no harm. None: not told.
        raw_of: the raw contents behind the values of a poll, by their keys, for a person who compares them
            with a manual: from the settings of a sensor, and the requests with their replies, whole.
    """

    device: Callable[[Sequence[S_co], LineSettings], Device]
    reply_timeout_s: float = 0.5
    overhearer: Callable[[Sequence[S_co]], Overhearer] | None = None
    candidates: Callable[[Sequence[Fields]], Sequence[Mapping[str, Any]]] | None = None
    raw_of: Callable[[S_co, Sequence[tuple[bytes, bytes]]], Mapping[str, str]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PushingProtocol(_ProtocolBase[S_co]):
    """A protocol whose sensors send by themselves. Their settings are `PushingSettings`.

    Attributes:
        listener: makes the listener of a line.
    """

    listener: Callable[[], Listener]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ProtocolTemplate(ProtocolRecord):
    """A protocol that each bus declares for itself: until then nothing is known of it but its keys.

    Attributes:
        declared_by: returns the protocol that these keys of a bus make. Raises SettingsError with every
            mistake.
    """

    declared_by: Callable[[Mapping[str, object]], Protocol]


Protocol: TypeAlias = PolledProtocol[Settings] | PushingProtocol[Settings]
CatalogueEntry: TypeAlias = Protocol | ProtocolTemplate
