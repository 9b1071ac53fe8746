"""e2e/test_operator.py: the operator's day: the queue, traces, reload with good and bad configurations, users, a second
instance, and starts that have to fail."""
import json
import os
import re
import shutil
import socket
import ssl
import time

import pytest

from e2e.programs import need
from rig.client import b64, message, queue_id
from rig.hop import Hop, Turns
from rig.patience import PATIENCE, await_true
from rig.server import IS_ROOT, PASSWORD, free_port, make_certificate

STRANGER = 61195  # a user that nobody is


@pytest.fixture
def place(rig):
    """A server with a next hop over TLS (tls.example), one that nobody has started (later.example), and the rest to a Maildir."""
    server = rig.server("operator", start=False, sections={
        "queue": "retry = { 600 }  retry_connect = { 600 }  delay_notice = 0  dead_host = 0", "timeouts": "idle = 1"})
    server.hop = rig.hop(tls="starttls")
    server.later_port = free_port()
    server.routes = {"tls.example": f'via = "smtp"  to = "127.0.0.1:{server.hop.port}"',
                     "later.example": f'via = "smtp"  to = "127.0.0.1:{server.later_port}"',
                     "*": f'via = "maildir"  to = "{server.mail}"'}
    server.write_conf()
    return server.start()


def certificate_at(server, listener="465"):
    """The certificate that a new handshake shows, DER."""
    connection = server.connect(listener)
    shown = connection.certificate()
    connection.quit()
    return shown


def deferred(server, count):
    return server.await_queue(lambda queued: len(queued) == count and all(
        recipient["state"] == "deferred" for row in queued for recipient in row["recipients"]))


# What became of a message

def test_trace(place):
    """A message's life as a table and as JSON: login, acceptance, attempt over TLS with the hop's reply."""
    place.hop.script["EOD"] = Turns("250 2.0.0 taken as 4711")
    identity = place.submit("bob@tls.example")
    place.hop.await_mail()
    place.await_empty()
    trace = place.trace(identity)
    assert trace["id"] == identity and trace["state"] == "closed"
    login, accepted, attempt, closed = trace["events"]
    assert [event["event"] for event in trace["events"]] == ["login", "accepted", "attempt", "closed"]
    assert (login["user"], login["mechanism"], login["client"], login["listener"]) == ("alice@example.net", "PLAIN", "127.0.0.1", "465")
    assert login["tls_version"].startswith("TLSv1.") and login["tls_cipher"]
    assert accepted["sender"] == "alice@example.net" and accepted["recipients"] == ["bob@tls.example"] and accepted["size"] > 100
    assert attempt["recipient"] == "bob@tls.example" and attempt["result"] == "delivered"
    assert attempt["tls_version"].startswith("TLSv1.") and attempt["tls_cipher"] and attempt["remote"] == f"127.0.0.1:{place.hop.port}"
    assert (attempt["code"], attempt["status"]) == (250, "2.0.0") and "taken as 4711" in attempt["text"]
    times = [event["time"] for event in trace["events"]]
    assert times == sorted(times) and all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", time) for time in times)
    table = place.ctl("trace", identity.lower())
    for word in (identity, "alice@example.net", "bob@tls.example", "TLSv1.", attempt["tls_cipher"], "taken as 4711", "closed"):
        assert word in table, table


def test_trace_of_a_refusal(place):
    """The attempt that failed, the bounce and where it went."""
    place.hop.script["RCPT"] = "550 5.1.1 no such user"
    identity = place.submit("bob@tls.example")
    place.await_mail(f"Final-Log-ID: {identity}")
    place.await_empty()
    events = {event["event"]: event for event in place.trace(identity)["events"]}
    assert events["attempt"]["result"] == "failed" and events["attempt"]["code"] == 550
    notice = place.trace(events["bounce"]["id"])
    assert notice["state"] == "closed" and notice["events"][0]["event"] == "accepted" and notice["events"][0]["notice_of"] == identity
    assert notice["events"][0]["sender"] == "" and place.status()["bounced"] == 1


