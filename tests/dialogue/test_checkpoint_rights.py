"""dialogue/test_checkpoint_rights.py: who goes on with a message that was cut off is judged by the rights of that moment, and of
that login (EXT-CKPT-2): what was allowed at the first time need not be allowed now."""
import json
import random

import pytest

from rig.server import PASSWORD
from test_checkpoint import LARGE, MAIL, begin, check, content_of, cut, keep_part, mail_line, make, resume, send_part, send_rest

BOB, CAROL = "bob@example.org", "carol@example.org"


@pytest.fixture(scope="module")
def server(shared):
    return make(shared, "checkpoint-rights")


def some(name, size=3000):
    return content_of(size, random.Random(name))


@pytest.fixture
def alice(server):
    """Sets her rights; they are as before behind the test."""
    def rights(*words):
        server.ctl("user", "set", "alice@example.net", *words)
    yield rights
    rights("--recipient", "none", "--max-recipients", "none", "--max-size", "none", "--submit", "yes")


def test_recipients_withdrawn(server, alice):
    """EXT-CKPT-2, SUB-6.2-1: she may no longer write to one of those: it begins anew, and that one is refused."""
    content = some("recipients withdrawn", LARGE * 2)
    keep_part(server, "withdrawn", content, LARGE, recipients=(BOB, CAROL))
    alice("--recipient", CAROL)
    connection, offset = resume(server, "withdrawn")
    assert offset is None
    connection.expect("DATA", "503 5.5.1")
    connection.expect(f"RCPT TO:<{BOB}>", "550 5.7.1")
    connection.expect(f"RCPT TO:<{CAROL}>", "250 2.1.5")
    identity = send_rest(connection, content)
    connection.quit()
    check(server, identity, content)


def test_recipients_still_allowed(server, alice):
    """EXT-CKPT-2: rights have changed, and they are allowed by the new ones too."""
    content = some("recipients still allowed")
    keep_part(server, "allowed", content, 3000, recipients=(BOB, CAROL))
    alice("--recipient", CAROL, "--recipient", "*@example.org", "--max-recipients", "2")
    connection, offset = resume(server, "allowed")
    assert offset == 3000
    for recipient in (BOB, CAROL, BOB):
        connection.expect(f"RCPT TO:<{recipient}>", "250 2.1.5")
    check(server, send_rest(connection, b""), content, 2)
    connection.quit()


def test_fewer_recipients(server, alice):
    """EXT-CKPT-2, CMD-27: as many are too many now."""
    keep_part(server, "fewer", some("fewer recipients"), 3000, recipients=(BOB, CAROL))
    alice("--max-recipients", "1")
    connection, offset = resume(server, "fewer")
    assert offset is None
    connection.expect(f"RCPT TO:<{BOB}>", "250 2.1.5")
    connection.expect(f"RCPT TO:<{CAROL}>", "550 5.5.3")
    connection.quit()


@pytest.mark.parametrize("is_allowed", [True, False])
def test_the_vault_is_asked(server, alice, is_allowed):
    """EXT-CKPT-2: of a long list of recipients the gate has not all, and asks about each."""
    name = f"asked{is_allowed}"
    content = some(name)
    keep_part(server, name, content, 3000, recipients=(BOB, CAROL))
    patterns = [f"r{i}@example.com" for i in range(40)] + [BOB, CAROL if is_allowed else "dave@example.org"]
    alice(*(word for pattern in patterns for word in ("--recipient", pattern)))
    connection, offset = resume(server, name)
    assert offset == (3000 if is_allowed else None)
    connection.expect("RSET", "250 2.0.0")
    connection.quit()


def test_the_postmaster(server, alice):
    """EXT-CKPT-2, SUB-6.4-2: <postmaster> stands for an address that no list has to name."""
    alice("--recipient", CAROL)
    content = some("the postmaster")
    keep_part(server, "postmaster", content, 3000, recipients=("postmaster", CAROL))
    connection, offset = resume(server, "postmaster")
    assert offset == 3000
    connection.expect("RCPT TO:<postmaster>", "250 2.1.5")
    connection.expect(f"RCPT TO:<{CAROL}>", "250 2.1.5")
    check(server, send_rest(connection, b""), content, 2)
    connection.quit()


