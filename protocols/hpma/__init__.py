"""Honeywell HPM series particle sensors: two versions, one framing.

frame     reports, replies and commands, and how they are found in a stream
standard  the catalogue's entry `honeywell-hpma`: HPMA115S0
compact   the catalogue's entry `honeywell-hpma-compact`: HPMA115C0
"""
