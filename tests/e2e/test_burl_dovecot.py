"""e2e/test_burl_dovecot.py: BURL with Dovecot: a user uploads a message once, by IMAP, and has it sent from there (RFC 4467, RFC 4468)."""
import datetime
import time

import pytest

from e2e.dovecot_imap import DovecotImap
from e2e.programs import DOTS, LONG, UTF8, digest, eight_bit, large
from rig.client import message, queue_id
from rig.imap import SECRET, SUBMIT

USER, OTHER = "alice@example.net", "carol@example.net"
COMPLETE = "Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{mark}@client.example>\r\nMIME-Version: 1.0\r\n" \
           "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"


@pytest.fixture(scope="module", params=["", "scram-sha-256"])
def dovecot(shared, request):
    dovecot = DovecotImap([USER, OTHER], request.param)
    shared.others.append(dovecot)
    return dovecot.start()


@pytest.fixture(scope="module", params=["implicit", "starttls"])
def server(shared, dovecot, request):
    server = shared.server("burl-dovecot", start=False)
    password = server.folder / "imap-password"
    password.write_text(SECRET + "\n")
    password.chmod(0o600)
    port = dovecot.tls_port if request.param == "implicit" else dovecot.port
    server.sections['imap_server "localhost"'] = (f'to = "127.0.0.1:{port}"  tls = "{request.param}"  username = "{SUBMIT}"  '
                                                  f'password_file = "{password}"  ca_file = "{dovecot.certificate}"')
    server.sections["extensions"] = "burl = true"
    server.write_conf()
    server.add_user(USER)
    server.add_user(OTHER)
    return server.start()


def rump(place, user=USER, mailbox="Sent", section="", rest="", submitter=None):
    validity, uid = place
    return (f"imap://{user.replace('@', '%40')}@localhost/{mailbox};UIDVALIDITY={validity}/;UID={uid}{section}{rest}"
            f";URLAUTH=submit+{(submitter or user).replace('@', '%40')}")


def envelope(connection, parameters=""):
    connection.expect(f"MAIL FROM:<{USER}>{parameters}", "250 2.1.0")
    connection.expect("RCPT TO:<bob@example.org>", "250 2.1.5")


@pytest.mark.parametrize("size", ["small", "large"])
def test_exact(server, dovecot, size):
    """EXT-BURL-2, EXT-BURL-3, EXT-BURL-4: what is delivered is what was uploaded, octet by octet."""
    body = eight_bit() + DOTS + LONG + UTF8 + (large(700_000) if size == "large" else b"")
    mark = f"burl-{size}-{server.folder.name}"
    content = message(subject=mark, body="", fields=COMPLETE.format(mark=mark)).encode() + body
    url = dovecot.authorize(USER, rump(dovecot.upload(USER, content)))
    connection = server.client()
    assert connection.hello()["BURL"] == "imap"
    envelope(connection, " BODY=8BITMIME")
    reply = connection.command(f"BURL {url} LAST")
    assert reply.brief == "250 2.0.0", (reply, dovecot.log()[-2000:])
    got = server.await_mail(queue_id(reply)).replace(b"\r\n", b"\n")
    content = content.replace(b"\r\n", b"\n")
    assert digest(got[-len(content):]) == digest(content)


def test_assembled(server, dovecot):
    """EXT-BURL-2: a new header block by BDAT, the body and an attachment out of messages that lie on the server, a last line by
    BDAT again."""
    first = dovecot.upload(USER, message(subject="draft", body="the first part\r\n").encode())
    second = dovecot.upload(USER, message(subject="picture", body="the second part\r\n").encode(), "Drafts")
    connection = server.client()
    envelope(connection)
    head = message(subject="assembled", body="").encode()
    connection.send(b"BDAT %d\r\n" % len(head) + head)
    assert connection.read_reply().brief == "250 2.0.0"
    for place, mailbox in ((first, "Sent"), (second, "Drafts")):
        url = dovecot.authorize(USER, rump(place, mailbox=mailbox, section="/;SECTION=TEXT"))
        connection.expect(f"BURL {url}", "250 2.5.0")
    connection.send(b"BDAT 7 LAST\r\nthe end")
    reply = connection.read_reply()
    assert reply.brief == "250 2.0.0"
    got = server.await_mail(queue_id(reply)).replace(b"\r\n", b"\n")
    assert got.endswith(b"\n\nthe first part\nthe second part\nthe end\n")


def test_refused(server, dovecot):
    """EXT-BURL-3, EXT-BURL-5: a URL of another user, one with a wrong token, one whose time is over, one of a message that is
    gone, one that the owner gave to another."""
    place = dovecot.upload(USER, message().encode())
    good = dovecot.authorize(USER, rump(place))
    theirs = dovecot.authorize(OTHER, rump(dovecot.upload(OTHER, message().encode()), OTHER))
    given = dovecot.authorize(OTHER, rump(dovecot.upload(OTHER, message().encode()), OTHER, submitter=USER))
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=5)
    late = dovecot.authorize(USER, rump(place, rest=end.strftime(";EXPIRE=%Y-%m-%dT%H:%M:%SZ")))
    place = dovecot.upload(USER, message().encode())
    gone = dovecot.authorize(USER, rump(place))
    dovecot.remove(USER, place)
    connection = server.client()
    wrong = good[:-4] + ("0000" if good[-4:] != "0000" else "1111")
    time.sleep(max(0, (end - datetime.datetime.now(datetime.timezone.utc)).total_seconds() + 2))
    for url, wanted in ((theirs, "554 5.7.0"), (wrong, "554 5.6.6"), (late, "554 5.6.6"), (gone, "554 5.6.6"), (given, "250 2.0.0"),
                        (good, "250 2.0.0")):
        envelope(connection)
        reply = connection.command(f"BURL {url} LAST")
        assert reply.brief == wanted, (url, reply, dovecot.log()[-2000:])
        if wanted[0] == "5":
            connection.expect("RSET", "250 2.0.0")
