"""Long lines in few points."""

from __future__ import annotations

import numpy as np


def thinned(values: np.ndarray, points: int) -> np.ndarray:
    """Places, ascending, of at most about ``points`` values: the first, the last, and the lowest
    and the highest of each stretch, which is what a long line looks like."""
    count = len(values)
    if count <= points:
        return np.arange(count)
    width = -(-2 * count // points)
    rows = np.pad(values, (0, -count % width), "edge").reshape(-1, width)
    starts = np.arange(len(rows)) * width
    low = starts + np.where(np.isnan(rows), np.inf, rows).argmin(axis=1)
    high = starts + np.where(np.isnan(rows), -np.inf, rows).argmax(axis=1)
    return np.unique(np.minimum([0, *low, *high, count - 1], count - 1))
