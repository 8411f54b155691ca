"""When a device of a site counts as dead in ThingsBoard: the pack's alarm rules, and what they take.

ThingsBoard looks at its devices once a minute and calls one inactive that has posted nothing for its
`inactivityTimeout`. An alarm of a sensor needs more: that it stays inactive for a grace time while its
gateway is active. The grace is longer than one interval of the sensor, so that each living sensor has been
read again after a gateway was away; and the gateway is found inactive before any of its sensors is an alarm.

    one poll missed     no alarm: the next one comes before the sensor is inactive
    two polls missed    no alarm: the next one comes before the grace is over
    dead                an alarm after about three intervals, or six minutes if that is longer
"""

from __future__ import annotations

from typing import Final

from bridge.config import Sensor

STATE_CHECK_S: Final = 60.0  # ThingsBoard: how often it looks
GATEWAY_INACTIVITY_S: Final = 300.0  # five reports
_LEAST_INACTIVITY_S: Final = 300.0
_MARGIN_S: Final = 60.0


def interval_s(sensor: Sensor) -> float | None:
    """Return the longest time between two posts of a living sensor; None if there is no such time.

    A sensor that is published on change, without `at_least`, may rightly post nothing for days.
    """
    if sensor.publish == "change":
        return sensor.at_least_s
    return sensor.every_s


def inactivity_s(interval_s: float) -> float:
    """Return the `inactivityTimeout` of a sensor that posts every `interval_s`, in seconds."""
    return max(_LEAST_INACTIVITY_S, 2 * interval_s + _MARGIN_S)


def grace_s(interval_s: float) -> float:
    """Return how long a sensor must have been inactive beside its active gateway, in seconds."""
    return interval_s + 2 * _MARGIN_S


def alarm_s(interval_s: float) -> float:
    """Return the time from a sensor's last post to its alarm, at most, in seconds."""
    return inactivity_s(interval_s) + STATE_CHECK_S + grace_s(interval_s) + STATE_CHECK_S