def test_unknown_and_wrong(place):
    """Exit codes: no such message, a wrong command line, and their JSON."""
    nobody = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    for words, status in ((("trace", nobody), 66), (("queue", "show", nobody), 66), (("trace", "x"), 64), (("queue", "hold", nobody), 66),
                          (("queue", "delete"), 64), (("queue", "delete", nobody, "--all"), 64), (("queue", "fly"), 64), (("fly",), 64)):
        done = place.run_ctl(*words)
        assert done.returncode == status and done.stderr and not done.stdout, (words, done)
        as_json = place.run_ctl(*words, "--json")
        assert as_json.returncode == status, (words, as_json)
        if status == 66:
            assert json.loads(as_json.stdout)["ok"] is False


# The queue

def test_queue(place):
    """list, show, hold, release, retry, delete: what they say and what they do."""
    first = place.submit("bob@later.example")
    second = place.submit(["carol@later.example", "dave@later.example"])
    rows = deferred(place, 2)
    assert [row["id"] for row in rows] == [first, second]
    assert rows[0]["sender"] == rows[0]["user"] == "alice@example.net" and not rows[0]["held"]
    table = place.ctl("queue", "list")
    assert first in table and "carol@later.example" in table and "refused" in table.lower()
    shown = place.json("queue", "show", second)
    assert shown["id"] == second and shown["expires"] > shown["arrival"] and shown["client"] == "127.0.0.1" and shown["listener"] == "465"
    recipient = shown["recipients"][1]
    assert recipient["address"] == "dave@later.example" and recipient["route"] == "later.example" and recipient["attempts"] == 1
    assert "dave@later.example" in place.ctl("queue", "show", second)
    assert [row["id"] for row in place.json("queue", "list", "--limit", "1", "--after", first)["messages"]] == [second]
    assert place.json("queue", "list", "--user", "bob@example.net")["total"] == 0
    assert place.json("queue", "list", "--domain", "later.example")["total"] == 2

    assert place.json("queue", "hold", first)["messages"] == 1
    hop = Hop(port=place.later_port)
    try:
        assert [row["id"] for row in place.json("queue", "list", "--held")["messages"]] == [first]
        assert place.status()["held"] == 1
        place.json("queue", "retry", "--all")
        mail = hop.await_mail()
        assert sorted(mail.addresses) == ["carol@later.example", "dave@later.example"]
        place.await_queue(lambda queued: [row["id"] for row in queued] == [first])
        time.sleep(0.5)
        assert len(hop.mails) == 1, "a held message was sent"
        assert place.json("queue", "release", first)["messages"] == 1
        assert hop.await_mails(2)[1].addresses == ["bob@later.example"]
        place.await_empty()
    finally:
        hop.stop()
    assert [event["event"] for event in place.trace(first)["events"] if event["event"] in {"held", "released"}] == ["held", "released"]


@pytest.mark.parametrize("bounce", [False, True])
def test_delete(place, bounce):
    """Deleting tells the sender only with --bounce."""
    identity, other = place.submit("bob@later.example"), place.submit("carol@later.example")
    deferred(place, 2)
    done = place.json("queue", "delete", identity, *(["--bounce"] if bounce else []))
    assert (done["messages"], done["recipients"]) == (1, 1)
    place.await_queue(lambda queued: [row["id"] for row in queued] == [other])
    if bounce:
        assert b"bob@later.example" in place.await_mail(f"Final-Log-ID: {identity}")
        place.await_queue(lambda queued: [row["id"] for row in queued] == [other])
    else:
        time.sleep(0.5)
        assert not place.delivered()
    assert "deleted" in [event["event"] for event in place.trace(identity)["events"]]
    assert place.json("queue", "delete", "--domain", "later.example")["messages"] == 1
    assert place.json("queue", "delete", "--all")["messages"] == 0


