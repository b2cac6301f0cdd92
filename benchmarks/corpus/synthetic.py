"""Seeded images whose layers are distributed like those of Docker Hub.

The figures are those of "Large-Scale Analysis of the Docker Hub Dataset" (CLUSTER'19): every public
`latest` image of May 2017. Both the bytes and the files of a layer are divided by `divisor`, so
that a sample of forty layers fits a disk and files keep their sizes; compare with the figures after
multiplying by it. Quantiles are drawn one from each of as many equal strata as there are layers: a
small sample has the shape of the whole. All else that decides what is generated:

* raw bytes of a layer: log-linear between the quantiles of LAYER_BYTES, whose last is chosen so
  that the mean is 93 MB; files of a layer likewise, LAYER_FILES, mean 2,945; the larger layer has
  the more files;
* distinct files: 3.2 % of all, lognormal of mean 145 KB and sigma SIZE_SIGMA; how often one is
  repeated falls with its size (power ALPHA, which makes the mean over all copies 31.6 KB) and
  scatters (lognormal, REPEAT_SIGMA: half of all files are there at most four times);
* content: kinds in the shares of KINDS by number, each with an own share of bytes that do not
  compress; one file in VERSION_SHARE is an edited state of one before it (changes.py).
"""

import bisect
import itertools
import math
import os
import random
import statistics

import changes
from layout import Entry, Image, say, sorted_layer

SEED = 1905
FIRST_BUILD = 1493596800  # May 2017
LAYER_BYTES = ((0.07, 4e3), (0.5, 3.9e6), (0.9, 177e6), (1.0, 1980e6))
LAYER_FILES = ((0.34, 1), (0.5, 30), (0.9, 7410), (1.0, 56100))
NO_FILES_SHARE = 0.07
DISTINCT_SHARE = 0.032
DISTINCT_MEAN_BYTES = 145e3
SIZE_SIGMA = 2.0
ALPHA = 0.38
REPEAT_SIGMA = 1.88
VERSION_SHARE = 0.25
# (kind, share of the distinct files, first bytes, lowest and highest share that does not compress)
KINDS = (("elf", 0.11, b"\x7fELF\x02\x01\x01\0", 0.30, 0.44),
         ("archive", 0.08, b"PK\x03\x04", 0.95, 1.0),
         ("text", 0.62, b"# ", 0.25, 0.45),
         ("data", 0.19, b"\0data", 0.22, 0.48))
UNIT_BYTES = 2048
# Half of the images have fewer than 8 layers, a tenth 18 or more.
IMAGE_LAYERS = ((0.0, 2), (0.5, 8), (0.9, 18), (1.0, 40))


def quantile(points, share):
    """Log-linear between (share, value) points; the first value below them all."""
    if share <= points[0][0]:
        return points[0][1]
    for (low, small), (high, large) in itertools.pairwise(points):
        if share <= high:
            return small * (large / small) ** ((share - low) / (high - low))
    return points[-1][1]


def strata(count, rng):
    """One number of each of `count` equal parts of [0, 1), ascending."""
    return [(i + rng.uniform(0.4, 0.6)) / count for i in range(count)]


def layer_shapes(count, divisor, rng):
    """(bytes, files) of each layer, ascending."""
    shapes = []
    for share in strata(count, rng):
        files = 0
        if share >= NO_FILES_SHARE:
            files = max(1, round(quantile(LAYER_FILES, share) / divisor))
        shapes.append((quantile(LAYER_BYTES, share) / divisor, files))
    return shapes


def distinct_sizes(count, rng):
    """Sizes of the distinct files, ascending, of exactly the mean that is wanted."""
    normal = statistics.NormalDist()
    sizes = [math.exp(SIZE_SIGMA * normal.inv_cdf(share)) for share in strata(count, rng)]
    scale = DISTINCT_MEAN_BYTES * count / sum(sizes)
    return [max(1, round(size * scale)) for size in sizes]


class Pool:
    """The distinct files and how likely each is."""

    def __init__(self, sizes, rng):
        self.sizes = sizes
        normal = statistics.NormalDist()
        scatter = [math.exp(REPEAT_SIGMA * normal.inv_cdf(share))
                   for share in strata(len(sizes), rng)]
        rng.shuffle(scatter)
        self.weights = [size ** -ALPHA * noise for size, noise in zip(sizes, scatter)]

    def nearest(self, size):
        at = bisect.bisect_left(self.sizes, size)
        around = [i for i in (at - 1, at) if 0 <= i < len(self.sizes)]
        return min(around, key=lambda i: abs(self.sizes[i] - size))

    def draw(self, count, total, rng):
        """`count` files of about `total` bytes: the weights are tilted towards large or small ones
        until their mean fits, and the last few files make up for the difference."""
        low, high = -3.0, 3.0
        for _ in range(30):
            tilt = (low + high) / 2
            tilted = [weight * size ** tilt for weight, size in zip(self.weights, self.sizes)]
            mean = sum(map(lambda w, s: w * s, tilted, self.sizes)) / sum(tilted)
            low, high = (tilt, high) if mean < total / count else (low, tilt)
        last = min(count, 3)
        drawn = rng.choices(range(len(self.sizes)), tilted, k=count - last)
        left = total - sum(self.sizes[i] for i in drawn)
        while left < 0 and drawn:  # drawn too much: the largest becomes a small one
            at = max(range(len(drawn)), key=lambda n: self.sizes[drawn[n]])
            small = self.nearest(max(1, self.sizes[drawn[at]] + left))
            left += self.sizes[drawn[at]] - self.sizes[small]
            if small == drawn[at]:
                break
            drawn[at] = small
        for more in range(last, 0, -1):
            drawn.append(self.nearest(max(1, left / more)))
            left -= self.sizes[drawn[-1]]
        return drawn


