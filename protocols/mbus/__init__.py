"""M-Bus on wires, EN 13757: meters of heat, water, gas and electricity, one file for each thing.

link         EN 13757-2: frames, acknowledgement, checksum, and how they are found in a stream
application  EN 13757-3: what a frame carries: headers, application errors, the fixed data structure
secondary    EN 13757-3: the secondary address, and the selection by it
records      EN 13757-3: data records: DIF, DIFE, VIF, VIFE, data
vif          EN 13757-3: the tables of VIF: what a record is about, and its unit
vife         EN 13757-3: the table of combinable VIFE
makers       what manufacturers' own VIF and VIFE mean, of makers that publish them
data         EN 13757-3 annex A: data types: integers, BCD, reals, dates, texts
items        a record into a name, a unit and a value
settings     how an installer writes a meter down: its keys, and every mistake in them
device       one meter, polled by its primary or secondary address
description  frames into fields, for people
simulation   the other side: a meter that answers
entry        the catalogue's entry
"""
