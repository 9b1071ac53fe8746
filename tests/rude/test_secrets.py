"""rude/test_secrets.py: what is left of a password in the memory of the rooms once a login is over (AUTH-27): nothing. Needs
root, and the build without sanitizers, whose memory outlives its use."""
import os
import pathlib
import re
import secrets

import pytest

from rig.client import b64

USER = "alice@example.net"


def remains(process, texts):
    """Those of the texts that lie in the process's writable memory."""
    found = set()
    with open(f"/proc/{process}/mem", "rb", 0) as memory:
        for line in pathlib.Path(f"/proc/{process}/maps").read_text().splitlines():
            area = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if not area or "[vvar" in line:
                continue
            start, end = int(area[1], 16), int(area[2], 16)
            memory.seek(start)
            try:
                octets = memory.read(end - start)
            except OSError:
                continue
            found |= {text for text in texts if text in octets}
    return found


@pytest.mark.skipif(os.geteuid() != 0, reason="reads other processes' memory")
@pytest.mark.parametrize("listener", ["465", "587"])
@pytest.mark.parametrize("how", ["PLAIN", "PLAIN in two", "PLAIN in pieces", "LOGIN", "wrong", "too long", "cancelled"])
def test_nothing_left(rig, how, listener):
    server = rig.server("secrets", start=False)
    secret = "S" + secrets.token_hex(20)
    server.add_user(USER, secret)
    server.start()
    message = b64(f"\0{USER}\0{secret}")
    # Of the encoded forms the inner part: whatever lies before it.
    texts = {secret.encode(), message[-40:-8].encode(), b64(secret)[4:36].encode()}
    connection = server.connect(listener)
    connection.hello()
    if listener == "587":
        connection.start_tls()
        connection.hello()
    if how == "PLAIN":
        connection.expect("AUTH PLAIN " + message, "235 2.7.0")
    elif how == "PLAIN in two":
        connection.expect("AUTH PLAIN", "334")
        connection.expect(message, "235 2.7.0")
    elif how == "PLAIN in pieces":
        line = f"AUTH PLAIN {message}\r\n"
        for at in range(0, len(line), 7):
            connection.send(line[at:at + 7])
        assert connection.read_reply().brief == "235 2.7.0"
    elif how == "LOGIN":
        connection.expect("AUTH LOGIN", "334")
        connection.expect(b64(USER), "334")
        connection.expect(b64(secret), "235 2.7.0")
    elif how == "wrong":
        connection.expect("AUTH PLAIN " + b64(f"\0{USER}\0wrong{secret}"), "535 5.7.8")
    elif how == "too long":
        connection.expect("AUTH PLAIN " + b64(f"\0{USER}\0{secret}" + "x" * 10000), "500 5.5.6", "500 5.5.2")
    else:
        connection.expect("AUTH PLAIN", "334")
        connection.expect("*", "501 5.7.0")
        connection.expect("AUTH LOGIN " + b64(USER), "334")
        connection.expect(b64(secret) + "=", "501 5.5.2")
    connection.expect("NOOP", "250 2.0.0")
    assert {room: remains(process, texts) for room, process in server.rooms().items()} == {room: set() for room in server.rooms()}
