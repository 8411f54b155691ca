"""IEC 62056-21: direct local data exchange of meters, once IEC 1107: electricity, gas, water and heat.

frame        the messages on the wire, their check, and how they are found in a stream
data         data sets: what a meter's values are called and how they are written
settings     how an installer writes a meter down: its keys, and every mistake in them
meter        one meter, asked in mode A, B or C
overhearing  the same, where a foreign master asks it
description  messages into fields, for people
simulation   the other side: a meter that answers
modes_abc    meters that are polled: the protocol `iec62056-21`
mode_d       meters that push: the protocol `iec62056-21-d`
"""
