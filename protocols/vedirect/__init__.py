"""VE.Direct, the serial port of Victron's chargers, battery monitors and inverters: two protocols, one line.

text        blocks of values, told every second unasked
fields      what the fields of a block mean
hex         single registers, asked for
hex_frame   their frame on the wire, and how it is found in a stream
registers   what the registers mean
settings    how an installer writes down what is read
device      one device, polled
simulation  the other side: a device that answers
"""
