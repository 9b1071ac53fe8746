"""dialogue/test_checkpoint.py: messages that are cut off and go on (EXT-CKPT-1, EXT-CKPT-2, EXT-CKPT-3): wherever they are
cut, whoever dies in between, and whoever else would like to have them. Seeded: SUBMITD_SEED repeats a run."""
import os
import random
import re
import signal
import threading
import time

import pytest

from rig.client import Closed, message, queue_id, stuff
from rig.patience import PATIENCE, await_true
from rig.server import PASSWORD, environment

SEED = int(os.environ.get("SUBMITD_SEED", "18450"))
MAIL = "MAIL FROM:<alice@example.net>"
LARGE = 128 << 10


@pytest.fixture(scope="module")
def server(shared):
    return make(shared, "checkpoint")


def make(rig, name, **settings):
    settings.setdefault("sections", {})["extensions"] = "checkpoint = true"
    settings.setdefault("top", 'trusted_networks = { "127.9.0.0/16" }')
    server = rig.server(name, start=False, **settings)
    server.add_user()
    server.add_user("carol@example.net", PASSWORD, "alice@example.net")
    return server.start()


def content_of(size, chance=None):
    """So many octets of a message, lines of any length, many of which begin with a dot; ends with CRLF."""
    chance = chance or random.Random(SEED)
    head = message(subject=f"cut {chance.getrandbits(64):x}").encode().removesuffix(b"Hello.\r\n")
    lines, left = [], size - len(head)
    while left > 0:
        length = left if left < 90 else chance.choice([2, 3, 5, 60, 78, 80])
        text = b"." * chance.choice([0, 0, 1, 2]) + bytes(chance.choices(b"abc. \r"[:5], k=length))
        lines.append(text[:length - 2] + b"\r\n")
        left -= length
    content = head + b"".join(lines)
    assert len(content) == size and b"\r\n.\r\n" not in stuff(content)
    return content


def mail_line(name, parameters=""):
    return f"{MAIL} TRANSID=<{name}@c.example>{parameters}"


def begin(server, name, recipients=("bob@example.org",), parameters="", **who):
    connection = server.client(**who)
    connection.expect(mail_line(name, parameters), "250 2.1.0")
    for recipient in recipients:
        connection.expect(f"RCPT TO:<{recipient}>", "250 2.1.5")
    return connection


def await_kept(server, count):
    await_true(lambda: server.status()["spool"]["partials"]["count"] == count, lambda: server.status()["spool"]["partials"])


def cut(server, connection, reset=False):
    """Ends it without a word, and waits until what came of it is kept. A reset takes from the server what it has not read yet."""
    kept = server.status()["spool"]["partials"]["kept"]
    if reset:
        connection.await_read()
        connection.drop()
    else:
        connection.close()
    await_true(lambda: server.status()["spool"]["partials"]["kept"] != kept, "nothing is kept")


def send_part(connection, content, upto, bdat):
    """Sends the first octets: DATA without an end, or chunks, the last of which is not whole."""
    if not bdat:
        connection.expect("DATA", "354")
        connection.send(stuff(content[:upto]))
        return
    half = upto // 2
    connection.send(b"BDAT %d\r\n" % half + content[:half])
    assert connection.read_reply().brief == "250 2.0.0"
    connection.send(b"BDAT %d\r\n" % (len(content) - half) + content[half:upto])


def keep_part(server, name, content, upto, bdat=False, **how):
    connection = begin(server, name, **how)
    send_part(connection, content, upto, bdat)
    cut(server, connection)


def resume(server, name, parameters="", **who):
    """The connection and the offset; None where it begins anew."""
    connection = server.client(**who)
    reply = connection.command(mail_line(name, parameters))
    end = time.monotonic() + PATIENCE
    while reply.code // 100 == 4 and time.monotonic() < end:    # somebody has died and is not back yet
        connection.close()
        time.sleep(0.2)
        connection = server.client(**who)
        reply = connection.command(mail_line(name, parameters))
    if reply.brief == "250 2.1.0":
        return connection, None
    assert reply.brief == "355", reply
    return connection, int(reply.text.split(" ")[0])


