"""Pairs of rgb and thermal messages by their stamps."""
