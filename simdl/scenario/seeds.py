"""Seeds of the networks that one replicate averages."""

from __future__ import annotations


def nth_seed(seed: int, k: int) -> int:
    """Return the seed of network k of a replicate, far from those of other replicates.

    No two of the first 4,096 are equal, nor any of another replicate less than 2^20 seeds away.
    """
    return (seed + k % 16 * 2**28 + k // 16 * 2**20) % 2**32