def send_rest(connection, rest, bdat=False):
    if bdat:
        connection.send(b"BDAT %d LAST\r\n" % len(rest) + rest)
    else:
        connection.expect("DATA", "354")
        connection.send(stuff(rest) + b".\r\n")
    reply = connection.read_reply()
    assert reply.brief == "250 2.0.0", reply
    return queue_id(reply)


def line_start(content, upto):
    return content[:upto].rfind(b"\r\n") + 2 if b"\r\n" in content[:upto] else 0


def check(server, identity, content, copies=1):
    """It arrived octet for octet, and once."""
    server.await_mail(identity)
    subject = re.search(rb"Subject: .*", content).group(0).rstrip(b"\r")
    end = time.monotonic() + PATIENCE
    while len(found := [octets for octets in server.delivered().values() if subject in octets]) < copies:
        assert time.monotonic() < end, f"{len(found)} copies"
        time.sleep(0.05)    # of several recipients not all are served at once
    assert len(found) == copies
    body = content.partition(b"\r\n\r\n")[2]
    for octets in found:
        got = octets.partition(b"\n\n")[2] if b"\r\n\r\n" not in octets else octets.partition(b"\r\n\r\n")[2]
        assert got.replace(b"\r\n", b"\n") == body.replace(b"\r\n", b"\n")


@pytest.mark.parametrize("listener", ["587", "465"])
@pytest.mark.parametrize("bdat", [False, True], ids=["data", "bdat"])
def test_the_example_of_the_rfc(server, listener, bdat):
    """EXT-CKPT-2, EXT-CKPT-3: cut at 6135 octets, "355 6135 is the transaction offset"; then the rest."""
    name, content = f"example{listener}{bdat}", content_of(20000, random.Random(f"{listener}{bdat}"))
    content = content_of(6135, random.Random(name)) + content[6135 + 200:].partition(b"\r\n")[2]
    keep_part(server, name, content, 6135, bdat, listener=listener)
    connection, offset = resume(server, name, listener=listener)
    assert offset == 6135
    check(server, send_rest(connection, content[offset:], bdat), content)
    connection.quit()


@pytest.mark.parametrize("number", range(12))
def test_cut_anywhere(server, number):
    """EXT-CKPT-3: cut at any octets, several times over, with DATA and BDAT; the offset is the start of a line, and the message
    arrives octet for octet."""
    chance = random.Random(SEED * 100 + number)
    size = chance.choice([900, 5000, 100000, LARGE + 5000, 700000])
    name, content = f"any{number}", content_of(size, chance)
    have = None
    for turn in range(chance.randint(1, 4)):
        connection, offset = resume(server, name)
        assert have is None or offset == have
        if offset is None:
            connection.expect("RCPT TO:<bob@example.org>", "250 2.1.5")
        start = offset or 0
        upto = chance.randint(start + 1, size)
        bdat = chance.random() < 0.5
        if bdat:
            connection.send(b"BDAT %d\r\n" % (size - start) + content[start:upto])
        else:
            connection.expect("DATA", "354")
            connection.send(stuff(content[start:upto]).removesuffix(b"\n" if chance.random() < 0.1 else b"none"))
        if line_start(content, upto) > start + 2:
            reset = chance.random() < 0.3
            cut(server, connection, reset)
            have = resume_offset(server, name)
            assert start < have <= upto and content[:have].endswith(b"\r\n")
            assert reset or have >= line_start(content, upto - 1)
        else:
            have = None
            connection.close()
            time.sleep(0.3)
    connection, offset = resume(server, name)
    if offset is None:
        connection.expect("RCPT TO:<bob@example.org>", "250 2.1.5")
    check(server, send_rest(connection, content[offset or 0:], chance.random() < 0.5), content)
    connection.quit()


def resume_offset(server, name):
    """Looks, and is cut off before anything is sent: what is kept stays as it is."""
    connection, offset = resume(server, name)
    connection.drop()
    time.sleep(0.1)
    return offset


def test_all_but_the_end(server):
    """EXT-CKPT-2: all of the content came, and only the end of data is missing."""
    for name, size in ("end-small", 4000), ("end-large", LARGE * 2):
        content = content_of(size, random.Random(name))
        keep_part(server, name, content, size)
        connection, offset = resume(server, name)
        assert offset == size
        check(server, send_rest(connection, b""), content)
        connection.quit()


