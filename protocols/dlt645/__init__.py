"""DL/T 645-2007: the Chinese standard of multi-function electricity meters, one file for each thing.

frame        §5: the frame on the wire, its checksum, and how it is found in a stream
data         2007, Annex A: data identifiers, and how their values are written
settings     how an installer writes a meter down: its keys, and every mistake in them
device       one meter, polled
description  frames into fields, for people
simulation   the other side: a meter that answers
entry        the catalogue's entry `dlt645`
entry_1997   the catalogue's entry `dlt645-1997`
"""
