"""e2e/programs.py: real mail programs, started by a test, and content that is hard to carry."""
import hashlib
import random
import shutil
import subprocess

import pytest

from rig.patience import PATIENCE


def need(*programs):
    """Fails where one is not installed: what is not tried is not shown."""
    for program in programs:
        if not shutil.which(program):
            pytest.fail(f"{program} is not installed; ./check e2e installs what these tests need")


def run(*words, stdin=b"", timeout=PATIENCE):
    """Runs a program to its end; exit status 0 is expected. What it said."""
    done = subprocess.run([str(word) for word in words], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout)
    said = done.stdout.decode("utf-8", "backslashreplace")
    assert done.returncode == 0, f"{words[0]}: exit {done.returncode}:\n{said[-3000:]}"
    return said


def digest(octets):
    return hashlib.sha256(octets).hexdigest()


def lines_of(octets):
    """As CRLF lines, whatever the line ends were."""
    return octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def body_of(octets):
    """What stands behind the first empty line."""
    return octets.partition(b"\n\n" if b"\r\n\r\n" not in octets else b"\r\n\r\n")[2]


def fields_of(octets, name):
    """The unfolded values of a header field, first one first."""
    header = octets.replace(b"\r\n", b"\n").partition(b"\n\n")[0].decode("utf-8", "replace").replace("\n ", " ").replace("\n\t", " ")
    return [line.partition(":")[2].strip() for line in header.split("\n") if line.lower().startswith(name.lower() + ":")]


DOTS = b".\r\n..\r\n...\r\n.leading\r\nFrom is no separator\r\n. \r\n\r\n.\r\n"
LONG = b"".join(bytes([97 + at]) * 998 + b"\r\n" for at in range(5)) + b"." * 998 + b"\r\n"
UTF8 = "Grüße aus Köln, \u65e5\u672c\u8a9e, \U0001f4ee\r\n".encode() * 20


def eight_bit():
    """Every octet but NUL, CR and LF, at every place of a line."""
    octets = bytes(octet for octet in range(1, 256) if octet not in b"\r\n")
    return b"".join(octets[at:] + octets[:at] + b"\r\n" for at in range(0, 253, 11))


def large(size, seed=1):
    """Lines of every length, many with a leading dot, in about so many octets."""
    source = random.Random(seed)
    letters = bytes(source.choice(b"abcdefghijklmnopqrstuvwxyz0123456789+/ .\xc3\xa4") for _ in range(4096))
    parts, have = [], 0
    while have < size:
        start, length = source.randrange(3000), source.randrange(0, 998)
        line = (b"." if source.random() < 0.3 else b"") + letters[start:start + length]
        line = line[:998] + b"\r\n"
        parts.append(line)
        have += len(line)
    return b"".join(parts)
