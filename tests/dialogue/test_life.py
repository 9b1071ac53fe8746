"""dialogue/test_life.py: what a session sees when the server is told to stop or to reload, is full, or is flooded; and TLS as
only a TLS tool can look at it."""
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest

from rig.client import message, stuff
from rig.hop import Hop
from rig.patience import PATIENCE
from rig.server import PASSWORD, make_certificate

TRUSTED = {"top": 'trusted_networks = { "127.9.0.0/16" }',
           "listeners": {"587": 'tls = "starttls"', "465": 'tls = "implicit"', "588": 'tls = "starttls"  require_tls = false'}}


def trusted(server, number=1):
    connection = server.connect("588", source=f"127.9.5.{number}")
    connection.hello()
    return connection


def begin(connection):
    connection.expect("MAIL FROM:<alice@example.net>", "250 2.1.0")
    connection.expect("RCPT TO:<bob@example.org>", "250 2.1.5")
    connection.expect("DATA", "354")


def await_refusal(server, listener):
    """Nobody listens any more; the gates let go of the socket one by one."""
    deadline = time.monotonic() + 25  # less than the time that a client inside DATA has, which is half a minute
    while True:
        try:
            server.connect(listener, greet=False).drop()
        except ConnectionRefusedError:
            return
        except ConnectionResetError:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_shutdown(rig):
    """LSN-6, LSN-5, DATA-13, CMD-29: at SIGTERM idle clients hear 421; one inside DATA may finish, and what it got 250 for is kept."""
    server = rig.server("shutdown", **TRUSTED)
    greeted = server.connect("587")
    idle, busy, chunky = trusted(server, 1), trusted(server, 2), trusted(server, 3)
    begin(busy)
    busy.send("From: <alice@example.net>\r\nSubject: late\r\n")
    chunky.expect("MAIL FROM:<alice@example.net>", "250 2.1.0")
    chunky.expect("RCPT TO:<bob@example.org>", "250 2.1.5")
    chunky.send("BDAT 100\r\nFrom: <alice@example.net>\r\n")
    time.sleep(0.2)
    server.process.send_signal(signal.SIGTERM)
    for connection in (greeted, idle):
        assert connection.read_reply().brief == "421 4.3.2"
        assert connection.await_close() == b""
    await_refusal(server, "588")
    busy.send("\r\nthe rest\r\n.\r\n")
    assert busy.read_reply().brief == "250 2.0.0"
    assert busy.read_reply().brief == "421 4.3.2"
    chunky.drop()
    server.stop()
    server.start()
    assert b"the rest" in server.await_mail(b"Subject: late")


def test_full(rig):
    """LSN-8: over the total, 421 4.3.2; a place that becomes free is given again."""
    server = rig.server("full-house", sections={"limits": "connections = 5  connections_per_client = 0"}, **TRUSTED)
    held = [trusted(server, number) for number in range(1, 6)]
    turned_away = server.connect("588", source="127.9.5.9", greet=False)
    assert turned_away.read_reply().brief == "421 4.3.2"
    assert turned_away.await_close() == b""
    implicit = server.connect("465", greet=False)
    with pytest.raises((OSError, AssertionError)):
        implicit.secure()
        assert implicit.read_reply().brief == "220"
    held.pop().quit()
    deadline = time.monotonic() + PATIENCE   # before that is noticed
    while True:
        try:
            trusted(server, 9)
            break
        except AssertionError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_many(rig):
    """LSN-8, LSN-10: many connections at once, each with its own message."""
    server = rig.server("many", sections={"limits": "connections_per_client = 0"}, **TRUSTED)
    connections = [trusted(server, 1 + number % 200) for number in range(200)]
    for connection in connections:
        connection.expect("MAIL FROM:<alice@example.net>", "250 2.1.0")
    for number, connection in enumerate(connections):
        connection.expect(f"RCPT TO:<bob{number}@example.org>", "250 2.1.5")
    identities = {connection.data(message(subject=f"many {number}")) for number, connection in enumerate(connections)}
    assert len(identities) == 200
    server.await_empty()
    assert len(server.delivered()) == 200


