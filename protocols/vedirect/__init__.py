"""VE.Direct, the serial port of Victron's chargers, battery monitors and inverters.

text        blocks of values, told every second unasked
fields      what the fields of a block mean
"""
