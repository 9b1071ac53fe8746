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
    "imap_reply": (["fetch/test_imap_reply.c"], [b"\0"]),
    "message_canonical": (["message/test_canonical.c"], [b""]),
    "message_date": (["message/test_date.c", "message/test_message_id.c"], [b""]),
    "message_header": (["message/test_header.c", "message/test_completion.c"], [b""]),
    "message_text": (["message/test_text.c", "message/test_mime.c", "message/test_received.c"], [b""]),
    "peer": (["net/test_peer.c"], [b""]),
    "policy_rights": (["policy/test_rights.c"], [b""]),
    "queue_control": (["queue/test_control.c"], [b"\0\0"]),
    "sasl": (["vault/test_sasl.c", "vault/test_scram.c"], [b"\0", b"\4", b"\1", b"\5", b"\x4c", b"\x45", b"\xce", b"\x5f", b"\xd7"]),
    "scram": (["vault/test_sasl.c", "vault/test_scram.c"], [b""]),
    "jwks": (["vault/test_jwt.c"], [b""]),
    "jwt_claims": (["vault/test_jwt.c"], [b'{"alg":"EdDSA"}\n']),
    "vault_login": (["vault/test_login.c"], [b"\0", b"\1", b"\2"]),
    "smtp_address": (["smtp/test_address.c", "smtp/test_parameters.c"], [b""]),
    "smtp_burl": (["smtp/test_burl.c"], [b""]),
    "smtp_command": (["smtp/test_command.c", "smtp/test_address.c", "smtp/test_parameters.c"], [b""]),
    "smtp_parameters": (["smtp/test_parameters.c", "smtp/test_command.c"], [b"\0\0\0\0\0", b"\0\0\0\0\7", b"\0\1\x40\x40\1"]),
    "smtp_orcpt": (["smtp/test_parameters.c"], [b""]),
    "smtp_timestamp": (["smtp/test_parameters.c"], [b""]),
    "smtp_data": (["smtp/test_data.c"], [b""]),
    "smtp_ehlo": (["smtp/test_ehlo.c"], [b""]),
    "smtp_line": (["smtp/test_line.c", "smtp/test_command.c"], [b""]),
    "smtp_reply": (["smtp/test_peer_reply.c", "smtp/test_reply.c"], [b""]),
    "users_file": (["users/test_*.c"], [b""]),
    "users_save": (["users/test_*.c"], [b"\0", b"\x3f", b"\6"]),
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
    names = {"b64": lambda text: base64.b64encode(text.encode() if isinstance(text, str) else text).decode(), "i": 1, "len": len,
             "message": lambda **fields: "From: <a@b.example>\r\n\r\nx\r\n", "mark": "mark", "chr": chr, "str": str, "bytes": bytes,
             "user": "alice@example.net", "password": "secret", "source": "192.0.2.9"}
    try:
        return str(eval(match[1], {"__builtins__": {}}, names)).replace("\r", "\\r").replace("\n", "\\n")[:300]
    except Exception:
        return "x"


def base64_line(text):
    return base64.b64encode(text) + b"\r\n"


# What a dialogue's word "auth" stands for, as the vault of fuzz_gate_session.c likes it.
LOGINS = {
    "plain": LOGIN,
    "login": b"AUTH LOGIN\r\n" + base64_line(b"alice@example.net") + base64_line(b"secret"),
    "scram": b"AUTH SCRAM-SHA-256 " + base64_line(b"n,,n=alice@example.net,r=abcdefghijklmnop") + base64_line(b"client-final") + b"\r\n",
}
LOGINS["scram-exporter"] = LOGINS["scram"].replace(b"256", b"256-PLUS")
LOGINS["scram-sha-1"] = LOGINS["scram"].replace(b"256", b"1")
LOGINS["scram-sha-1-exporter"] = LOGINS["scram"].replace(b"256", b"1-PLUS")


def said(line):
    """The octets that a client sends for a line of a dialogue."""
    line = re.sub(r"\{\{(.*?)\}\}", value, line)
    word, _, rest = line.partition(" ")
    if word == ">>":
        return unescape(rest)
    if word == ">":
        return unescape(rest) + b"\r\n"
    if word == "ehlo":
        return b"EHLO " + rest.encode() + b"\r\n"
    if word == "tls":
        return b"STARTTLS\r\n"
    if word == "auth":
        return LOGINS.get(rest.partition(" ")[0], LOGIN)
    return b""