def test_flood_of_errors(rig):
    """SUB-5.2-1, SUB-5.2-3: at most a hundred lines a minute about one client; what was left out is counted."""
    server = rig.server("flood", **TRUSTED)
    while time.time() % 60 > 55:    # so that they mostly fall into one minute
        time.sleep(0.5)
    began = time.time()
    for _ in range(20):
        connection = server.connect("588", source="127.9.5.77")
        connection.hello()
        connection.send(b"RCPT TO:<x@example.org>\r\n" * 9 + b"QUIT\r\n")
        connection.await_close()
    time.sleep(0.3)
    lines = [line for line in server.log().splitlines() if "127.9.5.77" in line]
    # Each of the two gates has half of it, and the connections are not spread evenly. Each minute of the clock begins anew.
    minutes = int(time.time() // 60 - began // 60) + 1
    assert 40 <= sum(" refused " in line for line in lines) <= 100 * minutes
    other = server.connect("588", source="127.9.5.78")
    other.hello()
    other.expect("RCPT TO:<x@example.org>", "503 5.5.1")
    server.await_log("refused.*127.9.5.78")


def test_chatty_session(rig):
    """SUB-5.2-3: twenty lines for a session; the rest is counted where it ends."""
    server = rig.server("chatty")
    connection = server.client()
    for _ in range(3):
        for _ in range(9):
            connection.expect("RCPT TO:<x@example.org>", "503 5.5.1")
        connection.mail("alice@example.net", ["bob@example.org"], message())
    connection.quit()
    server.await_log("disconnected.* suppressed=7( |$)")
    assert sum(" refused " in line for line in server.log().splitlines()) == 20


def test_one_segment(rig):
    """EXT-PIPELINING-1: the replies to a group leave together."""
    server = rig.server("segment", **TRUSTED)
    connection = trusted(server)
    connection.send("MAIL FROM:<alice@example.net>\r\nRCPT TO:<bob@example.org>\r\nRCPT TO:<carol@example.org>\r\nDATA\r\n")
    connection.receive()
    assert re.fullmatch(rb"250 2\.1\.0[^\n]*\n250 2\.1\.5[^\n]*\n250 2\.1\.5[^\n]*\n354[^\n]*\n", connection.buffer)


def test_never_reads(rig):
    """LSN-12, EXT-PIPELINING-1: a client that talks and never listens does not make the server grow, and others are served."""
    server = rig.server("deaf", **TRUSTED)
    deaf = trusted(server, 1)
    deaf.socket.settimeout(0.5)
    sent = 0
    try:
        while sent < 20_000_000:
            sent += deaf.socket.send(b"HELP\r\n" * 5000)
    except OSError:
        pass
    assert sent < 20_000_000, "the server took everything in"
    trusted(server, 2).expect("NOOP", "250 2.0.0")
    deaf.drop()


def test_slow_content(rig):
    """LSN-7, DATA-1: content in single octets is content."""
    server = rig.server("slow", **TRUSTED)
    connection = trusted(server)
    begin(connection)
    for octet in stuff(message(body=".x\r\n..\r\n").encode()) + b".\r\n":
        connection.socket.sendall(bytes([octet]))
    assert connection.read_reply().brief == "250 2.0.0"


def test_reload_keeps_sessions(rig):
    """TLS-17, LSN-6, TLS-14: a new certificate holds for the next handshake; open sessions, and messages half sent, go on."""
    server = rig.server("reload")
    inside, before = server.client(), server.connect("465")
    begin(inside)
    inside.send("From: <alice@example.net>\r\nSubject: across\r\n")
    key, chain = make_certificate(server.folder, "fresh", "localhost")
    shutil.copy(chain, server.certificate)
    shutil.copy(key, server.key)
    line = server.reload()
    assert "in force" in line
    after = server.connect("465")
    assert after.certificate() != before.certificate()
    inside.send("\r\nbody\r\n.\r\n")
    assert inside.read_reply().brief == "250 2.0.0"
    before.expect("NOOP", "250 2.0.0")
    after.hello()
    after.login("alice@example.net", PASSWORD)
    server.await_mail(b"Subject: across")


def test_reload_refused(rig):
    """TLS-17: a bad file, a key that does not fit: said with its place, and the old one stays."""
    server = rig.server("refused-reload")
    good_conf, good_key = server.conf.read_text(), server.key.read_bytes()
    server.conf.write_text(good_conf.replace("hostname", "hostnam", 1))
    assert "submitd.conf:1" in server.reload() and server.client()
    server.conf.write_text(good_conf)
    key, _ = make_certificate(server.folder, "stranger", "localhost")
    shutil.copy(key, server.key)
    assert "refused" in server.reload() and server.client()
    server.key.unlink()
    assert "refused" in server.reload() and server.client()
    server.key.write_bytes(good_key)
    server.key.chmod(0o600)
    assert "in force" in server.reload() and server.client()


def test_expiring_certificate(rig):
    """TLS-17: a certificate that ends within fourteen days is named in the log."""
    server = rig.server("expiring", start=False)
    key, chain = make_certificate(server.folder, "short", days=7)
    shutil.copy(chain, server.certificate)
    shutil.copy(key, server.key)
    server.start()
    server.await_log("expire|ends")


def openssl(server, *arguments, text="QUIT\n", seconds=PATIENCE):
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{server.ports['465']}", "-crlf", "-ign_eof", *arguments],
                          input=text, capture_output=True, text=True, timeout=seconds)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def server(shared):
    return shared.server("tls-look")


