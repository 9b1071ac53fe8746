#!/usr/bin/python3
"""tests/fuzz/seeds.py OUT [BINARY]: seeds for the targets out of the tables of the unit tests and the dialogues, into
OUT/TARGET/. BINARY: the program of seeds.c, which adds the packed formats. `tests/fuzz/run --seeds` merges what raises
coverage into corpus/."""
import ast
import base64
import hashlib
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNIT = ROOT / "tests" / "unit"
SEED_MAX = 4096

# target: (files of tests/unit whose string literals are inputs, what to put before each)
FROM_TABLES = {
    "base_text": (["base/test_base64.c", "base/test_queue_id.c", "base/test_slice.c"], [b""]),
    "conf": (["conf/test_*.c", "conf/*.h"], [b""]),
    "ctl_arguments": (["ctl/test_arguments.c", "ctl/test_manual.c", "ctl/test_user.c"], [b""]),
    "ctl_answer": (["queue/test_control.c", "ctl/test_show.c"], [b"\0", b"\1", b"\4", b"\5"]),
    "message_date": (["message/test_date.c", "message/test_message_id.c"], [b""]),
    "message_header": (["message/test_header.c", "message/test_completion.c"], [b""]),
    "message_text": (["message/test_text.c", "message/test_mime.c", "message/test_received.c"], [b""]),
    "peer": (["net/test_peer.c"], [b""]),
    "policy_rights": (["policy/test_rights.c"], [b""]),
    "queue_control": (["queue/test_control.c"], [b"\0\0"]),
    "sasl": (["vault/test_sasl.c", "vault/test_scram.c"], [b"\0", b"\4", b"\1", b"\5", b"\x4c", b"\x45", b"\xce"]),
    "vault_login": (["vault/test_login.c"], [b"\0", b"\1", b"\2"]),
    "smtp_address": (["smtp/test_address.c", "smtp/test_parameters.c"], [b""]),
    "smtp_command": (["smtp/test_command.c", "smtp/test_address.c", "smtp/test_parameters.c"], [b""]),
    "smtp_data": (["smtp/test_data.c"], [b""]),
    "smtp_ehlo": (["smtp/test_ehlo.c"], [b""]),
    "smtp_line": (["smtp/test_line.c", "smtp/test_command.c"], [b""]),
    "smtp_reply": (["smtp/test_peer_reply.c", "smtp/test_reply.c"], [b""]),
    "users_file": (["users/test_file.c", "users/test_save.c"], [b""]),
    "users_save": (["users/test_file.c", "users/test_save.c"], [b"\0", b"\x3f", b"\6"]),
    "users_login": (["users/test_login.c", "users/test_password.c"], [b""]),
}
# Where the table holds lines without their ends, or arguments with blanks between them.
ENDINGS = {"smtp_command": b"\r\n", "smtp_line": b"\r\n", "smtp_reply": b"\r\n", "queue_control": b"\n"}
SPLIT = {"ctl_arguments"}

# Of fuzz_gate_session.c: plainly; STARTTLS; late answers; TLS; TLS, disturbed, late; two at once, disturbed.
CHOICES = (8, 1, 24, 40, 120, 216)
LOGIN = b"AUTH PLAIN AGFsaWNlQGV4YW1wbGUubmV0AHNlY3JldA==\r\n"

LITERALS = re.compile(rb'"(?:[^"\\\n]|\\.)*"(?:\s*"(?:[^"\\\n]|\\.)*")*')
ONE = re.compile(rb'"((?:[^"\\\n]|\\.)*)"')


def preprocessed(path):
    """The file's own lines with its macros expanded."""
    done = subprocess.run(["gcc", "-E", "-D_GNU_SOURCE", "-DSUBMITD_VERSION=\"x\"", f"-I{ROOT}/src", f"-I{ROOT}/tests", str(path)],
                          capture_output=True)
    own, lines = False, []
    for line in done.stdout.splitlines():
        mark = re.match(rb'# \d+ "([^"]*)"', line)
        if mark:
            own = UNIT.as_posix().encode() in mark[1]
        elif own:
            lines.append(line)
    return b"\n".join(lines)


def literals(path):
    text = preprocessed(path)
    for match in LITERALS.finditer(text):
        parts = []
        for part in ONE.finditer(match[0]):
            escaped = re.sub(rb"\\([0-7]{1,3})", lambda m: b"\\x%02x" % (int(m[1], 8) & 255), part[1])
            escaped = escaped.replace(b"\\e", b"\\x1b").replace(b"'", b"\\'")
            try:
                parts.append(ast.literal_eval("b'" + escaped.decode("latin-1").encode("unicode_escape").decode().replace("\\\\", "\\") + "'"))
            except (SyntaxError, ValueError):
                parts.append(part[1])
        yield b"".join(parts)


def write(out, target, seed):
    if 0 < len(seed) <= SEED_MAX:
        folder = out / target
        folder.mkdir(parents=True, exist_ok=True)
        (folder / hashlib.sha1(seed).hexdigest()[:12]).write_bytes(seed)


