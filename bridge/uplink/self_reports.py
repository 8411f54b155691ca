"""Which reports of the gateway on itself a site asks for, put together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial

from bridge.clock.kernel_clock import system_clock
from bridge.config import Certificate, Credentials, Site
from bridge.status.runtime import GATEWAY, Runtime
from bridge.uplink.beside_readings import BesideReadings, Readings, device_of
from bridge.uplink.clients import UplinkClient

Job = Callable[[], Awaitable[None]]


def self_reports(
    site: Site,
    credentials: Credentials,
    readings: Readings,
    *,
    runtime: Runtime,
    client: UplinkClient,
    own_clients: Mapping[Certificate, UplinkClient],
) -> Iterator[tuple[str, Job]]:
    """Yield the jobs that report on the gateway and its sensors, each after its name for the log.

    Args:
        site: the configuration.
        credentials: of its devices.
        readings: tells when readings leave room.
        runtime: where the processes publish their documents.
        client: the client for tokens.
        own_clients: the client of each certificate.
    """
    server = site.thingsboard
    posts = BesideReadings(readings)
    reach = partial(device_of, credentials=credentials, client=client, own_clients=own_clients)
    if server.diagnostics or server.gateway is not None:
        from bridge.uplink.line_states import LineStates  # here and below: many a site asks for no report

        bus_of = {sensor.name: bus.name for bus in site.buses.values() for sensor in bus.sensors}
        devices = {name: device for name in bus_of if (device := reach(name)) is not None}
        yield "the delivery of line states", LineStates(runtime, bus_of, devices, posts).run
    if server.gateway is not None:
        from bridge.uplink.gateway_device import GatewayDevice, read_spool

        gateway = GatewayDevice(
            site,
            reach(server.gateway),
            posts,
            runtime=runtime,
            clock=system_clock(site.clock.trust, runtime),
            publish=partial(runtime.publish, GATEWAY),
            read_spool=partial(read_spool, site.spool.path, site.spool.limit),
        )
        yield "the report of the gateway's own device", gateway.run
