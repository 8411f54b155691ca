"""The demo's world: a ThingsBoard stand-in and simulated sensors. Tests use them as peers."""
