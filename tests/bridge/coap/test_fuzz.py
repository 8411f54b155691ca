"""Fuzzed datagrams; `python -m tests.benchmarks.fuzz_datagrams` sends 200,000."""

from __future__ import annotations

import pytest
from OpenSSL import SSL

from bridge.coap.trust import Trust
from tests.benchmarks import fuzz_datagrams


@pytest.mark.parametrize("seed", [1, 2])
def test_no_datagram_raises_or_keeps_the_next_request_from_its_answer(seed: int) -> None:
    assert fuzz_datagrams.main(datagrams=4000, seed=seed) == 0


@pytest.mark.parametrize("error", [SSL.SysCallError(-1, "Unexpected EOF"), SSL.Error([]), SSL.Error()])
def test_every_error_of_openssl_has_a_sentence(error: SSL.Error) -> None:
    connection = SSL.Connection(SSL.Context(SSL.DTLS_CLIENT_METHOD), None)
    assert "the handshake with tb:5684 failed" in str(Trust("tb").refusal(connection, error, None, "tb:5684"))
