"""Sensirion SHDLC: sensors of air quality that are asked over a UART, one file for each thing.

frame        the frame on the wire, its byte stuffing and checksum, and how it is found in a stream
models       what each sensor must be told to measure, and how its values are written
settings     how an installer writes a sensor down: its keys, and every mistake in them
device       one sensor, polled: started if it is idle, woken if it sleeps
description  frames into fields, for people
simulation   the other side: a sensor that answers
entry        the catalogue's entry
"""
