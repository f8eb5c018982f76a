"""The commands of `python -m trainer`: one module for each, with its options and what it prints.

A command module has NAME (as typed), SUMMARY (one line for --help), `add_arguments(parser)` and
`run(arguments) -> int`, which returns the exit status. Anything heavy is imported inside `run`, so that
`python -m trainer --help` starts at once.
"""
