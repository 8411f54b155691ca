"""SML 1.04, the Smart Message Language of German electricity meters, one file for each thing.

transport    transport protocol version 1: the frame on the wire, and how it is found in a stream
check        the checksum that frames and messages have
encoding     type-length-value: numbers, octet strings and lists, and nothing else
messages     what the lists of a message mean, and its own checksum
units        the DLMS unit codes that values carry
description  messages into values and into fields
entry        the catalogue's entry
"""
