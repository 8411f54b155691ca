"""What the line has learned of a sensor, in sentences: for `status`, `check --plan` and whoever asks. Pure.

Whatever is learned is unlearned by itself, or by `serial-bridge status --forget SENSOR`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bridge.line.reply_timeout import ReplyTimeout


def lessons(
    reply_timeout: ReplyTimeout,
    reply_timeout_s: float,
    left_out: Mapping[str, str],
    of_device: Sequence[str],
    *,
    is_retried: bool,
) -> Iterator[str]:
    """Yield a sentence for each lesson, without the name of the sensor.

    Args:
        reply_timeout: what was learned of its turn-around.
        reply_timeout_s: as configured.
        left_out: the keys that are not asked for at present, each with the reason.
        of_device: what its protocol learned, in sentences.
        is_retried: whether a request that it leaves unanswered is sent again.
    """
    wait_s, slowest_s = reply_timeout.wait_s(reply_timeout_s), reply_timeout.times.slowest_s
    if wait_s > reply_timeout_s:
        yield (
            f"answers slowly, after {slowest_s:.1f} s at the slowest: waited for up to {wait_s:.1f} s, "
            f"where reply_timeout says {reply_timeout_s:g} s"
        )
    elif wait_s < reply_timeout_s:
        yield (
            f"answers within {1000 * slowest_s:.0f} ms: waited for {1000 * wait_s:.0f} ms, "
            f"where reply_timeout says {reply_timeout_s:g} s"
        )
    if not is_retried:
        yield "left its last request unanswered: asked once a poll until it answers"
    keys_of: dict[str, list[str]] = {}
    for key, reason in left_out.items():
        keys_of.setdefault(reason, []).append(key)
    for reason, keys in keys_of.items():
        yield f"not asked for {', '.join(keys)} ({reason}), but again at growing distances, up to an hour"
    yield from of_device
