"""dialogue/test_clients.py: submitctl clients shows who is misconfigured, and the log says why (SUB-5.2-1, SUB-5.2-2, SUB-5.2-3,
LOG-1, LOG-2)."""
import itertools

import pytest

from rig.client import b64
from rig.profiles import LISTENERS
from rig.server import PASSWORD

USER = "alice@example.net"


@pytest.fixture(scope="module")
def server(shared):
    server = shared.server("clients", start=False, listeners=LISTENERS, top="gates = 2")
    server.add_user(USER)
    return server.start()


def rows(server, *words):
    return server.json("clients", *words)["clients"]


def row_of(server, client, user=None):
    found = [row for row in rows(server) if row["client"] == client and row["user"] == user]
    assert len(found) == 1, found
    return found[0]


def greet(server, listener, source):
    connection = server.connect(listener, source=source)
    connection.command("EHLO laptop.example")
    return connection


def logged_in(server, source):
    connection = greet(server, "465", source)
    connection.login(USER, PASSWORD)
    return connection


def test_kinds(server):
    """Each kind of mistake in its column, for the user who made it."""
    client = "127.6.0.1"
    connection = logged_in(server, client)
    for line in ("MAIL FROM:<carol@example.net>", "MAIL FROM:<carol@example.org>", "MAIL FROM:<alice@sales>", "FOO",
                 "MAIL FROM:<alice@example.net> FOO=1", "MAIL FROM:<alice@example.net> SIZE=99999999999"):
        connection.command(line)
    connection.send(b"NOOP\n")
    connection.read_reply()
    row = row_of(server, client, USER)
    assert row["mistakes"] == {"sender": 2, "unqualified": 1, "syntax": 2, "permission": 1, "line_end": 1}
    assert row["total"] == 7 and row["name"] == "laptop.example" and row["first"] <= row["last"]
    assert row["reply"] == "421 4.7.0 Protocol error, a line ends with CR LF"


def test_strangers(server):
    """Before a login it is the address that is known."""
    client = "127.6.0.2"
    clear = greet(server, "587", client)
    assert clear.command("AUTH PLAIN " + b64(f"\0{USER}\0{PASSWORD}")).brief == "530 5.7.0"
    assert clear.command("MAIL FROM:<alice@example.net>").brief == "530 5.7.0"
    clear.quit()
    connection = greet(server, "465", client)
    connection.command("AUTH PLAIN " + b64(f"\0{USER}\0wrong"))
    connection.quit()
    assert row_of(server, client)["mistakes"] == {"clear_text": 2, "login": 1}


def test_content(server):
    client = "127.6.0.3"
    connection = logged_in(server, client)
    for content in ("Subject: x\r\n\r\nno From\r\n", "From: alice@example.net\r\n\r\na\rb\r\n"):
        connection.expect("MAIL FROM:<alice@example.net>", "250 2.1.0")
        connection.expect("RCPT TO:<bob@example.org>", "250 2.1.5")
        connection.expect("DATA", "354")
        connection.send(content.encode() + b".\r\n")
        assert connection.read_reply().brief == "554 5.6.0"
    assert row_of(server, client, USER)["mistakes"] == {"content": 1, "line_end": 1}


def test_over_all_gates(server):
    """What one client says to several gates is one row."""
    client = "127.6.0.4"
    for _ in range(12):
        connection = logged_in(server, client)
        connection.command("MAIL FROM:<carol@example.net>")
        connection.quit()
    assert row_of(server, client, USER)["mistakes"] == {"sender": 12}
    assert rows(server)[0]["client"] == client  # most mistakes first
    assert len(rows(server, "--limit", "1")) == 1


def test_good_clients_are_not_listed(server):
    client = "127.6.0.5"
    connection = logged_in(server, client)
    connection.mail(USER, ["bob@example.org"], "From: alice@example.net\r\n\r\nHello.\r\n")
    connection.quit()
    assert not [row for row in rows(server) if row["client"] == client]
    log = [line for line in server.log().splitlines() if f"client={client}:" in line]
    for words in (("login", f"user={USER}", "mechanism=", "code=235", "tls=TLSv1"),
                  ("accepted", f"user={USER}", "id=", f"from={USER}", "to=bob@example.org", "recipients=1", "size=", "tls=TLSv1"),
                  ("disconnected", f"user={USER}", "accepted=1", "octets=", "ms=")):  # LOG-1
        assert any(all(word in line for word in words) for line in log), (words, log)


def test_text(server):
    """For people, with nothing in it that a terminal obeys."""
    client = "127.6.0.6"
    connection = server.connect("465", source=client)
    connection.command("EHLO $odd#name")
    connection.command("VRFY \x1b[2J")
    connection.quit()
    shown = server.ctl("clients")
    assert client + "  called $odd#name\n  " in shown
    assert "\x1b" not in shown
    assert server.run_ctl("clients", "--limit", "0").returncode == 64


def test_log_says_who_and_why(server):
    """One line for each refusal: user, client, name, code and reason; and not without bound."""
    client = "127.6.0.7"
    connection = logged_in(server, client)
    connection.command("MAIL FROM:<carol@example.net>")
    connection.quit()
    line = next(row for row in server.log().splitlines() if "127.6.0.7" in row and "refused" in row)
    for word in (f"user={USER}", "name=laptop.example", "code=550", "5.7.1", "You may not send as this address", "command=MAIL"):
        assert word in line, line
    assert sum("127.6.0.7" in row and "refused" in row for row in server.log().splitlines()) == 1


def test_bounded(server):
    """Many clients cost no more room than few, and who makes most mistakes stays. (Each gate keeps its own rows, and one with a
    single mistake may have to go: so all of these are made at one gate.)"""
    client = "127.6.0.8"
    connection = logged_in(server, client)
    for _ in range(6):
        connection.command("MAIL FROM:<carol@example.net>")
    connection.quit()
    for number in itertools.islice(itertools.count(1), 600):
        connection = server.connect("587", source=f"127.7.{number // 200}.{number % 200 + 1}")
        connection.command("FOO")
        connection.close()
    listed = server.json("clients", "--limit", "10000")
    assert listed["total"] <= 512
    assert row_of(server, client, USER)["mistakes"] == {"sender": 6}
