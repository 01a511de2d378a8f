"""What `safereel` does: a module for each command, with `run(arguments)` that answers the exit status.

`cli` imports the one that is called: `safereel token` need not wait for what serves or sweeps.
"""
