"""VE.Direct, the serial port of Victron's chargers, battery monitors and inverters: two protocols, one line.

text        blocks of values, sent every second without a request
fields      the fields of a block
hex         single registers, polled
hex_frame   their frame on the wire, and how it is found in a stream
registers   the registers and their values
settings    the keys of a device in site.toml
device      one device, polled
simulation  the other side: a simulated device
"""