def test_lost_reply(server):
    """EXT-CKPT-2: the message was taken and the client does not know: it goes on at its end, and there is one copy."""
    for name, bdat in ("lost-data", False), ("lost-bdat", True):
        content = content_of(3000, random.Random(name))
        connection = begin(server, name)
        identity = send_rest(connection, content, bdat)
        cut(server, connection)
        for _ in range(2):
            connection, offset = resume(server, name)
            assert offset == len(content)
            connection.expect("RCPT TO:<bob@example.org>", "250 2.1.5")
            assert send_rest(connection, b"", bdat) == identity
            cut(server, connection)
        connection, offset = resume(server, name)
        connection.expect("DATA", "354")
        connection.send(b"and more\r\n.\r\n")
        assert connection.read_reply().brief == "451 4.3.0"
        connection, offset = resume(server, name)
        assert offset is None
        connection.quit()
        check(server, identity, content)


def test_heard_reply(server):
    """EXT-CKPT-2: a client that goes on after the 250 has heard it: nothing is kept."""
    for command, brief in ("NOOP", "250 2.0.0"), (mail_line("heard"), "250 2.1.0"):
        connection = begin(server, "heard")
        send_rest(connection, content_of(2000))
        connection.expect(command, brief)
        connection.drop()
        time.sleep(0.2)
    connection, offset = resume(server, "heard")
    assert offset is None
    connection.quit()


def test_case_and_mail(server):
    """EXT-CKPT-1, EXT-CKPT-2: another case, another EHLO name, another MAIL is another transaction."""
    content = content_of(3000)
    keep_part(server, "Same", content, 3000)
    assert resume_offset(server, "same") is None
    connection = server.connect()
    connection.hello("other.example")
    connection.login("alice@example.net", PASSWORD)
    connection.expect(mail_line("Same"), "250 2.1.0")
    connection.drop()
    assert resume_offset(server, "Same") == 3000
    assert resume_offset(server, "Same", ) == 3000
    connection, offset = resume(server, "Same", " SIZE=3000")
    assert offset is None
    connection.drop()
    time.sleep(0.2)
    assert resume_offset(server, "Same") is None


def test_other_user(server):
    """EXT-CKPT-2: by user, EHLO name and TRANSID: who is not that user begins anew, and takes nothing away."""
    content = content_of(3000)
    keep_part(server, "mine", content, 3000)
    connection, offset = resume(server, "mine", user="carol@example.net")
    assert offset is None
    connection.quit()
    connection, offset = resume(server, "mine")
    assert offset == 3000
    connection.quit()


def test_other_recipients(server):
    """EXT-CKPT-2: recipients may be given again; others, or only some of them, make it another transaction."""
    content = content_of(3000)
    both = ("bob@example.org", "carol@example.org")
    keep_part(server, "to", content, 3000, recipients=both)
    connection, _ = resume(server, "to")
    for recipient in both:
        connection.expect(f"RCPT TO:<{recipient}>", "250 2.1.5")
    connection.expect("DATA", "354")
    connection.drop()
    time.sleep(0.2)
    connection, offset = resume(server, "to")
    assert offset == 3000
    connection.expect(f"RCPT TO:<{both[0]}>", "250 2.1.5")
    connection.expect("DATA", "451 4.3.0")
    connection.expect("DATA", "503 5.5.1")
    assert resume_offset(server, "to") is None
    keep_part(server, "to", content, 3000, recipients=both)
    connection, _ = resume(server, "to")
    connection.expect("RCPT TO:<dave@example.org>", "451 4.3.0")
    connection.expect("RCPT TO:<dave@example.org>", "503 5.5.1")
    connection.quit()
    assert resume_offset(server, "to") is None
    assert not [octets for octets in server.delivered().values() if b"dave" in octets]


def test_pipelined(server):
    """EXT-CKPT-2: a client that sends the envelope in one flight finds its recipients known."""
    content = content_of(3000, random.Random("pipelined"))
    keep_part(server, "flight", content, 3000)
    connection = server.client()
    connection.send(f"{mail_line('flight')}\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n")
    assert [connection.read_reply().brief for _ in range(3)] == ["355", "250 2.1.5", "354"]
    connection.send(b".\r\n")
    check(server, queue_id(connection.read_reply()), content)


