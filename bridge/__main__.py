"""`python -m bridge` is `serial-bridge`."""

from bridge.commands.terminal import main

if __name__ == "__main__":
    main()
