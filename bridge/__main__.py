"""`serial-bridge`, and `python -m bridge`: a service starts without what a person at a terminal needs."""

from __future__ import annotations

import sys


def main() -> None:
    """Start the service that the arguments name, or else run the command line."""
    from bridge import services

    if (order := services.Order.of(sys.argv[1:])) is not None:
        services.start(order)
    else:
        from bridge.commands.terminal import main as command_line

        command_line()


if __name__ == "__main__":
    main()