def scripts():
    """What each dialogue's client says, without the beginning that its states give; and whether that has a login."""
    for path in sorted((ROOT / "tests" / "dialogue").glob("*.dialogue")):
        lines = [line.strip() for line in path.read_text().splitlines()]
        states = next((line.split()[1:] for line in lines if line.startswith("in ")), [])
        sent = b"".join(map(said, lines))
        if sent:
            yield sent, any(state.startswith("A") for state in states)


def constants(*patterns):
    """The strings of the tests that are written in Python, in the order of their files."""
    for path in sorted(path for pattern in patterns for path in (ROOT / "tests").glob(pattern)):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
                yield node.value.encode("utf-8", "surrogateescape")


def save_parameters(out, text):
    """The parameters of a MAIL or RCPT command, and what their values are made of."""
    for front in (b"\0\0\0\0\0", b"\0\0\0\0\7"):
        write(out, "smtp_parameters", front + text)
    for keyword, value in re.findall(rb"([\w-]+)=(\S+)", text):
        if keyword.upper() == b"ORCPT":
            write(out, "smtp_orcpt", value)
        if keyword.upper() in (b"RRVS", b"HOLDUNTIL"):
            write(out, "smtp_timestamp", value.partition(b";")[0])


def save_login(out, text):
    """An AUTH command with its initial response: for the mechanism, and for the readers of its messages."""
    mechanism, _, initial = text.partition(b" ")
    fronts = {b"SCRAM-SHA-256": b"\4", b"PLAIN": b"\5", b"LOGIN": b"\6", b"SCRAM-SHA-256-PLUS": b"\x4c", b"SCRAM-SHA-1": b"\x45",
              b"SCRAM-SHA-1-PLUS": b"\x4e", b"EXTERNAL": b"\x47", b"OAUTHBEARER": b"\x5f", b"XOAUTH2": b"\xd7"}
    try:
        message = base64.b64decode(initial, validate=True)
    except ValueError:
        message = initial
    if mechanism.upper() in fronts:
        write(out, "sasl", fronts[mechanism.upper()] + message)
    write(out, "scram", message)


def save_lines(out, sent):
    for line in sent.split(b"\r\n"):
        command = re.match(rb"(?i)(?:MAIL FROM|RCPT TO):\s*<[^>]*> (.+)", line)
        if command:
            save_parameters(out, command[1])
        if line[:5].upper() == b"AUTH ":
            save_login(out, line[5:])


def from_dialogues(out):
    hello = b"EHLO c.example\r\n"
    for number, (sent, has_login) in enumerate(scripts()):
        seed = bytes([number % 251 + 1]) + b"\7" * 6
        for choice in CHOICES:
            ways = [hello + sent, hello + LOGIN + sent] if choice & 32 and not has_login else [hello + (LOGIN if choice & 32 else b"") + sent]
            for way in ways:
                write(out, "gate_session", bytes([choice]) + seed + b"\7" + way)
                if choice & 32:
                    write(out, "gate_session", bytes([choice]) + seed + b"\x87" + way)
        write(out, "smtp_command", sent)
        write(out, "smtp_line", sent)
        write(out, "smtp_data", sent)
        save_lines(out, sent)
    for text in constants("dialogue/test_*.py", "relay/test_wishes.py", "e2e/test_*.py"):
        save_lines(out, text)
        if re.fullmatch(rb"[A-Z0-9-]+(=\S+)?( [A-Z0-9-]+(=\S+)?)*", text):
            save_parameters(out, text)
        if b"\1" in text:
            write(out, "scram", text)


def grant(bits, user, recipients_most=0, size=0, senders=(), recipients=()):
    """A grant of fuzz_policy_decide.c."""
    return b"\n".join([bytes([bits | len(senders) << 3 | len(recipients) << 6]) + user, bytes([recipients_most, size]) + b"".join(
        text + b"\n" for text in (*senders, *recipients))])


def rights_scripts(out):
    """What the users of tests/rig/profiles.py may do, asked about the addresses of the dialogues."""
    grants = [grant(1, b"alice@example.net"), grant(0, b"nosubmit@example.net"), grant(1, b"list@example.net", 0, 0, [b"*@lists.example.net"]),
              grant(1, b"seller@example.net", 3, 78, [b"*@sales.example.net", b"carol@example.net"]), grant(1, b"any@example.net", 0, 0, [b"*"]),
              grant(1, b"inside@example.net", 2, 0, (), [b"*@example.net", b"bob@example.org"]), grant(5, b"many@example.net", 0, 0, [b"s1@example.net"]),
              grant(33, b"many@example.net", 0, 0, (), [b"r1@example.org"]), grant(3, b"")]
    asked = [b"FROM:<alice@example.net>", b"FROM:<>", b"FROM:<alice+tag@example.net>", b"FROM:<x@lists.example.net>", b"FROM:<carol@example.net>",
             b"FROM:<alice@sales>", b"FROM:<alice@[192.0.2.1]>", b"FROM:<postmaster>", b"FROM:<postmaster@example.net>", b"FROM:<bob@example.org>"]
    for first in grants:
        for second in (grants[0], grants[3], grants[5], grants[7]):
            for path in asked:
                write(out, "policy_decide", first + second + b"\1\4" + path)


