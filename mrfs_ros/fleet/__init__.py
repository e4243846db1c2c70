"""Fleets of bags: each through the network once, here or on a Ray cluster, from and to paths or URLs."""
