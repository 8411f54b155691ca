"""Modbus: one file a document, and one for each thing the bridge does with it.

pdu          Application Protocol V1.1b3: function codes, layouts, exceptions
carrier      what of a transmission mode the other files need
serial_line  Modbus over Serial Line V1.02, RTU mode: ADU, CRC, framers, t3.5
registers    what a register holds: type, order, scale, validity
settings     how an installer writes it down: a sensor's keys, and every mistake in them
models/      register maps of devices, with the frames that prove them
plan         which reads fetch a set of registers in the least wire time
device       one unit, polled: follows the plan, learns from refusals
description  frames into fields, for people
simulation   the other side: a unit that answers
sunspec/     devices that say themselves which registers they have
sunspec_device  such a unit, polled
transmission_mode  what the protocols of both modes share
rtu          the protocol `modbus-rtu`
ascii        the protocol `modbus-ascii`, with its ADU and framer
"""
