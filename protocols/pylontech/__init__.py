"""Pylontech batteries on RS-485 (US2000, US3000, UP5000 and relatives), in the words of the maker's document.

Spec: Pylontech, "RS485-protocol-pylon-low-voltage" V3.3 (2018-08-21).

frame    2: requests and replies, and how they are found in a stream
analog   3.5, command 42: voltages, temperatures, current, capacities
alarms   3.7, command 44: what is out of bounds, and which switches are closed
battery  a battery that is asked, and its simulation
entry    what a sensor says of itself, and the catalogue's entry
"""
