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

    order = services.Order.of(sys.argv[1:])
    if order is None:
        from bridge.commands.terminal.app import main as command_line

        command_line()
    elif order.service == services.PAGE:
        from bridge.commands.web.start import start

        start(order)
    else:
        services.start(order)


if __name__ == "__main__":
    main()
