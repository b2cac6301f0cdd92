"""The OCI distribution conformance suite: defaults of 1.1, then with every optional switch."""

import os
import re
import subprocess

from cases.go_tools import go_build
from harness import case

PACKAGE = "github.com/opencontainers/distribution-spec/conformance"
VERSION = "v0.0.0-20260831232431-97274622c111"


def run_suite(context, address, **settings):
    """Runs it against `address`; returns its counts, fails when one test does."""
    program = go_build(PACKAGE, VERSION)
    environment = {name: text for name, text in os.environ.items() if not name.startswith("OCI_")}
    environment |= {"OCI_REGISTRY": address, "OCI_TLS": "disabled", "OCI_VERSION": "1.1",
                    "OCI_RESULTS_DIR": f"{context.folder}/results"} | settings
    done = subprocess.run((program,), cwd=context.folder, env=environment, capture_output=True,
                          text=True, timeout=600, check=False)
    counts = dict(re.findall(r"^  (\w+)\.+: +(\d+)$", done.stdout, re.MULTILINE))
    assert "Total" in counts, done.stdout[-1500:] + done.stderr[-1500:]
    note = ", ".join(f"{name} {number}" for name, number in counts.items())
    not_passed = re.findall(r"^  (\w.*?)\.+: +(FAIL|Error|Skip|Disabled)$", done.stdout,
                            re.MULTILINE)
    if not_passed:
        note += "; " + ", ".join(f"{name}: {verdict}" for name, verdict in not_passed)
    details = re.findall(r"^.*(?:FAIL|level=ERROR|Error:).*$", done.stdout + done.stderr,
                         re.MULTILINE)
    assert done.returncode == 0, note + "\n" + "\n".join(details[:60])
    assert counts["FAIL"] == "0" and counts["Error"] == "0", note
    return note


@case
def defaults(context):
    return run_suite(context, context.address)


@case
def every_optional_switch(context):
    with context.own_daemon(REGISTRY_SPARSE_INDEX="accept") as daemon:
        return run_suite(context, daemon.address, OCI_DATA_SPARSE="true",
                         OCI_API_MANIFESTS_TAG_PARAM="true", OCI_API_BLOBS_UPLOAD_CANCEL="true",
                         OCI_API_BLOBS_DIGEST_HEADER="true",
                         OCI_API_MANIFESTS_DIGEST_HEADER="true")
