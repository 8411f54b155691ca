"""The command line: the commands that a person types, and nothing that a service needs."""

from __future__ import annotations

from bridge.commands.terminal.app import app, main

__all__ = ["app", "main"]
