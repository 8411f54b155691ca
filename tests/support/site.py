"""The head of a site.toml for a test: its server and one bus; the sensors follow behind it."""

from __future__ import annotations

import json


def site_head(
    bus: str = "meters",
    protocol: str = "modbus-rtu",
    line: str = "9600 8N1",
    *,
    site: str = "test",
    url: str = "coap://127.0.0.1",
    adapter: str = "/dev/ttyTEST",
    spool: str | None = None,
    **keys: str | int,
) -> str:
    """Return the text up to the first sensor; `keys` are further ones of the bus."""
    table = {"adapter": adapter, "protocol": protocol, "line": line, **keys}
    place = [] if spool is None else ["[spool]", f'path = "{spool}"']
    lines = [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    server = ["[thingsboard]", f'url = "{url}"']
    return "\n".join([f'site = "{site}"', *server, *place, f"[bus.{bus}]", *lines, ""])