def test_two_sessions(server):
    """EXT-CKPT-2: the client is back before its old connection is known to be dead: the newer one has it."""
    for name, upto in ("two-small", 5000), ("two-large", LARGE * 3):
        content = content_of(LARGE * 4, random.Random(name))
        upto = line_start(content, upto)
        old = begin(server, name)
        send_part(old, content, upto, False)
        old.await_read()
        connection, offset = resume(server, name)
        assert offset == upto
        old.await_close()
        check(server, send_rest(connection, content[offset:]), content)
        connection.quit()


def test_faults_are_not_kept(server):
    """EXT-CKPT-2: what would be refused is not kept."""
    connection = begin(server, "fault")
    connection.expect("DATA", "354")
    connection.send(b"From: <alice@example.net>\r\n\r\nbare\nline\r\n")
    connection.await_read()
    connection.drop()
    time.sleep(0.2)
    assert resume_offset(server, "fault") is None


def test_many(server):
    """EXT-CKPT-2: of a user's sixteen the oldest goes; another's are left alone."""
    keep_part(server, "hers", content_of(1000), 1000, user="carol@example.net")
    for number in range(18):
        keep_part(server, f"many{number}", content_of(1000), 1000)
    assert resume_offset(server, "many0") is None and resume_offset(server, "many1") is None
    assert resume_offset(server, "many2") == 1000
    connection, offset = resume(server, "hers", user="carol@example.net")
    assert offset == 1000
    connection.quit()


def binary_content(size, chance):
    """A text part, and one of any octets."""
    head = (b"From: <alice@example.net>\r\nSubject: cut %x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
            b"--b\r\nContent-Type: text/plain\r\n\r\ntext\r\nof two lines\r\n--b\r\nContent-Type: application/octet-stream\r\n"
            b"Content-Transfer-Encoding: binary\r\n\r\n" % chance.getrandbits(64))
    return head + chance.randbytes(size) + b"\r\n--b--\r\n"


@pytest.mark.parametrize("size", [500, LARGE * 3], ids=["small", "large"])
def test_binary(rig, size):
    """EXT-CKPT-3, EXT-BINARYMIME-2: what only BDAT can bring goes on at any octet, between CR and LF too."""
    hop = rig.hop(keywords=["BINARYMIME", "CHUNKING", "8BITMIME", "PIPELINING"])
    server = make(rig, "binary", routes={"*": f'via = "smtp"  to = "{hop.address}"  tls = "none"'})
    server.sections["extensions"] = "checkpoint = true  binarymime = true"
    server.write_conf()
    server.reload()
    chance = random.Random(SEED + size)
    content = binary_content(size, chance)
    text_end = content.index(b"lines\r\n") + 6     # behind its CR
    upto = [20, content.index(b"\r\n\r\n") + 3, text_end, chance.randint(text_end + 1, len(content) - 20)]
    have = 0
    for at in upto:
        connection, offset = resume(server, "binary", " BODY=BINARYMIME")
        assert (offset or 0) == have
        if offset is None:
            connection.expect("RCPT TO:<bob@example.org>", "250 2.1.5")
        connection.expect("DATA", "503 5.5.1")
        connection.send(b"BDAT %d\r\n" % (len(content) - have) + content[have:at])
        cut(server, connection)
        have = at
    connection, offset = resume(server, "binary", " BODY=BINARYMIME")
    assert offset == have
    connection.send(b"BDAT %d LAST\r\n" % (len(content) - have) + content[have:])
    assert connection.read_reply().brief == "250 2.0.0"
    connection.quit()
    mail = hop.await_mail()
    assert mail.content.endswith(content.partition(b"\r\n\r\n")[2])


def test_binary_fault_across_the_cut(rig):
    """EXT-BINARYMIME-4, EXT-CKPT-3: a CR in text is sound when it is cut off, and is none without its LF."""
    server = make(rig, "binary-fault")
    server.sections["extensions"] = "checkpoint = true  binarymime = true"
    server.write_conf()
    server.reload()
    content = b"From: <alice@example.net>\r\n\r\nsome text\r"
    connection = begin(server, "fault", parameters=" BODY=BINARYMIME")
    connection.send(b"BDAT 1000\r\n" + content)
    cut(server, connection)
    connection, offset = resume(server, "fault", " BODY=BINARYMIME")
    assert offset == len(content)
    connection.send(b"BDAT 6 LAST\r\nmore\r\n")
    assert connection.read_reply().brief == "554 5.6.0"
    connection, offset = resume(server, "fault", " BODY=BINARYMIME")
    assert offset is None
    connection.quit()


