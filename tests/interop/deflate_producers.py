#!/usr/bin/env python3
"""Compares the encoder models with the real encoders, over generated inputs of every size that is a
threshold of one of them, written in random pieces and resumed at every checkpoint.

  deflate_producers.py --encode-stream <binary> [--cases N] [--seed S] [--go TOOLCHAIN[,TOOLCHAIN]]
  deflate_producers.py --expected

The first needs the target deflate_encode_stream. The second prints what the real encoders write for
the samples of tests/storage/deflate/samples.h, as rows of its table.

Go's compress/flate needs the command `go` (each toolchain named is fetched by it), pigz the command
`pigz`; what is not there is skipped, with a line that says so. Exits with 1 on any difference.
"""

import argparse
import hashlib
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import zlib

GO, ZLIB, PIGZ = 2, 3, 4
GO_LEVELS = (1, 4, 5, 6, 7, 8, 9)

GO_PROGRAM = """
package main

import (
    "bufio"
    "bytes"
    "compress/flate"
    "fmt"
    "io"
    "os"
)

func main() {
    in, out := bufio.NewReader(os.Stdin), bufio.NewWriter(os.Stdout)
    for {
        var level, size int
        if _, err := fmt.Fscanf(in, "%d %d\\n", &level, &size); err != nil {
            return
        }
        plain := make([]byte, size)
        io.ReadFull(in, plain)
        var deflate bytes.Buffer
        writer, _ := flate.NewWriter(&deflate, level)
        writer.Write(plain)
        writer.Close()
        fmt.Fprintf(out, "%d\\n", deflate.Len())
        out.Write(deflate.Bytes())
        out.Flush()
    }
}
"""

# Borders of blocks, pieces and windows, with a byte on either side; the odd ones are ends of short
# blocks and of the bytes that start no match.
BORDERS = (16, 17, 32, 64, 128, 262, 16384, 32506, 32768, 65274, 65535, 65536, 98304, 131070,
           131072, 163840, 196605, 262144, 524288, 1 << 20)


