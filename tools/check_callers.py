#!/usr/bin/env python3
"""Refuses a function that a header of src/ offers and nobody in the program takes. Three kinds of breach: no caller at all;
callers in the tests alone; callers in its own file alone, and no test, so that it should be static. A function that its own
file and the tests call is a unit with a test of its own, and fine. What a test needs to give memory back (_free, _clear) is
fine too: rooms end without. Reads the sources as text, so it needs no build. Prints every breach; exit 1 then."""
import collections
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SRC = ROOT / "src"

# Called by tests alone, on purpose: how they turn a room and what they look at from outside.
WINDOWS = {
    "channel_backlog": "nothing is left unsent",
    "conf_diff": "no setting is lost on the way into a room",
    "failures_entries": "the table of failed logins stays bounded",
    "loop_turn": "a room in steps",
    "pool_count": "idle connections are kept and ended",
    "stock_busy": "chores come to an end",
    "store_users": "the user file is read again",
    "tls_signer_parked": "no handshake of a client that has gone is forgotten",
    "tls_signer_waiting": "no signature is asked for and forgotten",
}

NOISE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
# The name that is declared or defined by a text which begins in the first column.
HEAD = re.compile(r"^(?!static\b|typedef\b|return\b|#)\w[\w\s*]*?[\s*](?:MUST_CHECK\s+)?(\w+)\(", re.MULTILINE)
PRINTF = re.compile(r"^PRINTF_LIKE\([^)]*\)\s*", re.MULTILINE)
INLINE = re.compile(r"^static inline\s[\w\s*]*?[\s*](\w+)\(", re.MULTILINE)
WORD = re.compile(r"\b[A-Za-z_]\w*\b")


def read(path):
    return PRINTF.sub("", NOISE.sub(" ", path.read_text(errors="replace")))


def words(texts):
    return {path: collections.Counter(WORD.findall(text)) for path, text in texts.items()}


def offered(texts):
    """Each name that a header declares or defines inline, with that header."""
    return {name: path for path, text in texts.items() if path.suffix == ".h"
            for pattern in (HEAD, INLINE) for name in pattern.findall(text)}


def owners(texts):
    """Each name that a .c file defines for others, with that file."""
    return {name: path for path, text in texts.items() if path.suffix == ".c" for name in HEAD.findall(text)}


def breach(name, header, owner, counts, in_tests):
    elsewhere = sum(count[name] for path, count in counts.items() if path not in (owner, header))
    at_home = sum(counts[path][name] - 1 for path in {owner, header})
    if elsewhere > 0 or (at_home > 0 and (in_tests > 0 or owner == header)):
        return None
    if at_home > 0:
        return "should be static: only its own file calls it"
    if in_tests == 0:
        return "nobody calls it"
    if name in WINDOWS or name.endswith(("_free", "_clear")):
        return None
    return "only tests call it"


def main():
    texts = {path: read(path) for path in sorted(SRC.rglob("*.[ch]"))}
    counts = words(texts)
    tests = [path for folder in ("tests", "bench") for path in (ROOT / folder).rglob("*.[ch]")]
    in_tests = sum(words({path: read(path) for path in tests}).values(), collections.Counter())
    names, homes = offered(texts), owners(texts)
    faults = [(header, name, why) for name, header in names.items()
              if (why := breach(name, header, homes.get(name, header), counts, in_tests[name]))]
    faults += [(pathlib.Path(__file__), name, "is no window any more") for name in WINDOWS if name not in names]
    for path, name, why in sorted(faults):
        print(f"{path.relative_to(ROOT)}: {name}: {why}")
    print(f"callers: {len(names)} functions, {len(faults)} breaches")
    return 1 if faults else 0


sys.exit(main())
