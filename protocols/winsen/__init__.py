"""Winsen gas sensors on a UART: one framing, two manners.

frame    nine octets, and how they are found in a stream
polled   the protocol `winsen`: MH-Z19 and relatives, carbon dioxide or another gas, polled
active   the protocol `winsen-active`: ZE03, ZE07, ZE08 and relatives, any of their gases, push
"""
