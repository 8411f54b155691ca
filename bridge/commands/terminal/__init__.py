"""The command line: the commands that a person types, and nothing that a service needs.

Nothing is imported here: what other faces of the bridge share with the command line comes without it.
"""
