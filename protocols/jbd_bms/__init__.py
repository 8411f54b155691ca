"""JBD battery management systems (also sold as Xiaoxiang and Overkill Solar), one file for each thing.

frame      the frame on the wire, its checksum, and how it is found in a stream
registers  what the registers say
device     one BMS, polled; its keys; and a simulated one
entry      the catalogue's entry
"""
