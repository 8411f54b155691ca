"""Winsen gas sensors on a UART: one framing, two manners.

frame    nine octets, and how they are found in a stream
polled   the catalogue's entry `winsen`: MH-Z19 and relatives, carbon dioxide, asked
active   the catalogue's entry `winsen-active`: ZE08-CH2O, formaldehyde, speaks unasked
"""
