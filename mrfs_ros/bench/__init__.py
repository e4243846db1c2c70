"""Benchmark of the engines on this machine: speed, memory and correctness, each against the paper's graph."""
