"""`install`: have udev and systemd run a site, each bus when its adapter is there, and the uplink always.

rules     an adapter of site.toml as a udev rule
files     the files that a site needs: pure
machine   the running system: its units, its adapters, and the commands that change it
bytecode  what the interpreter reads of the program, for services that may not write it
changes   the difference between the two, and how to remove it
"""