@pytest.mark.parametrize("ciphers", ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"])
def test_good_ciphers(server, ciphers):
    """TLS-11: authenticated encryption with forward secrecy."""
    assert f"Cipher    : {ciphers}" in openssl(server, "-tls1_2", "-cipher", ciphers)


@pytest.mark.parametrize("ciphers", ["ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384", "AES128-GCM-SHA256", "AES128-SHA", "aNULL", "eNULL",
                                     "DHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-CCM8"])
def test_bad_ciphers(server, ciphers):
    """TLS-11: nothing weaker."""
    output = openssl(server, "-tls1_2", "-cipher", f"{ciphers}:@SECLEVEL=0")
    assert "Cipher is (NONE)" in output or "Error with command" in output or "no cipher" in output


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_old_versions(server, version):
    """TLS-10: refused with the alert that says why."""
    output = openssl(server, version, "-cipher", "ALL:@SECLEVEL=0")
    assert "alert protocol version" in output


def test_renegotiation(server):
    """TLS-11: not at the client's wish; no compression."""
    client = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{server.ports['465']}", "-tls1_2"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    watch = threading.Timer(PATIENCE, client.kill)
    watch.start()
    client.stdin.write("R\n")   # read once the handshake is over
    client.stdin.flush()
    output = ""
    while "no renegotiation" not in output and (line := client.stdout.readline()):
        output += line
    output += client.communicate()[0]
    watch.cancel()
    assert "Compression: NONE" in output and "RENEGOTIATING" in output
    assert "no renegotiation" in output, output[-500:]


def test_tickets(server, tmp_path):
    """TLS-20: sessions are resumed at whichever gate; no early data; no request for a client's certificate."""
    ticket = tmp_path / "session"
    first = openssl(server, "-tls1_3", "-sess_out", str(ticket), text="NOOP\nQUIT\n")
    assert "No client certificate CA names sent" in first
    assert ticket.exists(), "no ticket was given"
    look = subprocess.run(["openssl", "sess_id", "-in", ticket, "-text", "-noout"], capture_output=True, text=True, check=True).stdout
    assert re.search(r"Max Early Data: 0", look) or "Max Early Data" not in look
    for _ in range(8):
        assert "Reused, TLSv1.3" in openssl(server, "-tls1_3", "-sess_in", str(ticket))


def test_bounce_limit(rig):
    """DSN-17: a hundred notices an hour to one sender; the rest is logged."""
    hop = Hop({"RCPT": "550 5.1.1 unknown"})
    rig.others.append(hop)
    server = rig.server("bounces", start=False, **TRUSTED)
    server.routes = {"refused.example": f'via = "smtp"  to = "{hop.address}"', "*": f'via = "maildir"  to = "{server.mail}"'}
    server.write_conf()
    server.start()
    connection = trusted(server)
    for number in range(104):
        connection.mail("alice@example.net", [f"user{number}@refused.example"], message())
    server.await_empty()
    assert len(server.delivered()) == 100
