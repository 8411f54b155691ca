"""ThingsBoard's device provisioning over CoAP, as pure functions: the request and the meaning of answers.

Follows ThingsBoard 4.3: JsonConverter.buildProvisionRequestMsg (common/proto) and DeviceProvisionServiceImpl
(application). Success is 2.01, every refusal 4.00, both with a JSON body that is labelled as plain text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from bridge.coap import Response
from bridge.config import Provisioning
from bridge.config.credentials import check_token

PATH = ("api", "v1", "provision")

NAME_TAKEN = (
    "ThingsBoard creates no device of this name. If it has one already, copy its token into credentials.toml "
    "or choose a --prefix; if the profile wants its devices made beforehand, make it"
)


def request(device: str, token: str, settings: Provisioning) -> bytes:
    """Return the request to create a device with this name and this token, as JSON."""
    document = {
        "deviceName": device,
        "provisionDeviceKey": settings.device_key,
        "provisionDeviceSecret": settings.device_secret,
        "credentialsType": "ACCESS_TOKEN",
        "token": token,
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def read_answer(response: Response) -> dict[str, object]:
    """Return the body as JSON, whatever its Content-Format says; empty if it is no object."""
    try:
        document = json.loads(response.payload)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def granted_token(answer: Mapping[str, object]) -> str:
    """Return the token of a SUCCESS; it differs from the requested one if the device was made beforehand.

    Raises:
        ValueError: there is no usable token; the message says what to do.
    """
    if answer.get("credentialsType") != "ACCESS_TOKEN":
        raise ValueError(
            "its device in ThingsBoard shows no access token but other credentials: "
            "write its certificate and key into credentials.toml"
        )
    try:
        return check_token(str(answer.get("credentialsValue")))
    except ValueError as error:
        raise ValueError(f"its device's token cannot be used: {error}") from None


def refusal(response: Response, answer: Mapping[str, object]) -> str:
    """Return the sentence that says why no device is provisioned, and what to compare."""
    if answer.get("status") == "NOT_FOUND":
        return (
            "ThingsBoard provisions nobody with this device key and secret (NOT_FOUND): compare "
            "[provisioning] with the device profile's page, and check that its provision strategy is "
            "not disabled"
        )
    if response.code.is_server_error:
        return (
            f"ThingsBoard failed on the request ({response.code}): check that the device profile's provision "
            "strategy is to create new devices or to check for pre-provisioned ones, then try again"
        )
    return f"the server does not provision ({response.code}): check that the url is ThingsBoard's CoAP port"
