"""`provision`: obtain an access token for each sensor of the site, and its gateway, that has none.

ThingsBoard's device provisioning is not repeatable: once a device is created, a second request is a FAILURE,
and a token made up by the server cannot be obtained again. So the gateway makes up the token, **writes it to
credentials.toml as pending before it is sent**, and requests a device with that token. Then a lost answer, a
power cut or Ctrl-C costs nothing: the next request is a FAILURE, and if the pending token opens the device
all the same, an earlier request of ours created it.

    SUCCESS    the token in the answer is the device's: ours, or that of a device made beforehand
    FAILURE    if our token works, a request whose answer was lost created the device; else the name is taken
    NOT_FOUND  the device key or secret is wrong, or the profile does not provision: nobody else is asked for
"""

from __future__ import annotations

import asyncio
import secrets
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bridge import coap
from bridge.commands.provision.credentials_edit import alone, store
from bridge.commands.provision.device_api import (
    NAME_TAKEN,
    PATH,
    granted_token,
    read_answer,
    refusal,
    request,
)
from bridge.config import Credentials, Provisioning, Site, load_credentials
from bridge.errors import BridgeError, ConfigError, UplinkError
from bridge.response_code import CONTENT, NOT_FOUND, UNAUTHORIZED
from bridge.uplink import connect

DEADLINE_S = 10.0  # then the request is repeated: with the same token it is the same request
TRIES = 3
WORKERS = 4

_ALPHABET = string.ascii_letters + string.digits
_TOKEN_LENGTH = 20  # as ThingsBoard's own: 119 bits, and its page takes at most 32 characters

CREATED = "created"
FOUND = "found"
COMPLETED = "completed"
FAILED = "failed"
WOULD_ASK = "would be asked for"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result for one sensor.

    Attributes:
        device: its name in ThingsBoard.
        result: one of the words above.
        reason: why it failed and what to do; empty otherwise.
    """

    sensor: str
    device: str
    result: str
    reason: str = ""

    def __str__(self) -> str:
        device = f' as "{self.device}"' if self.device != self.sensor else ""
        return f"{self.sensor}: {self.result}{device}" + (f": {self.reason}" if self.reason else "")


class ProvisioningRefused(BridgeError):
    """The server provisions nobody with these settings: asking for further devices is useless."""


class Client(Protocol):
    """The part of `bridge.coap.Client` that provisioning uses."""

    async def post(self, path: Sequence[str], payload: bytes, *, deadline_s: float) -> coap.Response:
        """Post JSON and return the server's answer."""

    async def get(self, path: Sequence[str], *, deadline_s: float) -> coap.Response:
        """Request a resource and return the server's answer."""

    def budget(self, path: Sequence[str]) -> int:
        """Return the bytes of payload that one message to `path` carries."""


def planned(site: Site, path: Path, prefix: str = "") -> list[Outcome]:
    """Return the devices that `provision` would ask for. Errors as for `load_credentials`."""
    credentials = load_credentials(path, site)
    missing = _missing(site, credentials)
    if missing:
        _provisioning(path, credentials)
    return [Outcome(name, prefix + name, WOULD_ASK) for name in missing]


async def provision(
    site: Site,
    path: Path,
    prefix: str = "",
    *,
    begin: Callable[[int], None],
    report: Callable[[Outcome], None],
) -> list[Outcome]:
    """Obtain a token for each device without a credential, and write it to credentials.toml.

    Args:
        path: credentials.toml.
        prefix: the beginning of each device's name, before the name of its sensor.
        begin: called once with the number of devices that have no credential.
        report: called with each sensor's outcome, as soon as it is known.

    Raises:
        ConfigError: the file has a mistake, cannot be replaced, or has no [provisioning].
        AlreadyRunning: another process provisions from this file.
        ProvisioningRefused, UplinkError: the rest was given up; the tokens obtained so far are written.
    """
    with alone(path):
        credentials = load_credentials(path, site)
        missing = _missing(site, credentials)
        begin(len(missing))
        if not missing:
            return []
        settings = _provisioning(path, credentials)
        earlier_tokens = credentials.pending.items()
        pending = {name: token.value for name, token in earlier_tokens if name not in credentials.sensors}
        pending |= {name: _new_token() for name in missing if name not in pending}
        store(path, {}, pending)
        async with _client(site) as client:
            job = _Job(path, settings, prefix, pending, client, report)
            try:
                return await job.run(missing)
            finally:
                job.store()


