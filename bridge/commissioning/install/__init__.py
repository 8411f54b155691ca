"""`install`: has udev and systemd run a site, each bus when its adapter is there, and the uplink always.

rules     an adapter in site.toml as udev recognises it
files     what has to be written, from a site: pure
machine   the system as it runs: its units, its adapters, and the commands that change it
changes   the difference between the two, and making it
"""