def cover(layers, pool):
    """Puts every distinct file that no layer drew where one of about its size is that has copies
    enough."""
    used = [0] * len(pool.sizes)
    for drawn in layers:
        for i in drawn:
            used[i] += 1
    places = {}  # distinct file: where it lies in the large layers
    for number, drawn in enumerate(layers):
        if len(drawn) < 100:
            continue
        for at, i in enumerate(drawn):
            places.setdefault(i, []).append((number, at))
    for missing in [i for i, count in enumerate(used) if count == 0]:
        near = sorted(places, key=lambda i: abs(i - missing))
        giver = next((i for i in near if used[i] > 1 and places[i]), None)
        if giver is None:
            return
        number, at = places[giver].pop()
        layers[number][at] = missing
        used[giver] -= 1
        used[missing] += 1


def plan(count, divisor, seed=SEED):
    """(sizes of the distinct files, files of each layer by their number, ascending layers)"""
    rng = random.Random(seed)
    shapes = layer_shapes(count, divisor, rng)
    files = sum(number for _, number in shapes)
    pool = Pool(distinct_sizes(max(2, round(DISTINCT_SHARE * files)), rng), rng)
    # A tar archive has a header for each file and pads it: on the average 768 bytes.
    layers = [pool.draw(number, max(number, size - 768 * number), rng) if number else []
              for size, number in shapes]
    cover(layers, pool)
    return pool.sizes, layers


def kind_of(rng):
    at = rng.random()
    for kind in KINDS:
        at -= kind[1]
        if at < 0:
            return kind
    return KINDS[0]


def content(size, kind, phrases, rng):
    """Bytes of one kind: units of noise, and of phrases that the kind's files have in common."""
    _, _, magic, low, high = kind
    noise = round(UNIT_BYTES * rng.uniform(low, high))
    alphabet = bytes(range(32, 96)) * 4 if kind[0] == "text" else None
    parts = [magic]
    for _ in range(size // UNIT_BYTES + 1):
        bytes_of_noise = rng.randbytes(noise)
        if alphabet:
            # Six bits of each byte, of which a compressor makes six bits again.
            bytes_of_noise = bytes_of_noise.translate(alphabet)
        parts.append(bytes_of_noise)
        at = rng.randrange(len(phrases) - UNIT_BYTES)
        parts.append(phrases[at:at + UNIT_BYTES - noise])
    return b"".join(parts)[:size]


def write_contents(sizes, path, seed=SEED):
    """Writes the distinct files one after the other; returns (offset, size) of each."""
    rng = random.Random(seed + 1)
    phrases = {kind[0]: (" ".join(rng.choices(changes.WORDS, k=4000)) + "\n").encode()
               for kind in KINDS}
    places, before = [], {}
    with open(path, "wb") as out:
        for size in sizes:
            kind = kind_of(rng)
            data = content(size, kind, phrases[kind[0]], rng)
            if kind[0] in before and size > 64 and rng.random() < VERSION_SHARE:
                older = before[kind[0]]
                data = (changes.changed(older, rng) + data)[:size]
            before[kind[0]] = data
            places.append((out.tell(), len(data)))
            out.write(data)
    return places


def layer_entries(number, drawn, places, source, rng):
    built = FIRST_BUILD + 60 * number
    root = f"opt/layer-{number}"
    entries = [Entry(root, "directory", 0o755, mtime=built)]
    for at, i in enumerate(drawn):
        offset, size = places[i]
        entries.append(Entry(f"{root}/{at % 97}/{i}-{at}", "file", mtime=built + rng.randrange(60),
                             size=size, source=source, offset=offset))
    return sorted_layer(entries)


def compose(layers, rng):
    """Images that between them have every layer: the lower half of each is shared with one before
    it, as bases are."""
    images, unused = [], list(layers)
    rng.shuffle(unused)
    while unused:
        wanted = round(quantile(IMAGE_LAYERS, rng.random()))
        base = rng.choice(images)[:wanted // 2] if images else []
        new, unused = unused[:max(1, wanted - len(base))], unused[max(1, wanted - len(base)):]
        images.append(base + new)
    return images


def layer_count(raw_bytes, divisor):
    mean = statistics.fmean(quantile(LAYER_BYTES, (i + 0.5) / 10000) for i in range(10000))
    return max(10, round(raw_bytes * divisor / mean))


def images(_folder, scratch, parameters):
    divisor = parameters["divisor"]
    count = layer_count(parameters["raw_mb"] * 1e6, divisor)
    say(f"planning {count} layers")
    sizes, drawn = plan(count, divisor)
    source = os.path.join(scratch, "contents")
    places = write_contents(sizes, source)
    rng = random.Random(SEED + 2)
    layers = [layer_entries(number, files, places, source, rng)
              for number, files in enumerate(drawn)]
    made = [Image("synthetic", f"image-{number + 1}", FIRST_BUILD + 3600 * number, composed)
            for number, composed in enumerate(compose(layers, rng))]
    return made, {"distinct_files": len(sizes), "distinct_bytes": sum(sizes), "seed": SEED}