def test_queue_outlives_a_restart(place):
    """QUE-1, QUE-12: held and deferred messages are as they were after the server has been restarted; traces too."""
    held, waiting = place.submit("bob@later.example"), place.submit("carol@later.example")
    deferred(place, 2)
    place.ctl("queue", "hold", held)
    before = {row["id"]: row for row in place.queue()}
    place.stop()
    place.start()
    after = {row["id"]: row for row in place.queue()}
    assert after == before and after[held]["held"] and not after[waiting]["held"]
    assert [event["event"] for event in place.trace(held)["events"]] == ["login", "accepted", "attempt", "held"]
    place.ctl("queue", "delete", "--all")


def test_status(place):
    """status counts, as a table and as JSON."""
    place.submit("bob@later.example")
    place.submit("bob@tls.example")
    deferred(place, 1)
    wanted = {"queued": 1, "held": 0, "recipients": 1, "deferred": 1, "active": 0, "accepted": 2, "delivered": 1, "bounced": 0}
    await_true(lambda: wanted.items() <= place.status().items(), lambda: place.status())
    status = place.status()
    assert status["hostname"] == "msa.example.net" and status["pending"] == [] and status["snapshot"] == 1 and status["oldest"]
    spool = status["spool"]
    assert spool["segments"] >= 1 and spool["free"] > 0 and spool["full"] is False and spool["damaged"] == 0
    table = place.ctl("status")
    assert re.search(r"^queued +1$", table, re.M) and re.search(r"^delivered +1$", table, re.M)


# Reload

@pytest.mark.parametrize("way", ["SIGHUP", "submitctl"])
def test_reload(place, way):
    """OPS-2, TLS-17: new settings and a new certificate from the next session on; a session that is open goes on with its own."""
    session = place.client()
    idle = place.connect("587")
    idle.hello()
    session.expect("MAIL FROM:<alice@example.net>", "250 2.1.0")
    old = certificate_at(place)
    key, certificate = make_certificate(place.folder, "renewed", "renewed.example")
    shutil.copy(key, place.key)
    shutil.copy(certificate, place.certificate)
    place.routes["moved.example"] = f'via = "smtp"  to = "127.0.0.1:{place.hop.port}"'
    place.sections["limits"] = "message_size = 65536"
    place.write_conf()
    if way == "SIGHUP":
        assert "configuration in force" in place.reload()
        await_true(lambda: place.status()["snapshot"] == 2, "snapshot 2")
    else:
        assert place.json("reload") == {"snapshot": 2, "pending": []}
    await_true(lambda: certificate_at(place) != old, "the new certificate")
    assert certificate_at(place) == ssl.PEM_cert_to_DER_cert(certificate.read_text())
    # The transaction that was open goes on, the certificate of a session is the one it began with.
    session.expect("RCPT TO:<bob@example.org>", "250 2.1.5")
    place.await_mail(session.data(message("open session")))
    session.mail("alice@example.net", ["bob@example.org"], message(body="x" * 70 + "\r\n") + ("y" * 70 + "\r\n") * 2000)
    session.quit()
    idle.start_tls()
    idle.hello()
    idle.login("alice@example.net", PASSWORD)
    idle.quit()
    # New sessions have the new settings.
    client = place.connect("465")
    assert client.hello()["SIZE"] == "65536"
    client.quit()
    place.submit("bob@moved.example")
    place.hop.await_mail()


