"""Compares generated layers with the figures of Docker Hub, within stated tolerances."""

import statistics
from collections import Counter
from typing import NamedTuple


class Figure(NamedTuple):
    title: str
    quoted: float
    tolerance: float  # in the figure's own unit
    measured: float = 0.0

    def met(self):
        return abs(self.measured - self.quoted) <= self.tolerance


def percentile(values, share):
    ordered = sorted(values)
    at = share * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (at - low) * (ordered[high] - ordered[low])


def of_layers(raw_bytes, files, divisor):
    """Figures of the layers' sizes and numbers of files."""
    raw_mb = [size * divisor / 1e6 for size in raw_bytes]
    counts = [number * divisor for number in files]
    small = sum(size < 4 for size in raw_mb) / len(raw_mb)
    return [
        Figure("median layer, MB raw", 4, 0.8, statistics.median(raw_mb)),
        Figure("p90 layer, MB raw", 177, 35, percentile(raw_mb, 0.9)),
        Figure("mean layer, MB raw", 93, 14, statistics.fmean(raw_mb)),
        Figure("share of layers below 4 MB", 0.5, 0.05, small),
        Figure("median files of a layer", 30, 10, statistics.median(counts)),
        Figure("p90 files of a layer", 7410, 1500, percentile(counts, 0.9)),
        Figure("mean files of a layer", 2945, 450, statistics.fmean(counts)),
    ]


def of_files(sizes, layers):
    """Figures of the duplicates, from the sizes of the distinct files and the layers' lists."""
    copies = Counter(i for drawn in layers for i in drawn)
    total = sum(copies.values())
    total_bytes = sum(count * sizes[i] for i, count in copies.items())
    distinct_bytes = sum(sizes[i] for i in copies)
    return [
        Figure("share of files that are duplicates", 0.968, 0.005, 1 - len(copies) / total),
        Figure("share of bytes in distinct files", 0.143, 0.03, distinct_bytes / total_bytes),
        Figure("mean file, KB", 31.6, 6.5, total_bytes / total / 1e3),
        Figure("mean distinct file, KB", 145, 30, distinct_bytes / len(copies) / 1e3),
    ]


def of_compression(raw_bytes, stored_bytes):
    ratios = [raw / stored for raw, stored in zip(raw_bytes, stored_bytes)]
    return [Figure("median gzip ratio of a layer", 2.6, 0.3, statistics.median(ratios))]
