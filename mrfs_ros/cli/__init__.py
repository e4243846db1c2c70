"""The command line: one program, ``mrfs``, with a file for each of its commands."""
