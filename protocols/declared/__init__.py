"""Frames that an integrator declares in site.toml: a sensor that nobody has met, without Python.

types         how the octets of a field are written
declaration   what was declared, and where everything stands in the frame
frame         that, as a Construct layout and a Shape: found, parsed and built as our own protocols are
octets        octets and checksums as people write them
frame_keys    [bus.NAME.frame]: every key, every mistake
field_keys    [bus.NAME.frame.fields]
request_keys  [bus.NAME.request]
sensor        a sensor that speaks unasked or is asked, and what it says of itself in site.toml
simulation    the other side of a request: a sensor that answers
entry         the catalogue's entry, and how a bus makes a protocol of its own of it
"""
