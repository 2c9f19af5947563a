"""The numbers of the rule for what is salient, for ``salience`` and for the engine, which imports no torch."""

from __future__ import annotations

BLOCK = 8
"""Side in pixels of the blocks by whose means one tells what stands out."""
SURROUNDINGS = 5.0
"""Sigma of what counts as a block's surroundings, in blocks: 40 pixels."""
REACH = 15
"""Blocks of them to each side."""
STANDS_OUT, LEAST, MOST = 1.5, 0.04, 0.13
"""By so many of its image's standard deviations a block must be brighter than its surroundings to stand out, but by no
less and no more than this: a person in a flat picture of a cold field is as warm as one in a street."""
SOFTNESS = 0.1
"""How gradual that is, as a share of it."""
NEAR = 1
"""Blocks around those that stand out whose pixels are looked at, too: a figure is more than its warmest parts."""
FROM = 0.4
"""A pixel there counts from this share of the threshold on, and in full from the whole of it."""
SMOOTH, SMOOTH_REACH = 0.7, 1
"""Sigma and reach, in pixels, of what takes the noise off B before its pixels are judged."""
BRIGHTER = 0.1
"""By so much a pixel of B must be brighter than A's to count in full."""
ABOVE = 0.2
"""And by so much brighter than what surrounds it in A: half lifted, a dark figure on snow would vanish in the snow."""
SHARE = 0.65
"""The share that salient pixels get at least, where the network heeds them in full."""