CLAIMS = b'{"iss":"i","aud":%s,"exp":%s,"email":"alice@example.net"%s}'
KEYS = b'{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"%s}]}'


def token_scripts(out):
    """Claims as tests/dialogue/test_oauth.py makes them, and key sets."""
    for header in (b'{"alg":"EdDSA"}', b'{"alg":"EdDSA","kid":"k"}', b'{"alg":"RS256","kid":"k"}', b'{"alg":"EdDSA","crit":["exp"]}', b'{"alg":"none"}'):
        write(out, "jwt_claims", header + b"\n" + CLAIMS % (b'"a"', b"2000", b""))
    for aud, exp, more in ((b'["x","a"]', b"2e9", b""), (b'"a"', b"941", b',"nbf":1060,"iat":1000'), (b'"a"', b"940", b""), (b"[]", b'"2000"', b""),
                           (b'"a"', b"2000", b',"email_verified":true'), (b'"a"', b"2000", b',"email_verified":false'), (b'"a"', b"2000", b',"nbf":1061'),
                           (b'"a"', b"2000", b',"nbf":"1061"'), (b'"a"', b"2000", b',"iat":[]'), (b'"a"', b"-1", b',"exp":2000')):
        write(out, "jwt_claims", b'{"alg":"EdDSA","kid":"k"}\n' + CLAIMS % (aud, exp, more))
    rsa = b'{"kty":"RSA","n":"' + b"u" * 342 + b'","e":"AQAB","alg":"RS256"}'
    point = b'{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}'
    for keys in (KEYS % b"", KEYS % b',"use":"enc"', KEYS % b',"alg":"EdDSA","use":"sig"', b'{"keys":[]}', b'{"keys":[%s]}' % rsa,
                 b'{"keys":[%s,%s,{"kty":"oct","k":"AAAA"}]}' % (rsa, point), b'{"keys":1}', b"[]", b'{"keys":[%s]}' % rsa.replace(b"u" * 342, b"AQAB")):
        write(out, "jwks", keys)
        write(out, "jwt", keys + b"\nn,,\1auth=Bearer eyJhbGciOiJFZERTQSJ9.e30.AAAA\1\1")


def mistake_scripts(out):
    """Acts of fuzz_mistakes.c."""
    one = b"\0\0\0" + text(b"192.0.2.1") + text(b"alice@example.net") + text(b"laptop") + text(b"550 5.7.1 You may not")
    crowd = b"".join(b"\0\1\6" + text(b"198.51.100.%d" % number) + text(b"") + text(b"c") + text(b"500 5.5.2 ?") for number in range(40))
    for play in (one, one * 3 + b"\3", crowd, one + crowd + b"\2\0" + one, one + b"\1\0\x10\0" + text(b"\xff" * 200) + b"\3" + one,
                 b"\0\2\0" + text(b"x" * 250) * 4):
        write(out, "mistakes", play)


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
    for user in (b"+", b"+a", b"+ab", b"+abc", b"+2B\r\nX: y", b"+" + b"x" * 120):
        plays.append(record(1, [b"rfc822;bob@example.net", b"utf-8;\\x{3B4}@example.org", b"eve@example.net"], user=user) + plug + b"\x0a\7" * 3
                     + outcome(0, [never]) + outcome(1, [later]))
        plays.append(record(1, two, user=user, sender=b"a@b.example") + plug + b"\x0a\7" * 3 + outcome(0, [done]) + outcome(1, [done]))
    for play in plays:
        for restart in (b"\0", b"\1"):
            write(out, "queue_rooms", restart + play)


def main():
    out = pathlib.Path(sys.argv[1])
    from_tables(out)
    from_dialogues(out)
    rooms_scripts(out)
    rights_scripts(out)
    token_scripts(out)
    mistake_scripts(out)
    if len(sys.argv) > 2:
        subprocess.run([sys.argv[2], str(out)], check=True)
    for folder in sorted(out.iterdir()):
        print(f"{folder.name}: {len(list(folder.iterdir()))}")


main()
