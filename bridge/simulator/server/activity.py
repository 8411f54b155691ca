"""ThingsBoard's device states and the alarms that follow from them, for a stand-in on any clock. Pure.

Follows ThingsBoard 4.3, DefaultDeviceStateService:

    active      from any post, attributes included, by the time of its arrival
    inactive    once no post has come for the device's `inactivityTimeout`; looked at every minute

and the alarms as the bridge's pack lays them on top:

    gateway     silent while its device is inactive
    sensor      silent while its device is inactive, and the gateway's is active, for the sensor's `grace_s`
                without a break: so neither a dead gateway nor its return makes an alarm of a sensor
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

STATE_CHECK_S = 60.0
DEFAULT_INACTIVITY_S = 600.0


@dataclass(slots=True)
class Alarm:
    """One alarm of a device; times in seconds of the caller's clock.

    Attributes:
        token: of the device.
        raised_at: when it was created.
        cleared_at: when its condition ended; None while it lasts.
    """

    token: str
    raised_at: float
    cleared_at: float | None = None


@dataclass(slots=True)
class WatchedDevice:
    """A device whose activity is watched.

    Attributes:
        token: its access token.
        inactivity_s: without a post for so long, it is inactive.
        grace_s: how long it must have been inactive, beside an active gateway, to be an alarm.
        gateway: the token of its gateway's device; None if it is a gateway, or has none.
    """

    token: str
    inactivity_s: float = DEFAULT_INACTIVITY_S
    grace_s: float = 0.0
    gateway: str | None = None
    is_active: bool = False
    last_post_at: float | None = None
    silent_since: float | None = None
    alarm: Alarm | None = field(default=None)


class Activity:
    """The states of devices, and their alarms.

    Args:
        devices: the ones to watch; each begins inactive, and is an alarm only after its first post.

    Attributes:
        alarms: every alarm so far, in order.
    """

    def __init__(self, devices: Iterable[WatchedDevice]) -> None:
        self.alarms: list[Alarm] = []
        self._devices = {device.token: device for device in devices}

    def record(self, token: str, at: float) -> None:
        """Record an accepted post of a device, whatever it carries."""
        device = self._devices.get(token)
        if device is not None:
            device.last_post_at = at
            device.is_active = True
            self._judge(at)

    def advance(self, now: float) -> None:
        """Look at every device, as ThingsBoard does every `STATE_CHECK_S`."""
        for device in self._devices.values():
            last_post_at = device.last_post_at
            if last_post_at is not None and now - last_post_at >= device.inactivity_s:
                device.is_active = False
        self._judge(now)

    def alarms_of(self, token: str) -> list[Alarm]:
        """Return the alarms of one device, in order."""
        return [alarm for alarm in self.alarms if alarm.token == token]

    def _judge(self, now: float) -> None:
        """Raise and clear alarms by the states as they are now."""
        for device in self._devices.values():
            gateway = self._devices.get(device.gateway) if device.gateway is not None else None
            is_suppressed = gateway is not None and not gateway.is_active
            if device.is_active or device.last_post_at is None:
                device.silent_since = None
                if device.alarm is not None:
                    device.alarm.cleared_at, device.alarm = now, None
            elif is_suppressed:
                device.silent_since = None
            elif device.silent_since is None:
                device.silent_since = now
            if (
                device.silent_since is not None
                and device.alarm is None
                and now - device.silent_since >= device.grace_s
            ):
                device.alarm = Alarm(device.token, now)
                self.alarms.append(device.alarm)
