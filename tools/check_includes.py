#!/usr/bin/env python3
"""Refuses an include that the architecture does not allow. The rules are those of ARCHITECTURE.md: includes go one way,
rooms never see each other, and each outside library is seen by the folder that owns it. Prints every breach; exit 1 then."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SRC = ROOT / "src"

# folder: the folders it may include besides its own
MAY_INCLUDE = {
    "base": set(),
    "net": {"base"},
    "ipc": {"base", "net"},
    "smtp": {"base"},
    "message": {"base", "smtp"},
    "users": {"base", "smtp"},
    "conf": {"base", "smtp", "users"},
    "policy": {"base", "smtp", "users", "conf"},
    "spool": {"base"},
}
MIDDLE = {"base", "net", "ipc", "smtp", "message", "users", "conf", "policy"}
MAY_INCLUDE |= {
    "gate": MIDDLE | {"spool"},
    "queue": MIDDLE | {"spool"},
    "relay": MIDDLE,
    "vault": MIDDLE,
    "maildrop": MIDDLE,
    "fetch": MIDDLE,
    "supervisor": MIDDLE,
    "ctl": MIDDLE,
}
# main.c names every room, and that is all it does.
EXCEPTIONS = {"supervisor/main.c": {"gate", "vault", "queue", "relay", "maildrop", "fetch"}}

# library header pattern: folders (or single files) that may include it
LIBRARIES = [
    (r"event2?/|event\.h", {"net"}),
    (r"openssl/(ssl|bio|x509|x509v3|provider|core.*)\.h", {"net", "vault/key.c", "vault/sign.c"}),
    (r"openssl/", {"net", "vault", "users"}),
    (r"unbound", {"net"}),
    (r"curl/", {"net"}),
    (r"gsasl\.h", {"vault", "users"}),
    (r"seccomp\.h", {"ipc"}),
    (r"crypt\.h", {"users"}),
    (r"confuse\.h", {"conf"}),
    (r"jansson\.h", {"ctl", "queue", "vault/json.h"}),
    (r"xxhash\.h", {"base", "ipc", "spool", "gate"}),
    (r"ut(hash|list|array)\.h", {"base/map.h"}),
    (r"idn2\.h", {"smtp"}),
    (r"uni(str|case|norm|ctype)\.h", {"smtp", "message", "users"}),
]

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')


def library_fault(name, folder, rel):
    for pattern, allowed in LIBRARIES:
        if re.match(pattern, name):
            return None if folder in allowed or rel in allowed else f"<{name}> is only for {', '.join(sorted(allowed))}"
    return None


def own_fault(name, folder, rel):
    if not (SRC / name).is_file():
        return f'"{name}" is not below src/'
    target = name.split("/")[0]
    allowed = MAY_INCLUDE[folder] | {folder} | EXCEPTIONS.get(rel, set())
    return None if target in allowed else f'{folder}/ may not include {target}/ ("{name}")'


def faults_of(path):
    rel = path.relative_to(SRC).as_posix()
    folder = rel.split("/")[0]
    if folder not in MAY_INCLUDE:
        yield f"{rel}: no rule for the folder {folder}/"
        return
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        check = own_fault if match.group(1) == '"' else library_fault
        fault = check(match.group(2), folder, rel)
        if fault:
            yield f"src/{rel}:{number}: {fault}"


def picture_faults():
    text = (ROOT / "ARCHITECTURE.md").read_text() if (ROOT / "ARCHITECTURE.md").is_file() else ""
    for folder in sorted(p.name for p in SRC.iterdir() if p.is_dir()):
        if f"{folder}/" not in text:
            yield f"ARCHITECTURE.md does not name {folder}/"


def main():
    paths = sorted(SRC.rglob("*.[ch]"))
    faults = [fault for path in paths for fault in faults_of(path)] + list(picture_faults())
    for fault in faults:
        print(fault)
    print(f"includes: {len(paths)} files, {len(faults)} breaches")
    return 1 if faults else 0


sys.exit(main())
