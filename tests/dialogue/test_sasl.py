"""dialogue/test_sasl.py: SCRAM with every part of its messages spoilt, and what the user file gives away."""
import concurrent.futures
import itertools
import re
import stat
import subprocess
import time

import pytest

from rig.client import Scram, b64, login_scram
from rig.server import PASSWORD

addresses = itertools.count(1)


@pytest.fixture(scope="module")
def server(shared):
    server = shared.server("sasl", start=False)
    for number in range(12):
        server.add_user(f"victim{number}@example.net")
    for name in ("alice", "trickle", "bound587", "bound465", "replay"):
        server.add_user(f"{name}@example.net")
    return server.start()


def reach(server):
    connection = server.connect("465", source=f"127.4.0.{next(addresses)}")
    connection.hello()
    return connection


class Spoilt(Scram):
    """A SCRAM client that does one thing wrong. how: what."""

    def __init__(self, how, user):
        super().__init__(user, PASSWORD if how != "password" else "wrong")
        self.how = how
        if how == "plus":
            self.gs2 = "p=tls-exporter,,"
        elif how == "gs2":
            self.gs2 = "x,,"
        elif how == "reserved extension":
            self.bare = "m=must," + self.bare
        elif how == "escape":
            self.bare = self.bare.replace("@", "=2X", 1)
        elif how == "authzid":
            self.gs2 = "n,a=alice@example.net,"
        elif how == "no nonce":
            self.bare = self.bare.partition(",")[0]

    def spoil(self, final):
        if self.how == "no proof":
            return b64(f"c={b64(self.gs2)},r={self.nonce}")
        if self.how == "garbage":
            return b64("\0\xff nonsense")
        return final


MUTATIONS = {
    "password": {}, "nonce": {"nonce": "abcdefghijklmnopqrstuvwxyz"}, "binding": {"binding": b64("y,,")}, "binding none": {"binding": "AAAA"},
    "final extension": {"extra": ",m=must"}, "no proof": {}, "garbage": {}, "plus": {}, "gs2": {}, "reserved extension": {}, "escape": {},
    "authzid": {},
}


def play(server, how, user):
    connection = reach(server)
    scram = Spoilt(how, user)
    reply = connection.command("AUTH SCRAM-SHA-256 " + scram.first())
    if reply.code == 334:
        scram.read_challenge(reply.text)
        reply = connection.command(scram.spoil(scram.final(**MUTATIONS[how])))
    if reply.code == 334:
        reply = connection.command("")
    assert reply.brief == "535 5.7.8", f"{how}: {reply}"
    connection.login(USER, PASSWORD)  # AUTH-26
    connection.quit()


USER = "alice@example.net"


def test_spoilt(server):
    """SASL-4, SASL-6, AUTH-14, AUTH-20, AUTH-26: each change to a SCRAM message fails, and the session can go on."""
    with concurrent.futures.ThreadPoolExecutor(len(MUTATIONS)) as pool:
        runs = {how: pool.submit(play, server, how, f"victim{number}@example.net") for number, how in enumerate(MUTATIONS)}
        for how, run in runs.items():
            run.result()


def test_optional_extension(server):
    """SASL-4: an extension that is not mandatory is ignored."""
    connection = reach(server)
    scram = Scram(USER, PASSWORD)
    scram.bare += ",x=whatever"
    scram.read_challenge(connection.command("AUTH SCRAM-SHA-256 " + scram.first()).text)
    reply = connection.command(scram.final(extra=",z=more"))
    assert reply.code == 334 and scram.is_server(reply.text), f"got {reply}"
    assert connection.command("").brief == "235 2.7.0"


