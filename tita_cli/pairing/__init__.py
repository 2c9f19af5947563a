"""Which files belong together, and why: from folders, names, numbers, the camera's data, or a manifest.

Nothing here reads pixels, and nothing is ever paired by its place in a sorted list.
"""

from __future__ import annotations

from tita_cli.pairing.find import DEFAULT_GAP, RULES, Wishes, pair_folder, pair_parallel
from tita_cli.pairing.manifest import Manifest, read_manifest
from tita_cli.pairing.plan import NO_IMAGE, Group, Grouping, Leftover, Plan

__all__ = [
    "DEFAULT_GAP",
    "NO_IMAGE",
    "RULES",
    "Group",
    "Grouping",
    "Leftover",
    "Manifest",
    "Plan",
    "Wishes",
    "pair_folder",
    "pair_parallel",
    "read_manifest",
]
