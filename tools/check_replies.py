#!/usr/bin/env python3
"""Holds the table of replies (src/smtp/reply.c) to what is done with it. Five kinds of breach: a reply that no part of the
program says and that smtp/reply_when.c does not mark as reserved ("-…"); a reserved one that some part says; a basic code 521
(LSN-4); a pair of codes that no test expects; a pair that the table and tests/rig/replies.py, which judges every reply that
any test reads, do not have in common. Reads the sources as text. Prints every breach; exit 1 then."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SRC = ROOT / "src"
ROW = re.compile(r"\[(REPLY_\w+)\] = \{ (\d{3}), \{ (\d+)(?:, (\d+), (\d+))? \}")
WHEN = re.compile(r"\[(REPLY_\w+)\] =\s*\"(-?)")
# Named where replies are looked at, not said.
LOOKING = {"smtp/reply.c", "smtp/reply.h", "smtp/reply_when.c", "smtp/reply_page.c", "gate/blunders.c", "ctl/explain.c"}
EXPECTING = (".dialogue", ".py", ".c")


def read(path):
    return path.read_text(errors="replace")


def table():
    """Reply to its pair of codes: "250 2.0.0", or "354" for one without an enhanced code."""
    rows = {}
    for name, code, *status in ROW.findall(read(SRC / "smtp/reply.c")):
        rows[name] = f"{code} {'.'.join(status)}" if status[1] else code
    return rows


def said():
    text = "".join(read(path) for path in sorted(SRC.rglob("*.[ch]")) if path.relative_to(SRC).as_posix() not in LOOKING)
    return set(re.findall(r"\bREPLY_\w+", text))


def expected():
    """Every pair that a test of the gate names."""
    text = "\n".join(read(path) for path in sorted((ROOT / "tests").rglob("*"))
                     if path.suffix in EXPECTING and path.is_file() and path.name != "replies.py"
                     and not path.is_relative_to(ROOT / "tests/unit/smtp"))
    pairs = re.findall(r"\b([2-5]\d\d)[ -]([245]\.\d{1,3}\.\d{1,3})\b", text)
    return {" ".join(pair) for pair in pairs} | set(re.findall(r"(?:< |\")([23]\d\d)\b", text))


def catalogue():
    sys.path.insert(0, str(ROOT / "tests"))
    from rig.replies import CATALOGUE
    return {f"{code} {status}" if status else str(code) for code, statuses in CATALOGUE.items() for status in statuses}


def main():
    rows, used, tests = table(), said(), expected()
    reserved = {name for name, mark in WHEN.findall(read(SRC / "smtp/reply_when.c")) if mark}
    breaches = [f"{name} is said nowhere and not reserved" for name in rows if name not in used and name not in reserved]
    breaches += [f"{name} is reserved, and said" for name in sorted(reserved & used)]
    breaches += [f"{name} is a 521" for name, pair in rows.items() if pair.startswith("521")]
    pairs = {pair: name for name, pair in rows.items() if name not in reserved}
    breaches += [f"{pair} ({name}) is expected by no test" for pair, name in pairs.items() if pair not in tests]
    breaches += [f"{pair} is in one of table and tests/rig/replies.py alone" for pair in sorted(set(pairs) ^ catalogue())]
    for breach in breaches:
        print(f"replies: {breach}")
    print(f"replies: {len(pairs)} pairs of codes, {len(reserved)} replies reserved, {len(breaches)} breaches")
    return 1 if breaches else 0


sys.exit(main())
