"""`serial-bridge compare`: what this bridge would read beside what a foreign master gets, for a migration."""