def _client(site: Site) -> coap.Client:
    client, _ = connect(site.thingsboard, lanes=WORKERS)
    return client


def _missing(site: Site, credentials: Credentials) -> list[str]:
    return [name for name in site.devices if name not in credentials.sensors]


def _provisioning(path: Path, credentials: Credentials) -> Provisioning:
    if credentials.provisioning is None:
        raise ConfigError(
            [
                f"{path}: there is no [provisioning]: add it with device_key and device_secret, "
                "from the device profile's page in ThingsBoard, Device provisioning"
            ]
        )
    return credentials.provisioning


def _new_token() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_TOKEN_LENGTH))


class _Job:
    """One run of provisioning: the tokens requested, and those confirmed."""

    def __init__(
        self,
        path: Path,
        settings: Provisioning,
        prefix: str,
        pending: dict[str, str],
        client: Client,
        report: Callable[[Outcome], None],
    ) -> None:
        self._path = path
        self._settings = settings
        self._prefix = prefix
        self._pending = pending
        self._client = client
        self._report = report
        self._tokens: dict[str, str] = {}
        self._outcomes: list[Outcome] = []
        self._given_up: BridgeError | None = None

    async def run(self, sensors: Sequence[str]) -> list[Outcome]:
        """Ask for every sensor and return the outcomes.

        The first is asked for alone: if the server is not there or the keys are wrong, no other follows.

        Raises:
            ProvisioningRefused, UplinkError: the rest was given up.
        """
        waiting = iter(sensors)
        await self._work(iter([next(waiting)]))
        await asyncio.gather(*(self._work(waiting) for _ in range(WORKERS)))
        if self._given_up is not None:
            raise self._given_up
        return self._outcomes

    def store(self) -> None:
        """Write the confirmed tokens; the others stay pending."""
        store(self._path, self._tokens, self._pending)

    async def _work(self, waiting: Iterator[str]) -> None:
        while self._given_up is None and (sensor := next(waiting, None)) is not None:
            try:
                outcome = await self._obtain(sensor)
            except (ProvisioningRefused, UplinkError) as error:
                self._given_up = error
                return
            self._outcomes.append(outcome)
            self._report(outcome)

    async def _obtain(self, sensor: str) -> Outcome:
        for _ in range(TRIES - 1):
            try:
                return await self._ask(sensor)
            except UplinkError:
                continue
        return await self._ask(sensor)

    async def _ask(self, sensor: str) -> Outcome:
        device, token = self._prefix + sensor, self._pending[sensor]
        body = request(device, token, self._settings)
        if len(body) > self._client.budget(PATH):
            return Outcome(sensor, device, FAILED, "its name is too long for one message: shorten it")
        response = await self._client.post(PATH, body, deadline_s=DEADLINE_S)
        answer = read_answer(response)
        if answer.get("status") == "SUCCESS":
            return self._granted(sensor, device, answer)
        if answer.get("status") == "FAILURE":
            if await self._opens(token):
                self._keep(sensor, token)
                return Outcome(sensor, device, COMPLETED)
            return Outcome(sensor, device, FAILED, NAME_TAKEN)
        raise ProvisioningRefused(refusal(response, answer))

    def _granted(self, sensor: str, device: str, answer: Mapping[str, object]) -> Outcome:
        try:
            token = granted_token(answer)
        except ValueError as error:
            return Outcome(sensor, device, FAILED, str(error))
        is_ours = token == self._pending[sensor]
        self._keep(sensor, token)
        if not is_ours:
            self.store()  # the token is known from this answer alone
        return Outcome(sensor, device, CREATED if is_ours else FOUND)

    def _keep(self, sensor: str, token: str) -> None:
        self._tokens[sensor] = token
        del self._pending[sensor]

    async def _opens(self, token: str) -> bool:
        """Return whether the server knows the token: it answers the device's attributes, or that it has none.

        Raises:
            UplinkError: the answer shows neither.
        """
        response = await self._client.get(("api", "v1", token, "attributes"), deadline_s=DEADLINE_S)
        if response.code in (CONTENT, NOT_FOUND):
            return True
        if response.code == UNAUTHORIZED:
            return False
        raise UplinkError(f"the server answers {response.code} where a token is tried: run this again later")
