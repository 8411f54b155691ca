"""`serial-bridge scan`: who is on an unknown line; nothing is written to any sensor."""
