"""dialogue/test_log.py: what the log looks like: a JSON object a line where nobody looks on, words at a terminal (LOG-1, LOG-3)."""
import json
import os
import pty
import subprocess
import time

from rig.client import message
from rig.patience import PATIENCE, await_true
from rig.server import PASSWORD, environment


def unique(pairs):
    keys = [key for key, _ in pairs]
    assert len(keys) == len(set(keys)), f"a key stands twice: {keys}"
    return dict(pairs)


def records(server):
    """Every line but what a sanitizer says to itself."""
    lines = server.log(server.log_start).splitlines()
    assert not [line for line in lines if line.startswith("2")]
    return [json.loads(line, object_pairs_hook=unique) for line in lines if not line.startswith(("==", "False ", "For "))]


def one(lines, event, **fields):
    found = [line for line in lines if line["event"] == event and all(line.get(key) == value for key, value in fields.items())]
    assert len(found) == 1, f"{len(found)} lines {event!r} {fields}: {lines}"
    return found[0]


def test_json_is_the_default(shared):
    """LOG-1: a record for connection, login, MAIL taken and refused, delivery; LOG-3: what comes from outside cannot break one."""
    server = shared.server("json", start=False)
    server.log_form = "auto"
    server.write_conf()
    server.start()
    client = server.connect("465")
    client.expect('EHLO "};\\"', "250")
    client.login("alice@example.net", PASSWORD)
    client.expect("MAIL FROM:<carol@example.net>", "550 5.7.1")
    client.expect("MAIL FROM:<alice@example.net> SMTPUTF8", "250 2.1.0")
    client.expect("RCPT TO:<\u03b4@example.org>", "250 2.1.5")
    identity = client.data(message())
    client.quit()
    server.await_mail(identity)
    server.await_log("disconnected")
    await_true(lambda: [line for line in records(server) if line.get("id") == identity and line["process"].startswith("queue")], "no line of the queue's")
    lines = records(server)
    assert all({"time", "level", "process", "event"} <= set(line) for line in lines), lines
    assert one(lines, "submitd ready")["process"] == "submitd"
    refused = one(lines, "refused", code=550)
    assert refused["reason"].startswith("5.7.1 ") and refused["user"] == "alice@example.net" and refused["process"].startswith("gate.")
    session = refused["session"]
    accepted = one(lines, "accepted", session=session)
    assert accepted["id"] == identity and accepted["to"] == "\u03b4@example.org"
    assert [line for line in lines if line.get("id") == identity and line["process"].startswith("queue")]
    server.stop()
    lines = records(server)
    one(lines, "submitd stopped")


def test_words_at_a_terminal(shared):
    """LOG-1: for people."""
    server = shared.server("terminal", start=False)
    server.log_form = "auto"
    server.write_conf()
    server.add_user()
    ours, theirs = pty.openpty()
    process = subprocess.Popen([server.build / "submitd", "-c", server.conf], stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs,
                               env=environment())
    os.close(theirs)
    text, end = b"", time.monotonic() + PATIENCE
    while b"submitd ready" not in text and time.monotonic() < end:
        text += os.read(ours, 4096)
    process.terminate()
    try:
        while os.read(ours, 4096):
            pass
    except OSError:  # the last of the other side has gone
        pass
    process.wait(PATIENCE)
    os.close(ours)
    assert b"submitd ready" in text and b"{" not in text, text
