#!/usr/bin/env python3
"""Which requirements do the tests name? Reads tests/requirements.txt and every test file; prints, for each group, how many
of its IDs are named and which are not."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
ID = re.compile(r"\b(?:SUB-\d(?:\.\d)?|LSN|CMD|GRM|DATA|TLS|AUTH|SASL|MSG|QUE|OUT|DSN|RTLS|LOG|OPS|EXT-[A-Z0-9]+)-\d+\b")


def read_groups():
    groups, later, name = {}, {}, None
    for line in (ROOT / "tests/requirements.txt").read_text().splitlines():
        if line.startswith("["):
            name = line.strip("[]")
            groups[name] = []
        elif line and not line.startswith("#"):
            key, _, why = line.partition(" later: ")
            groups[name].append(key)
            if why:
                later[key] = why
    return groups, later


def named_ids():
    found = {}
    for path in sorted((ROOT / "tests").rglob("*")):
        if path.suffix not in {".c", ".py", ".dialogue"} or not path.is_file():
            continue
        for match in ID.finditer(path.read_text(errors="replace")):
            found.setdefault(match.group(), path.relative_to(ROOT).as_posix())
    return found


def main():
    groups, later = read_groups()
    found = named_ids()
    covered = total = 0
    for name, keys in groups.items():
        wanted = [key for key in keys if key not in later]
        missing = [key for key in wanted if key not in found]
        covered += len(wanted) - len(missing)
        total += len(wanted)
        print(f"{name:5} {len(wanted) - len(missing):3} of {len(wanted):3}" + (f"  not shown: {' '.join(missing)}" if missing else ""))
    print(f"requirements: {covered} of {total} of this version are shown by a test, {len(later)} belong to a later one")
    return 0


sys.exit(main())