@pytest.mark.parametrize("way", ["SIGHUP", "submitctl"])
def test_reload_refused(place, way):
    """OPS-1, OPS-2: a bad configuration, or a bad certificate, is named and refused; the old one goes on."""
    session = place.client()
    old = certificate_at(place)
    good = place.conf.read_text()
    line = len(good.splitlines()) + 1
    place.conf.write_text(good + 'rout "x" { via = "mx" }\n')

    def refused(words):
        if way == "SIGHUP":
            said = place.reload()
            assert "configuration is refused" in said
        else:
            done = place.run_ctl("reload")
            said = done.stderr
            assert done.returncode == 78, done
        for word in words:
            assert word in said, said

    refused([f"{place.conf}:{line}", "rout", "route"])
    place.conf.write_text(good)
    place.certificate.rename(place.folder / "away")
    refused([str(place.certificate)])
    (place.folder / "away").rename(place.certificate)
    place.await_mail(session.mail("alice@example.net", ["bob@example.org"], message("still there")))
    session.quit()
    place.await_mail(place.submit("bob@example.org"))
    assert certificate_at(place) == old and place.status()["snapshot"] == 1


def test_reload_pending(place):
    """A setting that needs a restart keeps its value, and reload and status say so."""
    place.top = "gates = 3"
    place.write_conf()
    said = place.run_ctl("reload")
    assert said.returncode == 0 and "gates" in said.stdout + said.stderr
    assert place.status()["pending"] == ["gates"]
    place.await_mail(place.submit("bob@example.org"))


# Users

def test_users(place):
    """AUTH-16: add, list, passwd, disable, enable, remove: each from the next login on, without a reload."""
    def login(password):
        connection = place.connect()
        connection.hello()
        reply = connection.command("AUTH PLAIN " + b64(f"\0carol@example.net\0{password}"))
        connection.quit()
        return reply.brief

    place.add_user("carol@example.net", "first secret")
    assert login("first secret") == "235 2.7.0"
    assert place.run_ctl("user", "add", "carol@example.net", stdin="x\n").returncode == 65
    place.ctl("user", "passwd", "carol@example.net", stdin="second secret\n")
    assert login("first secret") == "535 5.7.8" and login("second secret") == "235 2.7.0"
    place.ctl("user", "disable", "carol@example.net")
    assert login("second secret") == "525 5.7.13" and login("first secret") == "535 5.7.8"
    listed = {user["login"]: user for user in place.json("user", "list")["users"]}
    assert listed["carol@example.net"]["state"] == "disabled" and listed["alice@example.net"]["state"] == "active"
    place.ctl("user", "enable", "carol@example.net")
    assert login("second secret") == "235 2.7.0"
    place.ctl("user", "remove", "carol@example.net")
    assert login("second secret") == "535 5.7.8"
    assert place.run_ctl("user", "disable", "carol@example.net").returncode == 67
    assert b"second secret" not in place.users_path.read_bytes() and place.users_path.stat().st_mode & 0o7 == 0


# Instances and starts that fail

def test_second_instance(place, rig):
    """A second server on the same spool is refused, with and without the same ports; the first one goes on."""
    status, said = place.start_refused()
    assert status == 69 and str(place.state) in said and "another submitd" in said
    other = rig.server("second", start=False)
    other.conf.write_text(other.conf.read_text().replace(str(other.state), str(place.state)))
    other.add_user()
    status, said = other.start_refused()
    assert status == 69 and str(place.state) in said
    place.await_mail(place.submit("bob@example.org"))


def test_not_running(rig):
    """submitctl without a server: exit 69 and a sentence; commands for files work all the same."""
    server = rig.server("idle", start=False)
    server.add_user()
    done = server.run_ctl("status")
    assert done.returncode == 69 and "running" in done.stderr
    assert "good" in server.ctl("check") and server.json("check")["ok"] is True
    assert server.start_refused("--check")[0] == 0


