#!/usr/bin/env python3
"""Reads the JUnit report of a ctest run; prints failures, skips with their reason, and the counts.

The last line is "passed failed skipped". A run in which no test ran counts as one failure.
"""

import re
import sys
import xml.etree.ElementTree as xml

OUTPUT_LINES = 60


def reason_of(output):
    """What the test said when it skipped itself: GoogleTest prints it before the line SKIPPED."""
    match = re.search(r"Skipped\n(.*?)\n", output)
    if match and match.group(1).strip():
        return match.group(1).strip()
    lines = [line for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"


def skipped_itself(case):
    """A test that ctest could not start is not a skip, although ctest calls it one."""
    skip = case.find("skipped")
    return skip is not None and skip.get("message", "").startswith("SKIP_")


def main(path):
    passed = failed = skipped = 0
    for case in xml.parse(path).getroot().iter("testcase"):
        output = case.findtext("system-out") or ""
        status = case.get("status")
        if status == "run":
            passed += 1
        elif skipped_itself(case):
            skipped += 1
            print(f"    SKIP {case.get('name')}: {reason_of(output)}")
        else:
            failed += 1
            print(f"    FAILED {case.get('name')}")
            for line in output.splitlines()[-OUTPUT_LINES:]:
                print(f"        {line}")
    if passed + failed == 0:
        failed = 1
        print("    FAILED: no test ran")
    print(passed, failed, skipped)


if __name__ == "__main__":
    main(sys.argv[1])