def test_no_submission(server, alice):
    """EXT-CKPT-2, SUB-3.3-4: an account that may not submit goes on with nothing, and finds it there when it may again."""
    keep_part(server, "idle", some("no submission"), 3000)
    alice("--submit", "no")
    connection = server.client()
    reply = connection.command(mail_line("idle"))
    assert reply.code == 550, reply
    connection.quit()
    alice("--submit", "yes")
    connection, offset = resume(server, "idle")
    assert offset == 3000
    connection.quit()


@pytest.mark.parametrize("bdat", [False, True], ids=["data", "bdat"])
def test_smaller(server, alice, bdat):
    """EXT-CKPT-2, DATA-10, EXT-CHUNKING-7: what is kept counts into the size, whatever brings the rest."""
    name = f"smaller{bdat}"
    content = some(name, LARGE * 2)
    keep_part(server, name, content, LARGE)
    alice("--max-size", str(LARGE + 1000))
    connection, offset = resume(server, name)
    assert 0 < offset <= LARGE
    if bdat:
        connection.send(b"BDAT 2000\r\n" + content[offset:offset + 2000])
    else:
        connection.expect("DATA", "354")
        connection.send(content[offset:offset + 2000].replace(b"\r\n.", b"\r\n..") + b"\r\n.\r\n")
    assert connection.read_reply().brief == "552 5.3.4"
    connection.quit()


def test_a_narrower_login(server):
    """EXT-CKPT-2: an app password that may write to few goes on with nothing that was begun for others."""
    made = json.loads(server.ctl("--json", "password", "add", "carol@example.net", "printer", "--recipient", CAROL))
    content = some("a narrower login")
    keep_part(server, "narrow", content, 3000, recipients=(BOB,), user="carol@example.net")
    connection, offset = resume(server, "narrow", user="carol@example.net", password=made["password"])
    assert offset is None
    connection.expect(f"RCPT TO:<{BOB}>", "550 5.7.1")
    connection.quit()


def test_a_network_that_was_trusted(rig):
    """EXT-CKPT-2, SUB-6.4-1: who has become a stranger meanwhile writes to the postmaster, and to nobody that he named before."""
    server = make(rig, "trusted-once", top='trusted_networks = { "127.9.0.0/16" }\npostmaster_unauth = true')

    def connect():
        connection = server.connect("465", "127.9.3.1")
        connection.hello()
        return connection

    content = some("a network that was trusted")
    connection = connect()
    connection.expect(mail_line("stranger"), "250 2.1.0")
    connection.expect(f"RCPT TO:<{BOB}>", "250 2.1.5")
    send_part(connection, content, 3000, False)
    cut(server, connection)
    server.top = "postmaster_unauth = true"
    server.write_conf()
    server.reload()
    connection = connect()
    connection.expect(mail_line("stranger"), "250 2.1.0")
    connection.expect("DATA", "503 5.5.1")
    connection.expect(f"RCPT TO:<{BOB}>", "530 5.7.0")
    connection.expect("RCPT TO:<postmaster>", "250 2.1.5")
    connection.expect("DATA", "354")
    connection.send(b"From: <alice@example.net>\r\n\r\nleft\r\n")
    kept = server.status()["spool"]["partials"]
    connection.close()
    connection = connect()  # of a stranger nothing is kept
    connection.expect(mail_line("stranger"), "250 2.1.0")
    connection.expect("DATA", "503 5.5.1")
    connection.quit()
    assert server.status()["spool"]["partials"] == kept


def test_the_password_is_needed(server):
    """EXT-CKPT-2: neither before a login nor by another's is there anything to go on with."""
    keep_part(server, "locked", some("the password is needed"), 3000)
    connection = server.connect("465")
    connection.hello()
    connection.expect(mail_line("locked"), "530 5.7.0")
    connection.login("alice@example.net", PASSWORD)
    connection.expect(f"{MAIL} TRANSID=<LOCKED@c.example>", "250 2.1.0")
    connection.expect("RSET", "250 2.0.0")
    assert connection.command(mail_line("locked")).brief == "355"
    connection.quit()
