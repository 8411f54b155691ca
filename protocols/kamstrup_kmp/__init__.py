"""Kamstrup meters on their optical head (MULTICAL 302, 402, 403, 601, 602 …): KMP, in its document's parts.

Spec: Kamstrup, "KMP protocol description" for MULTICAL; registers and units are numbered as PyKMP lists them.

frame      the data link layer: start, stop, stuffing and CRC, and how frames are found in a stream
registers  6.2.4 GetRegister: what is asked and told, and the numbers in it
quantities the registers that are read, and the units they are brought to
meter      a meter that is asked, and its simulation
entry      the catalogue's entry
"""
