"""Bit rot: bytes of an object change on the disk of the store, behind the store's back."""

import os
from collections.abc import Collection
from pathlib import Path

Place = tuple[Path, int]
"""A volume of the store, and where in it an object's bytes begin."""


def places(folder: Path, bucket: str, data: bytes) -> frozenset[Place]:
    """Wherever the store keeps `data` for this bucket: once for each version. `folder`: the store's own."""
    found = set[Place]()
    for volume in folder.rglob(f"{bucket}_*.dat"):
        stored, at = volume.read_bytes(), -1
        while (at := stored.find(data, at + 1)) >= 0:
            found.add((volume, at))
    assert found, "these bytes are in no volume of the store"
    return frozenset(found)


def rot(where: Collection[Place], size: int) -> None:
    """Flips a bit in the middle of each. What the store tells by HEAD and in listings stays as it was."""
    for volume, begin in where:
        with volume.open("r+b") as opened:
            opened.seek(begin + size // 2)
            (byte,) = opened.read(1)
            opened.seek(begin + size // 2)
            opened.write(bytes([byte ^ 0x40]))
            opened.flush()
            os.fsync(opened.fileno())
