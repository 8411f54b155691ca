"""The page under systemd: no process while nobody looks, one while somebody does, within its hardening."""

from __future__ import annotations

import pytest

from tests.vm.conftest import Note
from tests.vm.gateway import CONFIG, WHOSE, Gateway

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

WEB = "serial-bridge-web.service"
PYTHON = "/opt/serial-bridge/bin/python"
LOOK = f"""{PYTHON} - <<'END'
import http.client, subprocess, time
def ask(path, method="GET", body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", 8470, timeout=60)
    connection.request(method, path, body, {{"Host": "localhost:8470", **headers}})
    response = connection.getresponse()
    return response.status, response.getheader("set-cookie", ""), response.read().decode()
begun = time.monotonic()
ask("/pair")
print("cold", round(time.monotonic() - begun, 2))
said = subprocess.run(["serial-bridge", "web", "pair"], capture_output=True, text=True, check=True).stdout
code = said.partition("code ")[2].partition(",")[0].replace(" ", "")
own = {{"Origin": "http://localhost:8470", "Content-Type": "application/x-www-form-urlencoded"}}
status, cookie, _ = ask("/pair", "POST", "code=" + code, **own)
assert status == 303, status
cookie = cookie.partition(";")[0]
sensor = "/sensor?name=meters-sensor"
for path in ("/", sensor, "/bus?name=meters", "/uplink", "/scan", "/config", "/doctor", "/report"):
    begun = time.monotonic()
    status, _, text = ask(path, Cookie=cookie)
    assert status == 200, (path, status, text)
    print(path, round(time.monotonic() - begun, 2))
form = ask(sensor, Cookie=cookie)[2]
token = form.partition('name="token" value="')[2].partition('"')[0]
status, _, text = ask("/try", "POST", "name=meters-sensor&token=" + token, Cookie=cookie, **own)
assert "It answers." in text, text
END"""


async def test_the_page_is_there_when_somebody_comes_and_takes_nothing_before(
    gateway: Gateway, note: Note
) -> None:
    machine = gateway.machine
    text = await machine.run(f"cat {CONFIG}/site.toml")
    await machine.write(f"{CONFIG}/site.toml", text.replace("[bus.", '[web]\nlisten = "local"\n[bus.', 1))
    await machine.run("serial-bridge install")
    await gateway.plug(*WHOSE)
    await gateway.next_reading(*WHOSE)
    assert not await machine.holds(f"systemctl is-active -q {WEB}")
    assert await machine.holds("systemctl is-active -q serial-bridge-web.socket")
    figures = await machine.run(LOOK)
    pid = (await machine.run(f"systemctl show -P MainPID {WEB}")).strip()
    memory = await machine.run(f"grep VmRSS /proc/{pid}/status")
    note(f"page, in the virtual machine: {', '.join(figures.split(chr(10)))}; {memory.strip()}")
    assert "web try" in await machine.run("serial-bridge audit")
    await machine.run(f'sed -i \'s/listen = "local"/listen = "off"/\' {CONFIG}/site.toml')
    await machine.run("serial-bridge install")
    assert not await machine.holds("systemctl is-active -q serial-bridge-web.socket")
    assert not await machine.holds(f"systemctl is-active -q {WEB}")
