"""The steps of `setup` at the server: its address, and the devices' access tokens."""

from __future__ import annotations

from collections.abc import Mapping

from bridge import event_loop
from bridge.commands.provision.provisioning import FAILED, Outcome, ProvisioningRefused, provision
from bridge.commands.setup.context import Context
from bridge.commands.terminal.audited import Change, record
from bridge.config import load_site
from bridge.config.credentials import check_token
from bridge.config.places import check_url
from bridge.errors import UplinkError


class ServerSteps:
    """The server and the tokens.

    Args:
        context: what it works with.
    """

    def __init__(self, context: Context) -> None:
        self._draft, self._dialogue, self._answers = context.draft, context.dialogue, context.answers

    def name_server(self) -> None:
        """Have the person name the server and, if it is to create the devices, the keys for that."""
        draft, dialogue, answers = self._draft, self._dialogue, self._answers
        if answers.url is not None:
            url, *secrets = server_line(answers.url).split()
        else:
            if not dialogue.is_silent:
                dialogue.tell(
                    "ThingsBoard's address, such as coap://tb.example.com, or coaps:// encrypted. It can "
                    "create the devices by itself: then write the provision key and secret of the device "
                    "profile behind it."
                )
            text = dialogue.ask("server", option="--url", default=draft.url or None, check=server_line)
            url, *secrets = text.split()
        draft.set_url(url)
        if answers.device_key and answers.device_secret:
            secrets = [answers.device_key, answers.device_secret]
        if secrets:
            before = "set" if "provisioning" in draft.credentials_tables() else None
            draft.set_provisioning(*secrets)
            record(
                draft.site,
                "setup, server",
                Change("credentials.toml: provisioning", before, "set anew" if before else "set"),
            )
        dialogue.tell(f"{url}{', which creates the devices' if secrets else ''}")

    def obtain_tokens(self) -> None:
        """Obtain a token for each sensor without one; where all have one, ask for others in their place."""
        draft, answers = self._draft, self._answers
        had_all = not draft.without_credential
        if answers.tokens:
            self._store({name: text for name, text in answers.tokens.items() if name in draft.names})
        if draft.without_credential and "provisioning" in draft.credentials_tables():
            self._provision()
        names_without = draft.without_credential
        are_all_asked_again = had_all and not answers.tokens
        for name in draft.names if are_all_asked_again else names_without:
            self._ask_for_token(name, is_missing=name in names_without)

    def _ask_for_token(self, name: str, *, is_missing: bool) -> None:
        token = self._dialogue.ask(
            f"access token of {name}, from its device in ThingsBoard (not shown)",
            option=f"--token {name}=TOKEN",
            default="",
            default_text="later" if is_missing else "as it is",
            check=_token,
            is_secret=True,
        )
        if token:
            self._store({name: token})
        elif is_missing:
            self._dialogue.tell(f"{name} has no token yet: it is read, and its readings wait")

    def _store(self, tokens: Mapping[str, str]) -> None:
        if tokens:
            names_without = self._draft.without_credential
            self._draft.set_tokens(tokens)
            changes = [
                Change(
                    f"credentials.toml: sensors.{name}",
                    None if name in names_without else "another token",
                    "token, pasted",
                )
                for name in tokens
            ]
            record(self._draft.site, "setup, tokens", *changes)

    def _provision(self) -> None:
        """Have ThingsBoard create the devices; a refusal is said, and tokens can be pasted."""
        draft, dialogue = self._draft, self._dialogue
        outcomes: list[Outcome] = []

        def report(outcome: Outcome) -> None:
            dialogue.tell(outcome)
            if outcome.result != FAILED:
                outcomes.append(outcome)

        try:
            event_loop.run(
                provision(
                    load_site(draft.site),
                    draft.credentials,
                    self._answers.prefix,
                    begin=lambda _: None,
                    report=report,
                )
            )
        except (ProvisioningRefused, UplinkError) as error:
            dialogue.tell(error)
        finally:
            changes = [
                Change(f"credentials.toml: sensors.{each.sensor}", None, f"token of device {each.device}")
                for each in outcomes
            ]
            record(draft.site, "setup, tokens", *changes)


def server_line(text: str) -> str:
    """Return the url, alone or with key and secret, in one form: a host alone is reached by coap://."""
    parts = text.split()
    if len(parts) not in (1, 3):
        raise ValueError("write the address alone, or the address, the provision key and its secret")
    url = parts[0] if "://" in parts[0] else f"coap://{parts[0]}"
    return " ".join([check_url(url), *parts[1:]])


def _token(text: str) -> str:
    return check_token(text) if text else ""
