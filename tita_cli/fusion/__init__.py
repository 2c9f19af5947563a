"""Fuse sources: plan (read, look, align), strategy (which fusions the network does, in which order), finish."""
