#!/usr/bin/env python3
"""Writes the seeds of tar_splitter_fuzzer: small archives as Python and GNU tar write them, the
same each time. tests/storage/tar/written_archives_test.cc says what each of them holds.
"""

import io
import os
import pathlib
import re
import subprocess
import tarfile
import tempfile

TIME = 1_700_000_000
FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}


def member(name, size=0, **fields):
    info = tarfile.TarInfo(name)
    info.size, info.mtime = size, TIME
    for key, value in fields.items():
        setattr(info, key, value)
    return info


def python_archive(archive_format):
    """A directory, files of 600, 10 and 1,100 bytes, links; where the format allows it, a long name
    and a time with a fraction."""
    out = io.BytesIO()
    name = "d/" + "long" * (20 if archive_format == tarfile.USTAR_FORMAT else 40)
    time = TIME + 0.5 if archive_format == tarfile.PAX_FORMAT else TIME
    with tarfile.open(fileobj=out, mode="w", format=archive_format) as archive:
        archive.addfile(member("d", type=tarfile.DIRTYPE))
        archive.addfile(member("d/first", 600), io.BytesIO(b"1" * 600))
        archive.addfile(member("d/small", 10), io.BytesIO(b"s" * 10))
        archive.addfile(member(name, 1100, mtime=time), io.BytesIO(b"2" * 1100))
        archive.addfile(member("d/hard", type=tarfile.LNKTYPE, linkname="d/first"))
        archive.addfile(member("d/soft", type=tarfile.SYMTYPE, linkname=name[:100]))
    return out.getvalue().rstrip(b"\0") + bytes(1024)


def without_process_id(archive):
    """GNU tar puts its process id into names of sparse files."""
    blocks = [archive[at:at + 512] for at in range(0, len(archive), 512)]
    for number, block in enumerate(blocks):
        name = re.match(rb"d/GNUSparseFile\.\d+/b\0", block)
        if name:
            block = b"d/GNUSparseFile.1/b".ljust(100, b"\0") + block[100:]
            checksum = sum(block[:148] + b" " * 8 + block[156:])
            blocks[number] = block[:148] + b"%06o\0 " % checksum + block[156:]
    return b"".join(blocks)


def gnu_archive(*options):
    """Of GNU tar: a directory, a file of 600 bytes, one with two holes, one of 512 bytes."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder) / "d"
        root.mkdir()
        (root / "a").write_bytes(b"1" * 600)
        with open(root / "b", "wb") as sparse:
            sparse.write(b"x" * 512)
            sparse.seek(100_000)
            sparse.write(b"y" * 700)
            sparse.truncate(200_000)
        (root / "c").write_bytes(b"2" * 512)
        for path in (root / "a", root / "b", root / "c", root):
            os.utime(path, (TIME, TIME))
            path.chmod(0o755)
        return without_process_id(subprocess.run(
            ["tar", "--create", "--file=-", "--sparse", "--hole-detection=raw", "--sort=name",
             "--owner=root:0", "--group=root:0", "--blocking-factor=2", *options, "d"],
            cwd=folder, check=True, capture_output=True).stdout)


def seeds():
    yield from ((name, python_archive(number)) for name, number in FORMATS.items())
    yield "old_sparse", gnu_archive("--format=oldgnu")
    for version in ("0.0", "0.1", "1.0"):
        yield f"pax_sparse_{version}", gnu_archive(
            "--format=posix", f"--sparse-version={version}",
            "--pax-option=exthdr.name=%d/pax/%f,delete=atime,delete=ctime")
    ustar = python_archive(tarfile.USTAR_FORMAT)
    yield "torn", ustar[:1500]
    yield "twice", ustar + ustar
    yield "garbage", ustar + b"garbage" * 200
    yield "no_tar", b"no tar" * 100
    yield "zeros", bytes(1024)


def main():
    folder = pathlib.Path(__file__).parent / "corpus" / "tar_splitter_fuzzer"
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in seeds():
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()
