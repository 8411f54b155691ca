"""The work behind the commands of an installer; no service imports it."""