class Crowd:
    """Clients of one user that go on with the same few messages, all at once, and do whatever a client may."""

    def __init__(self, server, contents, chance):
        self.server, self.contents, self.wrong, self.taken = server, contents, [], {}
        self.threads = [threading.Thread(target=self.run, args=(random.Random(chance.getrandbits(64)),)) for _ in range(6)]
        for thread in self.threads:
            thread.start()
        for thread in self.threads:
            thread.join(120)
            assert not thread.is_alive()

    def run(self, chance):
        for _ in range(12):
            try:
                self.turn(chance)
            except (Closed, OSError):
                pass    # another has it, and this one was let go
            except Exception as error:  # noqa: BLE001
                self.wrong.append(repr(error))

    def turn(self, chance):
        name = chance.choice(sorted(self.contents))
        content = self.contents[name]
        connection, offset = resume(self.server, name)
        if offset is None:
            connection.expect("RCPT TO:<bob@example.org>", "250 2.1.5")
        start = offset or 0
        assert start <= len(content) and (start == 0 or content[:start].endswith(b"\r\n"))
        act = chance.choice(["cut", "cut", "cut", "reset", "leave", "look", "end"])
        if act == "leave":
            connection.expect(chance.choice(["RSET", "EHLO client.example"]), "250 2.0.0", "250")
        if act in ("leave", "look"):
            connection.drop()
            return
        upto = len(content) if act == "end" else chance.randint(start, len(content))
        connection.expect("DATA", "354")
        connection.send(stuff(content[start:upto]) + (b".\r\n" if act == "end" else b""))
        if act != "end":
            (connection.drop if act == "reset" else connection.close)()
            return
        reply = connection.read_reply(60)
        assert reply.brief == "250 2.0.0", reply
        self.taken[queue_id(reply)] = name
        (connection.quit if chance.random() < 0.5 else connection.drop)()


def test_a_crowd(rig):
    """EXT-CKPT-2, EXT-CKPT-3: whoever has a message when, on whichever gate: what is taken is whole, and each 250 stands for one."""
    server = make(rig, "crowd", top="gates = 2")
    chance = random.Random(SEED)
    contents = {f"crowd{size}": content_of(size, chance) for size in (2000, LARGE * 2, 600000)}
    crowd = Crowd(server, contents, chance)
    assert not crowd.wrong, crowd.wrong
    for name, content in contents.items():
        connection, offset = resume(server, name)
        if offset is None:
            connection.expect("RCPT TO:<bob@example.org>", "250 2.1.5")
        crowd.taken[send_rest(connection, content[offset or 0:])] = name
        connection.quit()
        copies = sum(1 for taken in crowd.taken.values() if taken == name)
        for identity, taken in crowd.taken.items():
            if taken == name:
                server.await_mail(identity)
        check(server, identity, content, copies)
    await_kept(server, 0)
    await_no_bodies(server)


def test_drain_and_restart(rig):
    """EXT-CKPT-2: kept when the server ends in order, and read by the next."""
    server = make(rig, "drain")
    content = content_of(LARGE * 2)
    keep_part(server, "before", content, LARGE)
    server.stop()
    server.start()
    connection, offset = resume(server, "before")
    assert offset == line_start(content, LARGE)
    check(server, send_rest(connection, content[offset:]), content)
    connection.quit()
    await_kept(server, 0)
    assert not list((server.state / "spool/partials").iterdir())


def kill(server, who):
    """All rooms of that kind, and until each has a successor."""
    start, before = server.log_path.stat().st_size, server.rooms()
    for room, pid in before.items():
        if room.startswith(who):
            os.kill(pid, signal.SIGKILL)
    await_true(lambda: all(server.rooms().get(room) not in (None, pid) for room, pid in before.items() if room.startswith(who)))
    server.await_log("configuration in force", start=start)
    if who == "queue":
        server.await_log("the spool has been read", start=start)


