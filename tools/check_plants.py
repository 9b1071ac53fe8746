#!/usr/bin/env python3
"""Refuses a planted fault (tests/*/plants/*.patch) that no longer applies to the source: nobody would notice that it proves nothing
until the next long run. Prints every breach; exit 1 then."""
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def applies(plant):
    with plant.open("rb") as text:
        return subprocess.run(["patch", "-p1", "--batch", "--silent", "--dry-run"], cwd=ROOT, stdin=text, capture_output=True,
                              check=False).returncode == 0


def main():
    plants = sorted(ROOT.glob("tests/*/plants/*.patch"))
    stale = [plant for plant in plants if not applies(plant)]
    for plant in stale:
        print(f"{plant.relative_to(ROOT)}: the patch no longer applies; make it anew, or remove it with the code it spoiled")
    sys.exit(bool(stale) or not plants)


if __name__ == "__main__":
    main()
