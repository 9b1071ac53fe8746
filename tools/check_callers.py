#!/usr/bin/env python3
"""Refuses a function that a header of src/ offers and nobody in the program takes. Three kinds of breach: no caller at all;
callers in the tests alone; callers in its own file alone, and no test, so that it should be static. A function that its own
file and the tests call is a unit with a test of its own, and fine. What a test needs to give memory back (_free, _clear) is
fine too: rooms end without. A fourth kind: a function, offered or not, to which no way leads from main or a table, such as two
that call only each other. A variable, a member or a type of the same name is no use. Reads the sources as text, so it needs no build.
Prints every breach; exit 1 then."""
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
# A definition with its body; what only declares; a name that is no member.
BODY = re.compile(r"^(?!#|typedef|(?:struct|enum) \w* ?\{)[A-Za-z_][^;{}=#]*?\b(\w+)\((?:[^;{}]|\{[^}]*\})*?\)[^;{}=]*\{\n(.*?)^\}", re.M | re.S)
DECLARATION = re.compile(r"^[A-Za-z_][^;{}=#\n]*?[\s*(]\w+\([^;{}]*?\)[^;{}=]*;|^(?:struct|enum|union) \w* ?\{\n.*?^\}", re.M | re.S)
USE = re.compile(r"(?<![\w.])(?<!->)(?<!struct )(?<!enum )[A-Za-z_]\w*\b")
MEMBERS = re.compile(r"^(?:struct|enum|union) \w* ?\{\n.*?^\}|\bPACK_\w+\([^()]*\)", re.M | re.S)
# A variable or parameter, as clang-format writes its declaration.
VARIABLE = re.compile(r"(?<![\w.>])(?!(?:return|else|case|goto|sizeof)\b)[A-Za-z_]\w* \**([A-Za-z_]\w*)(?= [=:] |[;,\[)])")
# Further ones of the same declaration.
FURTHER = re.compile(r"^ +(?!return\b)[A-Za-z_][\w ]* \**\w+(?: = [^;,()]*)?((?:, \**\w+(?: = [^;,()]*)?)+);", re.M)


def read(path):
    return PRINTF.sub("", NOISE.sub(" ", path.read_text(errors="replace")))


def functions(texts):
    """Of each file its functions, as (name, the names that it uses)."""
    return {path: [(found[1], used(found[0])) for found in BODY.finditer(text)] for path, text in texts.items()}


def used(text):
    own = set(VARIABLE.findall(text)).union(*map(USE.findall, FURTHER.findall(text)))
    return [name for name in USE.findall(text) if name not in own]


def words(texts, parts):
    """How often each file uses each name."""
    counts = {}
    for path, text in texts.items():
        counts[path] = collections.Counter(USE.findall(VARIABLE.sub(" ", MEMBERS.sub(" ", BODY.sub(" ", text)))))
        for _name, names in parts[path]:
            counts[path].update(names)
    return counts


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


def unreached(texts, parts, in_tests):
    """Each function without a way to it from main, a table, or what tests are meant to call, with its file."""
    uses, homes, ways = {}, {}, {"main", *WINDOWS}
    for path, text in texts.items():
        for name, names in parts[path]:
            uses.setdefault(name, set()).update(names)
            homes[name] = path
        ways.update(USE.findall(DECLARATION.sub(" ", BODY.sub(" ", text))))
    ways |= {name for name in uses if in_tests[name] and name.endswith(("_free", "_clear"))}
    reached, left = set(), [name for name in ways if name in uses]
    while left:
        name = left.pop()
        if name not in reached:
            reached.add(name)
            left += uses[name] & uses.keys()
    return {name: path for name, path in homes.items() if name not in reached}


def main():
    texts = {path: read(path) for path in sorted(SRC.rglob("*.[ch]"))}
    parts = functions(texts)
    counts = words(texts, parts)
    tests = [path for folder in ("tests", "bench") for path in (ROOT / folder).rglob("*.[ch]")]
    test_texts = {path: read(path) for path in tests}
    in_tests = sum(words(test_texts, functions(test_texts)).values(), collections.Counter())
    names, homes = offered(texts), owners(texts)
    faults = [(header, name, why) for name, header in names.items()
              if (why := breach(name, header, homes.get(name, header), counts, in_tests[name]))]
    known = {name for _path, name, _why in faults}
    faults += [(path, name, "no way leads to it from main or a table") for name, path in unreached(texts, parts, in_tests).items()
               if name not in known]
    faults += [(pathlib.Path(__file__), name, "is no window any more") for name in WINDOWS if name not in names]
    for path, name, why in sorted(faults):
        print(f"{path.relative_to(ROOT)}: {name}: {why}")
    print(f"callers: {len(names)} functions, {len(faults)} breaches")
    return 1 if faults else 0


sys.exit(main())
