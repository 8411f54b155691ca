"""`serial-bridge`, and `python -m bridge`: a service starts without what a person at a terminal needs."""

from __future__ import annotations

import sys


def main() -> None:
    """Start the service that the arguments name, or else run the command line; Ctrl-C ends either quietly."""
    try:
        _run()
    except (
        KeyboardInterrupt
    ):  # while modules are loaded: later, services and the command line handle it themselves
        sys.exit(130)


def _run() -> None:
    from bridge import services

    if (order := services.Order.of(sys.argv[1:])) is not None:
        services.start(order)
    else:
        from bridge.commands.terminal import main as command_line

        command_line()


if __name__ == "__main__":
    main()
