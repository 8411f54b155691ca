"""What an installer uses; no service imports it."""