def from_tables(out):
    for target, (patterns, fronts) in FROM_TABLES.items():
        for path in sorted(p for pattern in patterns for p in UNIT.glob(pattern)):
            for text in literals(path):
                if target in SPLIT:
                    text = text.replace(b" ", b"\n")
                text += ENDINGS.get(target, b"") if not text.endswith(b"\n") else b""
                for front in fronts:
                    write(out, target, front + text)


def unescape(text):
    return text.encode().decode("unicode_escape").encode("latin-1", "replace")


def value(match):
    """Of an expression in a dialogue, where it needs no server."""
    names = {"b64": lambda text: base64.b64encode(text.encode()).decode(), "message": lambda **fields: "From: <a@b.example>\r\n\r\nx\r\n",
             "len": len, "i": 1, "mark": "mark"}
    try:
        return str(eval(match[1], {"__builtins__": {}}, names)).replace("\r", "\\r").replace("\n", "\\n")[:300]
    except Exception:
        return "x"


def scripts():
    """What each dialogue's client sends, as one stream."""
    for path in sorted((ROOT / "tests" / "dialogue").glob("*.dialogue")):
        sent, hello = b"", b"EHLO c.example\r\n"
        for line in path.read_text().splitlines():
            line = re.sub(r"\{\{(.*?)\}\}", value, line)
            if line.startswith(">> "):
                sent += unescape(line[3:])
            elif line.startswith("> "):
                sent += unescape(line[2:]) + b"\r\n"
        if sent:
            yield hello + sent, sent


def from_dialogues(out):
    for number, (session, sent) in enumerate(scripts()):
        for choice in CHOICES:
            login = LOGIN if choice & 32 else b""
            write(out, "gate_session", bytes([choice, number % 251 + 1]) + b"\7" * 7 + session.replace(b"\r\n", b"\r\n" + login, 1))
        write(out, "smtp_command", sent)
        write(out, "smtp_line", sent)
        write(out, "smtp_data", sent)


def text(words):
    return bytes([len(words)]) + words


def record(number, recipients, sender=b"alice@example.org", user=b"alice", body=b"body\r\n"):
    """Acts of fuzz_queue_rooms.c: a record, and the doorbell for it."""
    parts = [bytes([5, 0, number, len(recipients) - 1]), *map(text, recipients), text(sender), text(user), text(b"192.0.2.1"),
             b"\0\0\0", text(b"Subject: x\r\n\r\n"), text(body), b"\0\0", b"\2\0\0\0", b"\x0a\7" * 3]
    return b"".join(parts)


def outcome(job, results):
    parts = [bytes([8, job, 0]), text(b"mx.example.org"), text(b"192.0.2.2:25"), text(b"TLSv1.3"), bytes([len(results)])]
    for index, result, code, status, words in results:
        parts += [bytes([index, result, 0]), code.to_bytes(2, "little"), text(status), text(words)]
    return b"".join(parts) + b"\x0a\7" * 2


def rooms_scripts(out):
    """Plays of fuzz_queue_rooms.c in which most goes as it should, for the fuzzer to spoil."""
    two, plug = [b"bob@example.net", b"eve@example.org"], b"\6\0\1"
    done, later, never, back = ((0, 0, 250, b"2.0.0", b"ok"), (0, 1, 451, b"4.7.1", b"later"), (0, 2, 550, b"5.1.1", b"no\nsuch"),
                                (0, 3, 0, b"", b""))
    plays = [record(1, two) + plug + b"\x0a\7" * 3 + outcome(0, [answer]) + outcome(1, [answer]) for answer in (done, later, never, back)]
    plays += [plug + record(1, two) + record(2, [b"x@[192.0.2.1]"], sender=b"") + outcome(0, [never]) + outcome(1, [never]) + outcome(2, [done]),
              record(1, [b"no-at-sign", b"\xff@\xff", b"@", b""]) + plug + outcome(0, [done]),
              record(1, [b"bob@box.example"]) + b"\7\1" + b"\6\2\1\0\2\5\1" + outcome(0, [later]),
              record(1, two) + b"\3\0\0\x20\0\0" + b"\x0a\3" + record(1, two) + b"\1\0" + b"\0\1\1" + record(2, two),
              b"\4\0\0\x10\0\0" + text(b"rubbish" * 9) + b"\2\0\1\0\x20\0\0\1" + b"\x0a\7",
              b"".join(record(number, two, body=b"x" * 200) for number in range(1, 9)) + plug + b"".join(outcome(n, [done]) for n in range(8))]
    for play in plays:
        for restart in (b"\0", b"\1"):
            write(out, "queue_rooms", restart + play)


def main():
    out = pathlib.Path(sys.argv[1])
    from_tables(out)
    from_dialogues(out)
    rooms_scripts(out)
    if len(sys.argv) > 2:
        subprocess.run([sys.argv[2], str(out)], check=True)
    for folder in sorted(out.iterdir()):
        print(f"{folder.name}: {len(list(folder.iterdir()))}")


main()
