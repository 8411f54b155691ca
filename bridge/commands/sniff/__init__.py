"""`serial-bridge sniff`: what passes on a line, frame by frame; nothing is ever sent."""
