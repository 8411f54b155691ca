"""`serial-bridge doctor`: find what is wrong with this machine, and what mends it."""
