"""The commands that a person types, one file or folder each, and no others.

A file here is a command; so is a folder with a `command.py`. Its name is the command's (`try_` is `try`), its
`command` a function with the options, or a `typer.Typer` with commands of its own, and its `SECTION` the
paragraph of `--help` in which it stands. The work of a command stands beside it, returns plain data and can
be called from elsewhere. `terminal` is what all commands share.
"""
