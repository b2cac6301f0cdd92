"""Seeded changes of files, as a rebuild makes them."""

import re

PAGE_BYTES = 4096
PAGES_TOUCHED = 0.4  # of an executable: addresses and constants that moved
WORDS_PER_PAGE = (8, 64)
LINES_ADDED = (1, 5)
WORDS = ("return", "value", "options", "error", "length", "buffer", "version", "assert", "index",
         "module", "require", "default", "callback", "timeout", "connection", "request")


def changed(data, rng):
    """Another state of the file `data`, by its kind: an executable has words rewritten all over, a
    text has lines inserted and one removed, anything else is taken for compressed and differs from
    some point on."""
    if data.startswith(b"\x7fELF"):
        return _words_rewritten(data, rng)
    if b"\0" not in data[:PAGE_BYTES]:
        return _lines_edited(data, rng)
    kept = rng.randrange(len(data))
    return data[:kept] + rng.randbytes(len(data) - kept)


def _words_rewritten(data, rng):
    result = bytearray(data)
    for page in range(0, len(data) - PAGE_BYTES + 1, PAGE_BYTES):
        if rng.random() >= PAGES_TOUCHED:
            continue
        for _ in range(rng.randint(*WORDS_PER_PAGE)):
            at = page + 4 * rng.randrange(16, PAGE_BYTES // 4)  # past the header of the file
            result[at:at + 4] = rng.randbytes(4)
    if result == data:
        result[-1] ^= 1 + rng.randrange(255)
    return bytes(result)


def _lines_edited(data, rng):
    starts = [0] + [match.end() for match in re.finditer(rb"\n", data)]
    at = rng.choice(starts)
    added = b"".join(
        (" ".join(rng.choices(WORDS, k=rng.randint(3, 9))) + f" {rng.randrange(10**6)}\n").encode()
        for _ in range(rng.randint(*LINES_ADDED)))
    after = rng.choice(starts)
    result = data[:at] + added + data[at:]
    if after > at:
        end = data.find(b"\n", after) + 1 or len(data)
        result = data[:at] + added + data[at:after] + data[end:]
    return result


def change_entries(entries, share, rng, scratch):
    """`entries` with that share of their files changed; the new bytes are appended to the open file
    `scratch`. Returns (entries, number changed)."""
    candidates = [i for i, entry in enumerate(entries) if entry.type == "file" and entry.size]
    chosen = rng.sample(candidates, max(1, round(share * len(candidates))))
    result = list(entries)
    for i in sorted(chosen):
        entry = entries[i]
        with open(entry.source, "rb") as source:
            source.seek(entry.offset)
            data = changed(source.read(entry.size), rng)
        offset = scratch.seek(0, 2)
        scratch.write(data)
        result[i] = entry._replace(source=scratch.name, offset=offset, size=len(data))
    scratch.flush()
    return result, len(chosen)
