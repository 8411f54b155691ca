"""NMEA 0183: weather stations, anemometers and satellite receivers.

sentence     a sentence on the wire, and how it is found in a stream
amounts      speeds, pressures and temperatures in our units, whichever they are sent in
transducers  XDR: what each transducer is called, and its unit
entry        what each sentence tells, and the catalogue's entry
"""
