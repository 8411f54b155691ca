"""SunSpec: devices that say themselves which registers they have.

    "SunS" │ model 1, length │ its points │ model 103, length │ its points │ … │ 0xFFFF

At one of three addresses a device has the letters "SunS", then a chain of models: standard register maps,
each with its number and its length in front (SunSpec Device Information Model Specification V1.1). So such a
sensor needs no register map: the chain is read once, and the points of its models become registers.

definitions  the models, as the package pysunspec2 has them; no definition is copied into this project
points       a definition and the content of a model into registers
walk         the requests that read the chain
choice       the keys of such a sensor in site.toml
simulation   the holding registers of a device with such a chain
"""