def test_log_is_bounded(rig):
    """SUB-5.2-3, LOG-3: logins that come to nothing, whatever ends them, leave a hundred lines a minute and room each."""
    server = rig.server("quiet")
    began = time.time()
    for _ in range(25):
        connection = server.connect("465", source="127.4.9.9")
        connection.hello()
        for _ in range(9):
            connection.expect("AUTH LOGIN " + b64(USER), "334")
            connection.expect("*", "501 5.7.0")
        connection.close()
    reach(server).login(USER, PASSWORD)
    server.await_log("result=ok")
    minutes = int(time.time() // 60 - began // 60) + 1    # each of the clock begins anew
    assert 9 <= server.log().count("result=cancelled") <= 100 * minutes


def test_last_step(server):
    """SASL-5: the client's answer to the server's proof is an empty line; anything else is not."""
    connection = reach(server)
    scram = Scram(USER, PASSWORD)
    scram.read_challenge(connection.command("AUTH SCRAM-SHA-256 " + scram.first()).text)
    assert connection.command(scram.final()).code == 334
    assert connection.command("*").brief == "501 5.7.0"
    connection.expect("MAIL FROM:<alice@example.net>", "530 5.7.0")


class Trickle:
    """A connection that sends each octet on its own."""

    def __init__(self, connection):
        self.connection = connection

    def command(self, line):
        for octet in (line + "\r\n").encode():
            self.connection.send(bytes([octet]))
        return self.connection.read_reply()

    def binding(self, kind):
        return self.connection.binding(kind)


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"])
def test_octet_by_octet(server, mechanism):
    """SASL-4, SASL-6: a login that comes octet by octet ends like any other, a good one and a wrong one."""
    connection = reach(server)
    user = "trickle@example.net"
    assert login_scram(Trickle(connection), user, "wrong", mechanism).brief == "535 5.7.8"
    assert login_scram(Trickle(connection), user, PASSWORD, mechanism).brief == "235 2.7.0"


@pytest.mark.parametrize("listener", ["587", "465"])
def test_binding_of_another_connection(server, listener):
    """SASL-6: a client bound to another TLS connection than the one it is relayed through is refused, with the right
    password; so is one whose messages were changed to know of no binding."""
    connections, user = [], f"bound{listener}@example.net"
    for _ in range(2):
        connection = server.connect(listener, source=f"127.4.0.{next(addresses)}")
        connection.hello()
        if not connection.is_tls:
            connection.start_tls()
            connection.hello()
        connections.append(connection)
    victim, attacker = connections
    for scram in (Scram(user, PASSWORD, "p=tls-exporter,,", binding=victim.binding("tls-exporter")),
                  Scram(user, PASSWORD, "p=tls-exporter,,", binding=b""), Scram(user, PASSWORD, "p=tls-exporter,,", binding=b"x" * 1000)):
        scram.read_challenge(attacker.expect("AUTH SCRAM-SHA-256-PLUS " + scram.first(), "334").text)
        assert attacker.command(scram.final()).brief == "535 5.7.8"
    assert login_scram(attacker, user, PASSWORD, "SCRAM-SHA-256-PLUS").brief == "235 2.7.0"


def test_replay(server):
    """SASL-4: what was overheard of a login that went well is worth nothing in another one, with and without a binding."""
    for mechanism, gs2 in (("SCRAM-SHA-256", "n,,"), ("SCRAM-SHA-256-PLUS", "p=tls-exporter,,")):
        connection = reach(server)
        scram = Scram("replay@example.net", PASSWORD, gs2, binding=connection.binding("tls-exporter") if "PLUS" in mechanism else b"")
        scram.read_challenge(connection.expect(f"AUTH {mechanism} " + scram.first(), "334").text)
        final = scram.final()
        connection.expect("*", "501 5.7.0")
        connection.expect(f"AUTH {mechanism} " + scram.first(), "334")
        assert connection.command(final).brief == "535 5.7.8"
        again = reach(server)
        again.expect(f"AUTH {mechanism} " + scram.first(), "334")
        assert again.command(final).brief == "535 5.7.8"


def probe(server, user):
    connection = reach(server)
    scram = Scram(user, PASSWORD)
    scram.read_challenge(connection.command("AUTH SCRAM-SHA-256 " + scram.first()).text)
    connection.close()
    return scram.salt, scram.count


def test_unknown_user(server):
    """SASL-8, SASL-3: an unknown user has a salt and a count like anybody, the same each time, another than his neighbour."""
    known, one, again, other = (probe(server, user) for user in (USER, "nouser@example.net", "nouser@example.net", "nobody@example.net"))
    assert one == again and one[0] != other[0] and len(one[0]) == len(known[0])
    assert known[1] == one[1] == 32768


def test_user_file(server):
    """SASL-15, AUTH-27: no password, in clear or encoded, nobody else's to read, the slow hash and the verifier."""
    text = server.users_path.read_text()
    assert PASSWORD not in text and b64(PASSWORD) not in text
    assert stat.S_IMODE(server.users_path.stat().st_mode) & 0o077 in {0, 0o040}
    assert "$y$" in text and "scram=32768:" in text
    assert PASSWORD not in server.log()


def test_users_unreadable(rig):
    """AUTH-15: trouble of the server's own is 454, never 535; it heals by itself."""
    server = rig.server("unreadable")
    aside = server.users_path.with_name("aside")
    for spoil in (lambda: server.users_path.unlink(), lambda: server.users_path.write_text("not a user file\n"),
                  lambda: server.users_path.chmod(0o666)):
        subprocess.run(["cp", "-p", server.users_path, aside], check=True)
        spoil()
        connection = reach(server)
        reply = connection.command("AUTH PLAIN " + b64(f"\0{USER}\0{PASSWORD}"))
        assert reply.brief == "454 4.7.0", f"got {reply}"
        connection.quit()
        aside.rename(server.users_path)
    reach(server).login(USER, PASSWORD)


def test_change_holds_at_once(rig):
    """AUTH-16, AUTH-26: a disabled user, a new password: from the next login on, whatever was verified before."""
    server = rig.server("changes")
    reach(server).login(USER, PASSWORD)
    server.ctl("user", "passwd", USER, stdin="another password\n")
    connection = reach(server)
    assert connection.command("AUTH PLAIN " + b64(f"\0{USER}\0{PASSWORD}")).brief == "535 5.7.8"
    connection.login(USER, "another password")
    server.ctl("user", "disable", USER)
    assert reach(server).command("AUTH PLAIN " + b64(f"\0{USER}\0another password")).brief == "525 5.7.13"
    server.ctl("user", "enable", USER)
    reach(server).login(USER, "another password")
    server.ctl("user", "remove", USER)
    assert reach(server).command("AUTH PLAIN " + b64(f"\0{USER}\0another password")).brief == "535 5.7.8"


def test_app_passwords(rig):
    """SASL-15, SUB-6.1-1, SUB-3.3-4: further secrets of a user, with PLAIN, LOGIN and SCRAM; each narrows what the user may do,
    and one that is revoked is refused from the next login on, whatever was verified before."""
    server = rig.server("apps", start=False)
    server.add_user(USER, PASSWORD, "*@lists.example.net", "bob@example.net")
    server.start()
    phone = server.ctl("password", "add", USER, "phone").strip()
    lists = server.json("password", "add", USER, "lists", "--sender", "*@lists.example.net", "--recipient", "*@example.org", "--days", "30")["password"]
    reader = server.ctl("password", "add", USER, "reader", "--submit", "no").strip()
    assert [len(secret) for secret in (phone, lists, reader)] == [24] * 3 and len({phone, lists, reader}) == 3
    assert not any(secret in server.users_path.read_text() for secret in (phone, lists, reader))

    def enter(secret, mechanism=None):
        connection = reach(server)
        if mechanism:
            assert login_scram(connection, USER, secret, mechanism).brief == "235 2.7.0"
        else:
            connection.login(USER, secret)
        return connection

    for mechanism in (None, "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"):
        connection = enter(phone, mechanism)
        for sender in (USER, "bob@example.net", "x@lists.example.net"):
            connection.expect(f"MAIL FROM:<{sender}>", "250 2.1.0")
            connection.expect("RSET", "250 2.0.0")
        connection.expect("MAIL FROM:<mallory@example.net>", "550 5.7.1")
        connection = enter(lists, mechanism)
        connection.expect(f"MAIL FROM:<{USER}>", "550 5.7.1")
        connection.expect("MAIL FROM:<bob@example.net>", "550 5.7.1")
        connection.expect("MAIL FROM:<x@lists.example.net>", "250 2.1.0")
        connection.expect("RCPT TO:<someone@example.com>", "550 5.7.1")
        connection.expect("RCPT TO:<someone@example.org>", "250 2.1.5")
        enter(reader, mechanism).expect(f"MAIL FROM:<{USER}>", "550 5.7.1")
        enter(PASSWORD, mechanism).expect(f"MAIL FROM:<{USER}>", "250 2.1.0")
    shown = {row["name"]: row for row in server.json("password", "list", USER)["passwords"]}
    assert list(shown) == ["phone", "lists", "reader"] and shown["lists"]["senders"] == ["*@lists.example.net"] and not shown["reader"]["submit"]
    server.ctl("password", "remove", USER, "phone")
    assert reach(server).command("AUTH PLAIN " + b64(f"\0{USER}\0{phone}")).brief == "535 5.7.8"
    assert login_scram(reach(server), USER, phone).brief == "535 5.7.8"
    enter(lists)
    text = server.users_path.read_text()
    server.users_path.write_text(re.sub(r" until=\d+", " until=1000000000", text))
    assert reach(server).command("AUTH PLAIN " + b64(f"\0{USER}\0{lists}")).brief == "535 5.7.8"
    enter(reader)
    log = server.log()
    assert "app_password=lists" in log and not any(secret in log for secret in (phone, lists, reader))