@pytest.mark.parametrize("who", ["gate", "queue", "vault", "all"])
@pytest.mark.parametrize("size", [6000, LARGE * 3], ids=["small", "large"])
def test_killed_between(rig, who, size):
    """EXT-CKPT-2: whoever dies between the cut and the return, 355 promises what is there."""
    server = make(rig, "killed")
    content = content_of(size)
    keep_part(server, "kept", content, size // 2)
    if who == "all":
        server.kill()
        server.start()
    else:
        server.tolerate("a room died .*signal=9")
        kill(server, who)
    connection, offset = resume(server, "kept")
    assert offset == line_start(content, size // 2)
    check(server, send_rest(connection, content[offset:]), content)
    connection.quit()


@pytest.mark.parametrize("who", ["gate", "queue"])
def test_killed_under_way(rig, who):
    """EXT-CKPT-2: a room dies while the second part comes: what was kept before is still there, or more."""
    server = make(rig, "killed-under-way")
    server.tolerate("a room died .*signal=9")
    content = content_of(LARGE * 4)
    keep_part(server, "kept", content, LARGE * 2)
    connection, offset = resume(server, "kept")
    first = offset
    connection.expect("DATA", "354")
    connection.send(stuff(content[offset:LARGE * 3]))
    connection.await_read()
    kill(server, who)
    connection.drop()
    time.sleep(0.5)
    connection, offset = resume(server, "kept")
    assert offset in (first, line_start(content, LARGE * 3))
    check(server, send_rest(connection, content[offset:]), content)
    connection.quit()


def test_damaged(rig):
    """EXT-CKPT-2: octets that do not read back are not promised."""
    server = make(rig, "damaged")
    content = content_of(LARGE * 3)
    for name in ("body", "state", "gone", "short"):
        keep_part(server, name, content, LARGE * 2)
        part = max((server.state / "spool/partials").iterdir())
        body = max((path for path in (server.state / "spool/bodies").iterdir() if path.stat().st_size > 0), key=lambda path: path.name)
        if name == "body":
            with open(body, "r+b") as file:
                file.seek(5000)
                file.write(b"X" * 16)
        elif name == "state":
            with open(part, "r+b") as file:
                file.seek(100)
                file.write(b"X" * 16)
        elif name == "gone":
            body.unlink()
        else:
            os.truncate(body, 70000)
        connection, offset = resume(server, name)
        assert offset is None, name
        connection.expect("RCPT TO:<bob@example.org>", "250 2.1.5")
        check(server, send_rest(connection, content), content, 1 if name == "body" else len([1]) and
              {"state": 2, "gone": 3, "short": 4}[name])
        connection.quit()


def test_expired(rig):
    """EXT-CKPT-2: kept for 48 hours, and not longer."""
    server = make(rig, "expired")
    clock = Clock()
    try:
        server.stop()
        server.environment = {**clock.environment, "ASAN_OPTIONS": environment()["ASAN_OPTIONS"] + ":verify_asan_link_order=0"}
        server.start()
        content = content_of(LARGE * 2)
        keep_part(server, "old", content, LARGE * 2)
        server.stop()
        clock.jump(47 * 3600)
        server.start()
        assert resume_offset(server, "old") == len(content)
        server.stop()
        clock.jump(2 * 3600)
        server.start()
        assert resume_offset(server, "old") is None
        assert server.status()["spool"]["partials"]["count"] == 0
        await_no_bodies(server)
        server.stop()
    finally:
        clock.stop()


def await_no_bodies(server):
    await_true(lambda: not [path for path in (server.state / "spool/bodies").iterdir() if path.stat().st_size > 0], "a body stays")


def test_switched_off(rig):
    """EXT-CKPT-1: switched off while something is kept: it is not offered, and mail goes on."""
    server = make(rig, "switched-off")
    keep_part(server, "kept", content_of(3000), 3000)
    server.sections["extensions"] = "checkpoint = false"
    server.write_conf()
    server.reload()
    connection = server.client()
    assert "CHECKPOINT" not in connection.hello()
    connection.expect(mail_line("kept"), "555 5.5.4")
    connection.quit()


class Clock:
    """As tests/clocks has it; that folder's tests need more than this."""

    def __init__(self):
        import importlib.util
        import pathlib
        place = pathlib.Path(__file__).parents[1] / "clocks/clock.py"
        spec = importlib.util.spec_from_file_location("clocks_clock", place)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self.clock = module.Clock()
        self.environment, self.jump, self.stop = self.clock.environment, self.clock.jump, self.clock.stop