BAD = {
    "unknown": ('nonsense = "x"', ["nonsense"]),
    "near": ('hostnam = "x.example"', ["hostnam", "hostname"]),
    "twice": ('hostname = "other.example.net"', ["hostname"]),
    "number": ("gates = many", ["gates", "many"]),
    "too-large": ("gates = 300", ["gates", "300", "256"]),
    "choice": ('listener "x" { address = "127.0.0.1:1"  tls = "perhaps" }', ["tls", "perhaps", "implicit", "starttls"]),
    "address": ('listener "x" { address = "localhost"  tls = "implicit" }', ["localhost"]),
    "unclosed": ('route "y.example" { via = "mx"', ["}"]),
    "repeated-section": ('route "twice.example" { via = "mx" }\nroute "twice.example" { via = "mx" }', ["twice.example"]),
    "environment": ('postmaster = "${HOME}"', ["$"]),
    "missing": ('route "y.example" { }', ["via"]),
    "unsafe": ('trusted_networks = { "0.0.0.0/0" }', ["0.0.0.0/0"]),
    "secret": ('route "y.example" { via = "smtp"  to = "h.example"  username = "u"  tls = "may"  password_file = "/x" }', ["tls", "verify"]),
    "later": ('domain "y.example" { dkim = { "a" } }', ["dkim"]),
}


@pytest.mark.parametrize("fault", BAD)
@pytest.mark.parametrize("how", ["start", "check", "submitctl"])
def test_bad_configuration(rig, fault, how):
    """OPS-1: file, line, the offending word and what is allowed; exit 78; nothing bound."""
    server = rig.server("bad", start=False)
    server.add_user()
    text, words = BAD[fault]
    good = server.conf.read_text()
    first = len(good.splitlines()) + 1
    server.conf.write_text(good + text + "\n")
    if how == "submitctl":
        done = server.run_ctl("check")
        status, said = done.returncode, done.stderr
    else:
        status, said = server.start_refused(*(["--check"] if how == "check" else []))
    assert status == 78, said
    lines = {first, first + text.count("\n"), first + text.count("\n") + 1}
    assert any(f"{server.conf}:{line}: " in said for line in lines), said
    for word in words:
        assert word in said, said
    assert len(said.strip().splitlines()) == 1 and not server.state.joinpath("spool").exists()


def spoil_key(server):
    server.key.write_text("-----BEGIN PRIVATE KEY-----\nrubbish\n-----END PRIVATE KEY-----\n")


def other_key(server):
    shutil.copy(make_certificate(server.folder, "other")[0], server.key)


def swap_state(server):
    server.state.rmdir()
    server.state.write_text("no folder\n")


FILES = {
    "no-key": (lambda server: server.key.unlink(), "key.pem"),
    "open-key": (lambda server: server.key.chmod(0o644), "key.pem"),
    "no-key-but-a-folder": (lambda server: (server.key.unlink(), server.key.mkdir(0o700)), "key.pem"),
    "rubbish-key": (spoil_key, "key.pem"),
    "other-key": (other_key, "key.pem"),
    "no-certificate": (lambda server: server.certificate.unlink(), "cert.pem"),
    "rubbish-certificate": (lambda server: server.certificate.write_text("rubbish\n"), "cert.pem"),
    "no-users": (lambda server: server.users_path.unlink(), "users"),
    "open-users": (lambda server: server.users_path.chmod(0o644), "users"),
    "rubbish-users": (lambda server: server.users_path.write_bytes(b"rubbish\xff\n"), "users"),
    "no-state": (lambda server: server.state.rmdir(), "state"),
    "state-is-a-file": (swap_state, "state"),
    "spool-is-a-file": (lambda server: (server.state / "spool").write_text("x"), "state/spool"),
    "no-configuration": (lambda server: server.conf.unlink(), "submitd.conf"),
}


@pytest.mark.parametrize("fault", FILES)
def test_missing_file(rig, fault):
    """OPS-1: a key, certificate, user file or spool that cannot be used is named, and no port is bound."""
    need("strace")
    server = rig.server("files", start=False)
    server.add_user()
    spoil, name = FILES[fault]
    spoil(server)
    calls = server.folder / "calls"
    wrap(server, "strace", "-f", "-qq", "-e", "trace=bind", "-o", calls)
    status, said = server.start_refused()
    assert status == 78 and str(server.folder / name) in said, (status, said)
    assert "AF_INET" not in calls.read_text(), calls.read_text()


