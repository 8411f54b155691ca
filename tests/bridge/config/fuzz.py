"""Site and credentials files with mistakes that nobody thought of: each ends in sentences, in bounded time.

    python -m tests.bridge.config.fuzz [--files 20000] [--seed 1]

The files of README and of the tests are changed at random: by characters, lines, keys and values. A file is
then right, or every mistake is one printable line that begins with the file. Anything else is shown with its
seed, with which it can be made again.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from bridge.config import load
from bridge.errors import ConfigError
from tests.support.pages import BLOCKS

SITES = Path(__file__).parent / "sites"
CREDENTIALS = """[sensors]
main-meter = "A1_TEST_TOKEN"
soil = "A2_TEST_TOKEN"
[provisioning]
device_key = "k"
device_secret = "s"
[pending]
roof = "P"
"""
LONGEST_S = 3.0
VALUES = (
    "", "0", "-1", "1e999", "nan", "inf", "-0.0", "9" * 30, "9" * 5000, "0x7fffffffffffffffff", "0b2", "true",
    "False", "yes", '""', '" "', '"\\u0000"', '"\\ud800"', '"\\U0001F600"', "''", '"""\n\n"""', "'''\n'''",
    '"' + "x" * 400 + '"', "[]", "[[]]", "[1, 'a']", "{}", "{ a = 1 }", "{ a.b.c = {} }", "[{}, {}]",
    "1979-05-27T07:32:00Z", "07:32:00", '"../../etc/passwd"', '"/etc/x.db"', '"/dev/null"', '"/proc/self/x"',
    '"serial:A:1"', '"path:"', '"10s"', '"1e3s"', '"0s"', '"-5s"', '"1GB"', '"coap://"', '"coaps://[::1"',
    '"coap://a b"', '"9600 8N1"', '"9600"', '"modbus-rtu"', '"dsmr"', '"uint64"', '"string:9999999999"',
    "a.b.c", "[" * 20, "{a=" * 20, "“x”", "1,5", "007", "# nothing", "\x00", "\u202e", "\x1b[2J", "\r", "\\",
)  # fmt: skip
KEYS = (
    "site", "bus", "sensor", "name", "address", "every", "registers", "model", "adapter", "protocol", "line",
    "spool", "path", "limit", "clock", "trust", "thingsboard", "url", "ca", "holding", "type", "order",
    "enum", "invalid", "unit", "divide", "rs485", "frame", "only", "id", "a.b", '"x y"', '""', "''", "é", "-",
)  # fmt: skip


def sources() -> list[str]:
    """Return the files that are changed."""
    blocks: list[str] = BLOCKS
    return [*blocks, *(path.read_text("utf-8") for path in sorted(SITES.glob("*.toml")))]


def changed(text: str, chance: random.Random) -> str:
    """Return the text with one to eight changes."""
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        text = chance.choice(_CHANGES)(text, chance)
    return text


def _character(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text) + 1)
    new = chance.choice(("", "", chance.choice("\"'[]{}=.,#\n\t \\\0\x1b\x7f\x85\u2028\ufeff\ud800é:")))
    return text[:at] + new + text[at + chance.randrange(2) :]


def _line(text: str, chance: random.Random) -> str:
    lines = text.split("\n")
    at, to = chance.randrange(len(lines)), chance.randrange(len(lines))
    match chance.randrange(4):
        case 0:
            del lines[at]
        case 1:
            lines.insert(to, lines[at])
        case 2:
            lines[at], lines[to] = lines[to], lines[at]
        case _:
            lines[min(at, to) : max(at, to)] = []
    return "\n".join(lines)


def _value(text: str, chance: random.Random) -> str:
    return _replaced(r"(?m)(?<==)[^#\n]*", text, chance, " " + chance.choice(VALUES))


def _key(text: str, chance: random.Random) -> str:
    return _replaced(
        r"(?m)^\s*[\w.\"-]+(?=\s*=)|(?<=[\[.])[\w-]+(?=[\].])", text, chance, chance.choice(KEYS)
    )


def _added(text: str, chance: random.Random) -> str:
    lines = text.split("\n")
    lines.insert(chance.randrange(len(lines) + 1), f"{chance.choice(KEYS)} = {chance.choice(VALUES)}")
    return "\n".join(lines)


def _replaced(pattern: str, text: str, chance: random.Random, new: str) -> str:
    places = list(re.finditer(pattern, text))
    if not places:
        return text
    place = chance.choice(places)
    return text[: place.start()] + new + text[place.end() :]


_CHANGES: tuple[Callable[[str, random.Random], str], ...] = (_character, _line, _value, _value, _key, _added)


def judged(folder: Path, site: str, credentials: str) -> str:
    """What became of the two files: "right" or "refused"; else AssertionError, or whatever was raised."""
    paths = folder / "site.toml", folder / "credentials.toml"
    for path, text in zip(paths, (site, credentials), strict=True):
        path.write_bytes(text.encode(errors="surrogatepass"))
        path.chmod(0o600)
    began = time.monotonic()
    try:
        load(*paths)
    except ConfigError as error:
        mistakes = error.mistakes
    else:
        mistakes = ()
    assert time.monotonic() - began < LONGEST_S, "it took too long"
    for mistake in mistakes:
        assert mistake.startswith(str(folder)), mistake
        assert mistake.isprintable(), ascii(mistake)
    return "refused" if mistakes else "right"


def fuzz(folder: Path, files: int, seed: int) -> Counter[str]:
    """Judge that many files made from this seed and those after it; how many were right and refused.

    Raises:
        AssertionError: one ended otherwise; the message holds its seed and its text.
    """
    texts, outcomes = sources(), Counter[str]()
    for number in range(seed, seed + files):
        chance = random.Random(number)
        site = texts[0] if chance.random() < 0.5 else chance.choice(texts)  # README's whole site comes first
        credentials = CREDENTIALS
        if chance.random() < 0.8:
            site = changed(site, chance)
        else:
            credentials = changed(credentials, chance)
        try:
            outcomes[judged(folder, site, credentials)] += 1
        except Exception as error:
            raise AssertionError(f"seed {number}: {error!r}\n{site}\n---\n{credentials}") from error
    return outcomes


def main() -> None:
    """Say how many files were judged, and how."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    told = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        outcomes = fuzz(Path(folder), told.files, told.seed)
    counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    print(f"{outcomes.total()} files in {time.monotonic() - began:.0f} s: {counts}, no traceback")


if __name__ == "__main__":
    sys.exit(main())
