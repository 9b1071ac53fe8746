"""dialogue/test_explain_random.py: for users, groups, app passwords and addresses as hypothesis makes them up, submitctl
explain and the server give the same answers (SUB-3.3-4, SUB-6.1-1, SUB-6.1-2, SUB-6.2-1, SUB-6.4-2). SUBMITD_EXAMPLES: how
many user files; 25 by default."""
import base64
import hashlib
import hmac
import itertools
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rig.client import b64
from rig.profiles import LISTENERS
from rig.server import Server

addresses = itertools.count(1)
SALT, COUNT = b"salt of everybody's", 4096
NAMES = ["ann@example.net", "ann+tag@example.net", "Ann@example.net", "ü@example.net", "ann@bücher.example", "ann@xn--bcher-kva.example", "a.b@example.net",
         "postmaster@example.org"]
LOCALS = ["ann", "Ann", "ann+tag", "ann+", "ann+tag+more", "annex", "+tag", '"ann"', '"ann+a b"', '"a\\b"', '"a b"', "a.b", '"a.b"', "ü", "Ü", "u\u0308", "postmaster",
          "PostMaster", '"postmaster"', "*", "#ann", "x"]
DOMAINS = ["example.net", "EXAMPLE.net", "example.net.", "sub.example.net", "bücher.example", "BÜCHER.example", "xn--bcher-kva.example", "XN--BCHER-KVA.example",
           "msa.example.net", "example.org", "sales", "[192.0.2.1]", "[IPv6:2001:db8::1]"]
PATTERN_LOCALS = ["ann", "Ann", "ann+tag", "a.b", "ü", "postmaster", "*", "x"]
PATTERN_DOMAINS = ["example.net", "sub.example.net", "bücher.example", "xn--bcher-kva.example", "example.org", "sales"]

mailbox = st.builds("{}@{}".format, st.sampled_from(LOCALS), st.sampled_from(DOMAINS)) | st.sampled_from(NAMES)
path = mailbox | st.sampled_from(LOCALS + ["a@b@c", ".a@example.net", "a..b@example.net", "@example.net", "a@", "@x.example:ann@example.net"])
pattern = st.just("*") | st.builds("{}@{}".format, st.sampled_from(PATTERN_LOCALS), st.sampled_from(PATTERN_DOMAINS))
patterns = st.lists(pattern, max_size=3) | st.lists(pattern, min_size=40, max_size=40)


@st.composite
def rights(draw, most=40):
    words = [f"sender={p}" for p in draw(patterns)[:most]] + [f"recipient={p}" for p in draw(st.just([]) | patterns)[:most]]
    words += draw(st.sampled_from([[], [], [], ["submit=no"], ["submit=yes"]]))
    words += draw(st.sampled_from([[], [], ["max_recipients=1"], ["max_recipients=2"]])) + draw(st.sampled_from([[], [], ["max_size=1000"], ["max_size=2000"]]))
    return " ".join(words)


def verifier(secret):
    salted = hashlib.pbkdf2_hmac("sha256", secret.encode(), SALT, COUNT)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    encode = lambda octets: base64.b64encode(octets).decode()
    return f"scram={COUNT}:{encode(SALT)}:{encode(stored)}:{encode(hmac.digest(salted, b'Server Key', 'sha256'))}"


OWN, PHONE = verifier("own"), verifier("phone")


@st.composite
def files(draw):
    """Lines of a user file: two groups, three users, each perhaps with an app password."""
    lines = [f"@{name} {draw(rights())}".strip() for name in ("one", "two")]
    logins = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    apps = set()
    for login in logins:
        groups = "".join(f" group={name}" for name in ("one", "two") if draw(st.booleans()))
        state = draw(st.sampled_from(["active"] * 9 + ["disabled"]))
        lines.append(f"{login} state={state} {OWN}{groups} {draw(rights())}".strip())
        if draw(st.booleans()):
            apps.add(login)
            lines.append(f"{login}:phone {PHONE} {draw(rights(32))}".strip())
    return lines, logins, apps


@pytest.fixture(scope="module")
def server():
    server = Server("random", listeners=LISTENERS, sections={"limits": "auth_failures_per_account = 0  auth_failures_per_client = 0"},
                    top='domain "example.net" { }\ndomain "example.org" { }')
    server.routes["*.example"] = server.routes["*"]
    server.start()
    yield server
    server.stop()
    faults = server.faults()
    server.clear()
    assert not faults


def put(server, lines):
    fresh = server.users_path.with_name("fresh")
    fresh.write_text("submitd-users 1\n" + "".join(line + "\n" for line in lines))
    status = server.users_path.stat()
    os.chown(fresh, status.st_uid, status.st_gid)
    fresh.chmod(0o600)
    fresh.rename(server.users_path)
    # Who has a recipients= beside another's none, and the like: nothing was set aside.
    done = server.run_ctl("user", "list")
    assert done.returncode == 0 and not done.stderr, done.stderr


case = st.tuples(st.integers(0, 2), st.booleans(), path | st.just(""), st.sampled_from([None, 1000, 1001, 2001]), st.lists(path, max_size=6))


@settings(max_examples=int(os.environ.get("SUBMITD_EXAMPLES", "25")), deadline=None, derandomize="SUBMITD_EXAMPLES" not in os.environ,
          suppress_health_check=list(HealthCheck))
@given(files(), st.lists(case, min_size=3, max_size=3))
def test_same(server, made, cases):
    lines, logins, apps = made
    put(server, lines)
    for index, with_app, sender, size, recipients in cases:
        login = logins[index % len(logins)]
        with_app = with_app and login in apps
        words = ["--user", login, "--from", sender, *(["--password", "phone"] if with_app else []), *(["--size", str(size)] if size else [])]
        for recipient in recipients:
            words += ["--to", recipient]
        said = server.json("explain", *words)
        number = next(addresses)
        connection = server.connect("465", source=f"127.8.{number // 250}.{number % 250 + 1}")
        connection.hello()
        got = []
        for answer in said["answers"]:
            command = answer["command"]
            got.append(connection.command("AUTH PLAIN " + b64(f"\0{login}\0{'phone' if with_app else 'own'}") if command == "AUTH" else command))
        connection.close()
        assert [(a["code"], a["status"], a["text"]) for a in said["answers"]] == [(r.code, r.status or "", r.text) for r in got], \
            "\n".join([*lines, *map(str, words), *connection.transcript])
        assert said["accepted"] == all(reply.code < 400 for reply in got)