class Server:
    """A program that answers each request on its standard input by a line and bytes."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, line, plain):
        self.process.stdin.write(line.encode() + b"\n" + plain)
        self.process.stdin.flush()
        words = self.process.stdout.readline().decode().rstrip("\n").split(" ", 2)
        return words, self.process.stdout.read(int(words[0]))

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def go_server(toolchain, directory):
    directory.mkdir()
    (directory / "main.go").write_text(GO_PROGRAM)
    (directory / "go.mod").write_text("module flate_server\ngo 1.18\n")
    environment = dict(os.environ)
    if toolchain:
        environment["GOTOOLCHAIN"] = toolchain
    subprocess.run(["go", "build", "-o", "flate_server", "main.go"], cwd=directory, env=environment,
                   check=True)
    return Server([str(directory / "flate_server")])


def go_stream(server, level, plain):
    return server.ask(f"{level} {len(plain)}", plain)[1]


def zlib_stream(level, plain):
    stream = zlib.compressobj(level, zlib.DEFLATED, -15, 8, zlib.Z_DEFAULT_STRATEGY)
    return stream.compress(plain) + stream.flush()


def pigz_stream(level, plain, block_bytes):
    command = ["pigz", "-p", "2", f"-{level}", "-b", str(block_bytes // 1024), "-n", "-c"]
    blob = subprocess.run(command, input=plain, stdout=subprocess.PIPE, check=True).stdout
    return blob[10:-8]


def text(rng, size):
    words = [bytes(rng.choices(b"etaoinshrdlu", k=rng.randint(1, 9)))
             for _ in range(rng.randint(5, 3000))]
    out = bytearray()
    while len(out) < size:
        out += rng.choice(words) + b" "
    return bytes(out[:size])


def records(rng, size):
    """Headers that hardly change around contents: what a tar is like."""
    out = bytearray()
    while len(out) < size:
        header = bytearray(b"usr/lib/%d" % rng.randrange(1000))
        out += header + bytes(512 - len(header))
        out += rng.choice((text, noise, runs))(rng, rng.randrange(9000))
        out += bytes(-len(out) % 512)
    return bytes(out[:size])


def noise(rng, size):
    return rng.randbytes(size)


def skewed(rng, size):
    """Few literals, of very different frequencies: long codes."""
    return bytes(rng.choices(range(40), [1.6 ** -i for i in range(40)], k=size))


def runs(rng, size):
    out = bytearray()
    while len(out) < size:
        out += bytes([rng.randrange(256)]) * rng.choice((1, 3, 4, 258, 259, 1000, 70000))
    return bytes(out[:size])


def periodic(rng, size):
    period = rng.choice((2, 3, 5, 258, 4096, 4097, 32505, 32506, 32507, 32767, 32768, 32769, 40000))
    return (rng.randbytes(period) * (size // period + 1))[:size]


def mixed(rng, size):
    out = bytearray()
    while len(out) < size:
        kind = rng.choice((text, noise, skewed, runs, periodic, records))
        out += kind(rng, rng.randint(1, 100000))
    return bytes(out[:size])


KINDS = (text, records, noise, skewed, runs, periodic, mixed)


def size_of_case(rng):
    how = rng.randrange(10)
    if how == 0:
        return rng.randrange(300)
    if how == 1:
        return rng.randrange(3 << 20)
    border = rng.choice(BORDERS) * rng.choice((1, 1, 1, 2, 3))
    return max(0, border + rng.randint(-2, 2)) % (4 << 20)


# --- the samples of samples.h --------------------------------------------------------------------

SAMPLE_SIZES = (0, 1, 15, 16, 17, 127, 128, 129, 16383, 16384, 16385, 32767, 32768, 32769, 65534,
                65535, 65536, 65537, 131070, 131071, 131072, 131073, 262144)
SAMPLE_BYTES = 1 << 20


class SampleRandom:
    def __init__(self):
        self.state = 1

    def next(self):
        self.state = (self.state * 1664525 + 1013904223) & 0xffffffff
        return self.state >> 8


def sample_noise(random_bits, size):
    return bytes(random_bits.next() >> 16 for _ in range(size))


def sample_words(random_bits, size):
    out = bytearray()
    while len(out) < size:
        word = random_bits.next() >> 18
        out += bytes(97 + (word * 7 + i * i * 3) % 26 for i in range(2 + word % 7)) + b" "
    return bytes(out[:size])


def sample_runs(random_bits, size):
    out = bytearray()
    while len(out) < size:
        byte = random_bits.next() >> 22
        out += bytes([byte]) * (1, 3, 4, 258, 259, 1000)[random_bits.next() % 6]
    return bytes(out[:size])


def sample_records(random_bits, size):
    out = bytearray()
    record = 0
    while len(out) < size:
        name = b"usr/lib/%08x" % record
        record += 1
        out += name + bytes(512 - len(name))
        out += sample_words(random_bits, random_bits.next() % 3000)
        out += sample_noise(random_bits, random_bits.next() % 500)
    return bytes(out[:size])


def print_expected(_, directory):
    samples = [kind(SampleRandom(), SAMPLE_BYTES)
               for kind in (sample_noise, sample_words, sample_runs, sample_records)]
    go = go_server("", directory / "go")
    rows = [("kGoFlate", level, 0, lambda plain, l=level: go_stream(go, l, plain))
            for level in GO_LEVELS]
    rows += [("kZlib", level, 0, lambda plain, l=level: zlib_stream(l, plain))
             for level in range(1, 10)]
    rows += [("kPigz", level, 131072, lambda plain, l=level: pigz_stream(l, plain, 131072))
             for level in range(1, 10)]
    for family, level, block_bytes, produce in rows:
        streams = hashlib.sha256()
        for sample in samples:
            for size in SAMPLE_SIZES:
                streams.update(produce(sample[:size]))
        streams.update(produce(samples[-1]))
        print(f'    {{EncoderFamily::{family}, {level}, {block_bytes},\n'
              f'     "{streams.hexdigest()}"}},')
    for level in (1, 4):
        stream = go_stream(go, level, samples[-1] * 18)
        print(f"18 MiB, Go {level}: {hashlib.sha256(stream).hexdigest()}")
    return 0


# --- random cases --------------------------------------------------------------------------------

def run_cases(arguments, directory):
    models = Server([arguments.encode_stream])
    producers = []
    if shutil.which("go"):
        for number, toolchain in enumerate(arguments.go.split(",")):
            server = go_server(toolchain, directory / f"go{number}")
            for level in GO_LEVELS:
                producers.append((f"Go {toolchain or 'as installed'}", GO, level, 0,
                                  lambda plain, s=server, l=level: go_stream(s, l, plain)))
    else:
        print("skipped: Go's compress/flate, as there is no command `go`")
    for level in range(1, 10):
        producers.append(("zlib", ZLIB, level, 0, lambda plain, l=level: zlib_stream(l, plain)))
    if shutil.which("pigz"):
        for level in range(1, 10):
            for block_bytes in (131072, 131072, 262144, 32768):
                producers.append(("pigz", PIGZ, level, block_bytes,
                                  lambda plain, l=level, b=block_bytes: pigz_stream(l, plain, b)))
    else:
        print("skipped: pigz, as there is no command `pigz`")

    rng = random.Random(arguments.seed)
    names = sorted({producer[0] for producer in producers})
    counts, checkpoints, wrong = {}, {}, 0
    for case in range(arguments.cases):
        name = rng.choice(names)
        _, family, level, block_bytes, produce = rng.choice([p for p in producers if p[0] == name])
        kind, size = rng.choice(KINDS), size_of_case(rng)
        plain = kind(rng, size)
        request = (f"{family} {level} {block_bytes} {rng.choice((0, 1, 200000))} "
                   f"{rng.choice((0, rng.randrange(1, 1 << 30)))} {len(plain)}")
        words, stream = models.ask(request, plain)
        counts[name] = counts.get(name, 0) + 1
        checkpoints[name] = checkpoints.get(name, 0) + int(words[1])
        if words[2] != "ok" or stream != produce(plain):
            wrong += 1
            print(f"case {case} of seed {arguments.seed}: {name} {level}, blocks of {block_bytes}, "
                  f"{size} bytes of {kind.__name__} ({request}): {words[2]}")
    models.close()
    for name in sorted(counts):
        print(f"{name}: {counts[name]} cases, {checkpoints[name]} checkpoints resumed")
    print(f"{arguments.cases} cases, {wrong} differences")
    return 1 if wrong else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--encode-stream", metavar="BINARY")
    action.add_argument("--expected", action="store_true")
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--go", default="", help="toolchains, as GOTOOLCHAIN names them")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        action = print_expected if arguments.expected else run_cases
        sys.exit(action(arguments, pathlib.Path(directory)))


if __name__ == "__main__":
    main()
