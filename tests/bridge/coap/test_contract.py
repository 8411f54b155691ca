"""What we rely on in aiocoap beyond its stable interface; a release that moves it fails here first."""

from __future__ import annotations

import inspect

import aiocoap
from aiocoap.interfaces import EndpointAddress, MessageInterface
from aiocoap.messagemanager import MessageManager
from aiocoap.numbers.constants import Reliable
from aiocoap.protocol import Context

from bridge.coap import Client
from bridge.coap.exchange import Exchange
from bridge.coap.interface import Interface
from tests.bridge.coap.peer import bare_con, peer


def parameters(function: object) -> list[str]:
    return list(inspect.signature(function).parameters)


def test_the_hook_for_third_party_interfaces_is_where_it_was() -> None:
    hook = Context._append_tokenmanaged_messagemanaged_transport
    assert inspect.iscoroutinefunction(hook)
    assert parameters(hook) == ["self", "message_interface_constructor"]
    assert parameters(Context.__init__)[:4] == ["self", "loop", "serversite", "loggername"]


def test_the_four_methods_of_a_message_interface_are_all_there_are() -> None:
    ours = {name for name, _ in inspect.getmembers(Interface, inspect.isfunction) if not name.startswith("_")}
    assert ours == {"send", "recognize_remote", "determine_remote", "shutdown"}
    assert MessageInterface.__abstractmethods__ <= ours
    assert ".message_interface.recognize_remote(" in inspect.getsource(MessageManager)


def test_a_lane_is_a_whole_endpoint_address() -> None:
    assert not Exchange.__abstractmethods__
    assert EndpointAddress.__abstractmethods__ <= set(dir(Exchange))


def test_the_message_manager_takes_messages_and_errors() -> None:
    assert parameters(MessageManager.dispatch_message) == ["self", "message"]
    assert parameters(MessageManager.dispatch_error) == ["self", "error", "remote"]


def test_the_message_manager_gives_message_ids_and_knows_its_interface() -> None:
    assert parameters(MessageManager._next_message_id) == ["self"]
    assert "self.message_interface.send(message)" in inspect.getsource(MessageManager)


def test_the_tuning_is_taken_from_the_message() -> None:
    source = inspect.getsource(MessageManager)
    for name in ("ACK_TIMEOUT", "ACK_RANDOM_FACTOR", "MAX_RETRANSMIT", "reliability"):
        assert hasattr(Reliable, name)
        assert f"transport_tuning.{name}" in source
    assert Reliable.reliability is True


def test_a_message_can_be_given_its_type_and_id() -> None:
    message = aiocoap.Message(code=aiocoap.EMPTY, _mtype=aiocoap.ACK, _mid=7)  # the public names warn
    assert message.encode() == b"\x60\x00\x00\x07"


async def test_only_our_interface_is_opened() -> None:
    async with peer(bare_con) as server, Client("127.0.0.1", server.port) as client:
        await client.post(("x",), b"{}")
        (requests,) = client._context.request_interfaces
        assert isinstance(requests.token_interface.message_interface, Interface)
