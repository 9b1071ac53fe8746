"""dialogue/test_explain.py: submitctl explain gives the answers that the server gives, word for word (SUB-6.1-1, SUB-6.1-2,
SUB-6.2-1, SUB-6.4-1, SUB-3.3-2, SUB-3.3-4)."""
import itertools
import re

import pytest

from rig.client import b64
from rig.profiles import make_server
from rig.server import PASSWORD

addresses = itertools.count(1)
TRUSTED, STRANGER = "127.9.0.1", "192.0.2.1"
# who, MAIL, size, RCPT…
CASES = [
    ("alice@example.net", "alice@example.net", None, ["bob@example.org", "postmaster", "bob", "bob@sales", "bob@[192.0.2.1]", "b@@x"]),
    ("alice@example.net", "Alice+tag@EXAMPLE.net", 1000, ["\"a b\"@example.org"]),
    ("alice@example.net", "carol@example.net", None, []),
    ("alice@example.net", "", None, ["bob@example.org"]),
    ("alice@example.net", "alice@sales", None, []),
    ("alice@example.net", "alice@[192.0.2.1]", None, []),
    ("alice@example.net", ".alice@example.net", None, []),
    ("alice@example.net", "alice@example.net", 52428801, []),
    ("list@example.net", "carol@example.net", None, ["bob@example.org"]),
    ("list@example.net", "x@lists.example.net", None, []),
    ("any@example.net", "x@example.com", None, ["bücher@example.org"]),
    ("any@example.net", "ü@example.com", None, ["bücher@example.org"]),
    ("nosubmit@example.net", "nosubmit@example.net", None, []),
    ("retired@example.net", "retired@example.net", None, []),
    ("disabled@example.net", "disabled@example.net", None, []),
    ("seller@example.net", "x@sales.example.net", 20000, ["a@example.org", "b@example.org", "c@example.org", "d@example.org"]),
    ("seller@example.net", "carol@example.net", 20001, []),
    ("inside@example.net", "inside@example.net", None,
     ["bob@example.com", "bob@example.org", "x@example.net", "y@example.net", "postmaster@msa.example.net"]),
    ("inside@example.net", "inside@example.net", None,
     ["a@example.net", "a@EXAMPLE.net", "\"a\"@example.net", "A@example.net", "B@example.net", "postmaster"]),
    ("inside@example.net", "inside@example.net", None, ["a@example.net", "b@example.net", "c@example.net", "a@EXAMPLE.net"]),
    ("seller@example.net", "x@sales.example.net", None, ["postmaster", "Postmaster", "postmaster@msa.example.net", "a@b.example", "c@d.example", "e@f.example"]),
    ("many@example.net", "s39@example.net", None, ["r39@example.org", "r40@example.org"]),
    ("many@example.net", "s40@example.net", None, []),
    (TRUSTED, "printer@example.net", None, ["bob@example.org"]),
    (TRUSTED, "printer@example.com", None, []),
    (STRANGER, "printer@example.net", None, []),
]
OPEN_CASES = [
    (STRANGER, "x@example.com", None, ["postmaster", "Postmaster@example.net", "alice@example.net", "bob", "x@example.org"]),
    (STRANGER, "", 32769, []),
    (STRANGER, "", None, [f"{'POSTMASTER'[:i]}{'postmaster'[i:]}" + "@example.net" for i in range(11)]),
]
BARE_CASES = [
    ("any@example.net", "ü@example.com", None, []),
    ("any@example.net", "any@example.com", None, ["ü@example.com"]),
]
SMALL_CASES = [
    ("alice@example.net", "alice@example.net", None, [f"r{i}@example.org" for i in range(101)]),
]


@pytest.fixture(scope="module")
def servers():
    running = {}

    def get(name):
        if name not in running:
            running[name] = make_server(name)
        return running[name]

    yield get
    for server in running.values():
        server.stop()
        faults = server.faults()
        server.clear()
        assert not faults


def explain(server, who, sender, size, recipients):
    words = ["--client" if re.fullmatch(r"[\d.]+", who) else "--user", who, "--from", sender]
    words += ["--size", str(size)] if size else []
    for recipient in recipients:
        words += ["--to", recipient]
    return server.json("explain", *words)


