"""Daly battery management systems on a UART, one file for each thing.

frame     the frame on the wire, and how it is found in a stream; blocks of frames that are one reply
commands  what the replies say
device    one BMS, polled; its keys; and a simulated one
entry     the catalogue's entry
"""
