#!/usr/bin/env python3
"""Prints "PASSED FAILED SKIPPED" for a results file: "meson FILE" (its test log, a JSON object a line) or "junit FILE".
A file that is missing or broken counts as one failure: a suite that did not end has not passed."""
import json
import sys
import xml.etree.ElementTree as ElementTree


def count_meson(path):
    results = [json.loads(line)["result"] for line in open(path)]
    good = sum(r in ("OK", "EXPECTEDFAIL") for r in results)
    skipped = sum(r == "SKIP" for r in results)
    return good, len(results) - good - skipped, skipped


def count_junit(path):
    passed = failed = skipped = 0
    for suite in ElementTree.parse(path).getroot().iter("testsuite"):
        bad = int(suite.get("failures")) + int(suite.get("errors"))
        failed += bad
        skipped += int(suite.get("skipped"))
        passed += int(suite.get("tests")) - bad - int(suite.get("skipped"))
    return passed, failed, skipped


def main():
    try:
        counts = {"meson": count_meson, "junit": count_junit}[sys.argv[1]](sys.argv[2])
    except (OSError, ValueError, KeyError, ElementTree.ParseError):
        counts = (0, 1, 0)
    if counts == (0, 0, 0):
        counts = (0, 1, 0)
    print(*counts)


main()