def test_damaged_users(place):
    """AUTH-15: a user file that is damaged later is named with its line; logins wait (454) until it is mended, with no restart."""
    good = place.users_path.read_bytes()
    place.users_path.write_bytes(b"rubbish\xff\n" + good)
    connection = place.connect()
    connection.hello()
    assert connection.command("AUTH PLAIN " + b64(f"\0alice@example.net\0{PASSWORD}")).brief == "454 4.7.0"
    place.await_log(r"vault\.0 .*user file.*users.*line=1 ")
    assert place.run_ctl("user", "list").returncode == 65
    place.users_path.write_bytes(good)
    connection.login("alice@example.net", PASSWORD)
    connection.quit()


def wrap(server, *words):
    """From now on the server is started through another program."""
    binary, server.build = server.build, server.folder / "wrapped"
    server.build.mkdir()
    (server.build / "submitctl").symlink_to(binary / "submitctl")
    wrapper = server.build / "submitd"
    wrapper.write_text("#!/bin/sh\nexec " + " ".join(f'"{word}"' for word in [*words, binary / "submitd"]) + ' "$@"\n')
    wrapper.chmod(0o755)


def give_away(server):
    """Everything of it to a user that nobody is, who starts it too. Without root it is ours, and we start it, anyway."""
    if not IS_ROOT:
        return
    need("setpriv")
    for path in [server.folder, *server.folder.rglob("*")]:
        os.chown(path, STRANGER, STRANGER)
    wrap(server, "setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups")


def test_unreadable_key(rig):
    """OPS-1: a key that this user may not read is named."""
    server = rig.server("files", start=False)
    server.add_user()
    give_away(server)
    if IS_ROOT:
        os.chown(server.key, 0, 0)
    server.key.chmod(0o600 if IS_ROOT else 0)
    status, said = server.start_refused()
    assert status == 78 and str(server.key) in said and "denied" in said.lower(), (status, said)


def test_without_root(rig):
    """OPS-8: it runs all the same when not started as root, and says what is missing then."""
    server = rig.server("rootless", start=False)
    server.add_user()
    give_away(server)
    server.start()
    server.await_log(r"root")
    server.await_mail(server.submit("bob@example.org"))
    assert "configuration in force" in server.reload()


def test_port_taken(rig):
    """A listener whose port is taken is named; exit status other than 0, and everything ends."""
    server = rig.server("taken", start=False)
    server.add_user()
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", server.ports["587"]))
        squatter.listen()
        status, said = server.start_refused()
    assert status in {69, 71, 78} and f"127.0.0.1:{server.ports['587']}" in said and "in use" in said.lower(), (status, said)


def test_ends_cleanly(place):
    """OPS-2, LSN-6: SIGTERM says 421 to who waits, lets a message that has begun come to its end, and leaves nothing behind."""
    idle, session = place.client(), place.client()
    session.expect("MAIL FROM:<alice@example.net>", "250 2.1.0")
    session.expect("RCPT TO:<bob@example.org>", "250 2.1.5")
    session.expect("DATA", "354")
    session.send(message("last"))
    rooms = place.rooms()
    assert {name.partition(".")[0] for name in rooms} == {"gate", "vault", "queue", "relay", "maildrop"}
    time.sleep(0.2)
    place.process.terminate()
    assert idle.read_reply().brief == "421 4.3.2"
    idle.await_close()
    time.sleep(0.3)
    session.send(b".\r\n")
    identity = queue_id(session.read_reply())
    assert session.read_reply().brief == "421 4.3.2"
    assert place.process.wait(PATIENCE) == 0
    place.process = None
    assert not any(os.path.exists(f"/proc/{pid}") for pid in rooms.values())
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", place.ports["465"])) != 0
    place.start()
    assert b"Subject: last" in place.await_mail(identity)
    place.await_empty()
