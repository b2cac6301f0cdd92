"""The end of prune_soak.py: df, du, the files, the names of the store and fsck must agree."""

import json
import os
import subprocess
import time

from kill_loop import MAX_INLINE_BYTES, files_below
from registry import Registry

CATCH_UP_SECONDS = 60
FSCK_FINDINGS = 3  # exit code


def prune_until_nothing_waits(daemon):
    """Dangling images go; waits until the reclaimer has taken all that nothing keeps."""
    deadline = time.monotonic() + CATCH_UP_SECONDS
    while time.monotonic() < deadline:
        lines = daemon.cli("image", "prune", "--force", "--json").splitlines()
        report = json.loads(lines[-1])
        usage = usage_of(daemon)
        if (report["images"] + report["deferred"] + report["skipped"] == 0
                and usage["unreferenced"]["count"] == 0 and usage["uploads"]["count"] == 0):
            return
        time.sleep(0.2)
    raise AssertionError(f"after {CATCH_UP_SECONDS} s without clients there is still garbage: "
                         f"prune says {report}, df says {usage}")


def usage_of(daemon):
    return json.loads(daemon.cli("system", "df", "--json"))


def needed_blobs(daemon, model):
    """digest -> size of all that tags and holds keep, which must be what the clients know of."""
    registry = Registry(daemon.address)
    roots, tagged = set(), set()
    for row in daemon.cli("repo", "ls", "-q").split():
        answer = registry.request("GET", f"/v2/{row}/tags/list?n=10000")
        for tag in json.loads(answer.expect(200).body)["tags"] or []:
            manifest = registry.get_manifest(row, tag).expect(200)
            roots.add((row, manifest.headers["Docker-Content-Digest"]))
            tagged.add((row, tag))
    holds = [json.loads(line) for line in daemon.cli("hold", "ls", "--json").splitlines()]
    roots |= {(hold["repository"], hold["digest"]) for hold in holds}
    for image, _, tags in model.all_kept():
        assert (image.repository, image.digest) in roots, f"{image.digest} is not named any more"
        missing = [tag for tag in tags if (image.repository, tag) not in tagged]
        assert not missing, f"tags {missing} of {image.repository} are gone"
    back = [name for name in model.gone() if name in tagged or name in roots]
    assert not back, f"removed, and there again: {back[:3]}"
    needed = {}
    for repository, digest in roots:
        for part, content in registry.read_image(repository, digest).items():
            needed[part] = len(content)
    registry.close()
    return needed, len(roots)


def expect_equal(what, first, second):
    assert first == second, f"{what}: {first} and {second}"


def allocated_bytes(folder):
    """(bytes, files) as du counts them, without folders."""
    found = [os.stat(f"{directory}/{name}") for directory, _, names in os.walk(folder)
             for name in names]
    return sum(stat.st_blocks * 512 for stat in found), len(found)


def compare_index(daemon):
    """Its files come and go by themselves (compaction, its log): equal within some looks."""
    for _ in range(20):
        before = usage_of(daemon)["index_disk_bytes"]
        on_disk, _ = allocated_bytes(f"{daemon.data_dir}/index")
        if before == on_disk:
            return on_disk
        time.sleep(0.2)
    raise AssertionError(f"index/ takes {on_disk} bytes, df says {before}")


def fsck(daemon):
    """A sentence about what the store's own check finds."""
    done = subprocess.run([*daemon.command, "system", "fsck", "--help"], check=False,
                          capture_output=True, text=True, timeout=60)
    if done.returncode != 0 or "fsck" not in done.stdout.split("Usage:", 1)[-1].split("\n")[0]:
        return "fsck SKIPPED: this varve has no such command"
    done = subprocess.run([*daemon.command, "system", "fsck", "--json"], check=False,
                          capture_output=True, text=True, timeout=300)
    assert done.returncode in (0, FSCK_FINDINGS), f"fsck failed: {done.stderr}"
    assert done.returncode == 0, f"fsck found: {done.stdout[:2000]}"
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["rows"] > 0 and report["findings"] == 0, report
    return f"fsck finds nothing in {report['rows']} rows and {report['files']} files"


def settle_accounts(daemon, model):
    """Everything agrees; returns sentences with the figures."""
    prune_until_nothing_waits(daemon)
    needed, images = needed_blobs(daemon, model)
    loose = sorted(entry for entry in needed.items() if entry[1] > MAX_INLINE_BYTES)
    small = {digest: size for digest, size in needed.items() if size <= MAX_INLINE_BYTES}
    rows = [json.loads(line) for line in daemon.cli("blob", "ls", "--json").splitlines()]
    stored = {row["digest"]: row["size_bytes"] for row in rows}
    leaked, lost = sorted(stored.keys() - needed.keys()), sorted(needed.keys() - stored.keys())
    assert not leaked and not lost, f"nothing names {leaked[:3]}; the store misses {lost[:3]}"
    files = files_below(f"{daemon.data_dir}/blobs")
    assert files == loose, (
        f"blobs/ has {len(files)} files, {len(loose)} are named; first that differ: "
        f"{[entry for entry in files if entry not in loose][:2]}, "
        f"{[entry for entry in loose if entry not in files][:2]}")
    usage = usage_of(daemon)
    blob_bytes, blob_files = allocated_bytes(f"{daemon.data_dir}/blobs")
    expect_equal("files under blobs/ and df", blob_files, usage["loose"]["count"])
    expect_equal("du of blobs/ and df", blob_bytes, usage["loose"]["disk_bytes"])
    expect_equal("bytes of blobs in files, named and by df", sum(size for _, size in loose),
                 usage["loose"]["logical_bytes"])
    expect_equal("blobs in the index, named and by df", (len(small), sum(small.values())),
                 (usage["inlined"]["count"], usage["inlined"]["logical_bytes"]))
    expect_equal("df of all blobs and of tagged, dangling and unreferenced ones",
                 usage["loose"]["disk_bytes"],
                 sum(usage[part]["disk_bytes"] for part in ("tagged", "dangling", "unreferenced")))
    expect_equal("dangling images that no prune took", usage["dangling"]["count"], 0)
    index_bytes = compare_index(daemon)
    other = {"LOCK", "STORE", "RESERVE", "blobs", "index"}
    expect_equal("what is in the data directory besides", set(os.listdir(daemon.data_dir)) - other,
                 set())
    return [f"{images} images are kept; {len(stored)} blobs of the store are those that they name",
            f"df and du agree: {blob_files} files with {blob_bytes} bytes under blobs/, "
            f"{index_bytes} under index/", fsck(daemon)]