def converse(server, who, answers):
    """What the server says to the same commands."""
    connection = server.connect("465", source=TRUSTED if who == TRUSTED else f"127.5.0.{next(addresses)}")
    connection.hello()
    replies = []
    for answer in answers:
        if answer["command"] == "AUTH":
            replies.append(connection.command("AUTH PLAIN " + b64(f"\0{who}\0{PASSWORD}")))
        elif answer["command"] == "MAIL":
            replies.append(connection.command("MAIL FROM:<x@example.net>"))
        else:
            replies.append(connection.command(answer["command"]))
    connection.close()
    return replies


@pytest.mark.parametrize("profile, case", [("default", case) for case in CASES] + [("open", case) for case in OPEN_CASES] +
                         [("bare", case) for case in BARE_CASES] + [("small", case) for case in SMALL_CASES],
                         ids=lambda value: value if isinstance(value, str) else f"{value[0]}-{value[1]}-{value[2]}")
def test_same_answers(servers, profile, case):
    server = servers(profile)
    who, sender, size, recipients = case
    said = explain(server, who, sender, size, recipients)["answers"]
    replies = converse(server, who, said)
    assert [(a["code"], a["status"], a["text"]) for a in said] == [(r.code, r.status or "", r.text) for r in replies]


def at(server, answer):
    """The line that the answer points at."""
    return open(answer["file"]).read().splitlines()[answer["line"] - 1]


def test_where(servers):
    """Every answer points at the line that decides."""
    server = servers("default")
    for who, sender, size, recipients, rule, shown in [
        ("seller@example.net", "x@sales.example.net", None, [], "sender-listed", "@sales "),
        ("seller@example.net", "carol@example.net", None, [], "sender-listed", "seller@example.net "),
        ("seller@example.net", "dave@example.net", None, [], "sender-unlisted", "seller@example.net "),
        ("seller@example.net", "seller@example.net", 20001, [], "own-size", "@sales "),
        ("retired@example.net", "", None, [], "account", "@retired "),
        ("nosubmit@example.net", "", None, [], "account", "nosubmit@example.net "),
        ("inside@example.net", "", None, ["bob@example.org"], "recipient-listed", "inside@example.net "),
        (TRUSTED, "x@example.org", None, [], "sender-unlisted", "trusted_senders"),
        (STRANGER, "x@example.org", None, [], "no-login", "trusted_networks"),
    ]:
        answer = explain(server, who, sender, size, recipients)["answers"][-1]
        assert answer["rule"] == rule
        assert at(server, answer).startswith(shown)
    answer = explain(server, "alice@example.net", "alice@example.net", 52428801, [])["answers"][-1]
    assert answer["rule"] == "size" and answer["line"] is None  # by default


def test_text(servers):
    server = servers("default")
    shown = server.ctl("explain", "--user", "list@example.net", "--from", "x@lists.example.net", "--to", "bob@example.org")
    assert "MAIL FROM:<x@lists.example.net>\n  250 2.1.0 <x@lists.example.net> Sender ok\n" \
           "  because a sender pattern covers it: *@lists.example.net\n  see " in shown
    assert re.search(r"RCPT TO:<bob@example.org>\n  250 2.1.5 .*\n  because .*\n  see .*\n  then route \"\*\" via \w+ \(.*:\d+\)\n", shown)


def test_faults(servers):
    server = servers("default")
    for words, status in [
        (["--user", "alice@example.net"], 64), (["--from", "", "--user", "a", "--client", "::1"], 64),
        (["--from", "", "--client", "nonsense"], 64), (["--from", "", "--size", "many"], 64), (["--from", "", "--password", "x"], 64), (["--from", "x" * 600], 64),
    ]:
        assert server.run_ctl("explain", *words).returncode == status
    server.ctl("password", "add", "list@example.net", "printer", "--sender", "carol@example.net", "--recipient", "*@example.org")
    for sender, recipient, rule in [("carol@example.net", "bob@example.org", "any-recipient"),
                                    ("x@lists.example.net", None, "sender-unlisted"),
                                    ("carol@example.net", "bob@example.com", "recipient-unlisted")]:
        words = ["--to", recipient] if recipient else []
        answer = server.json("explain", "--user", "list@example.net", "--password", "printer", "--from", sender, *words)["answers"][-1]
        assert answer["rule"] == rule
        assert at(server, answer).startswith("list@example.net:printer " if "unlisted" in rule else "list@example.net ")
    assert server.json("explain", "--user", "list@example.net", "--password", "x", "--from", "")["answers"][0]["status"] == "5.7.8"
    assert explain(server, "nobody@example.net", "", None, [])["answers"][0]["status"] == "5.7.8"
