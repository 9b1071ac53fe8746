"""relay/test_refusals.py: next hops that refuse, stall, vanish or talk nonsense: who is tried again, who is told."""
import threading
import time

import pytest

from rig.client import message
from rig.hop import KEYWORDS, Drop, Hang, Last, Stall, Turns
from rig.patience import PATIENCE

PLAIN = ("PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES")


def status_of(text):
    return next(line.split()[1] for line in text.decode().splitlines() if line.startswith("Status:"))


@pytest.mark.parametrize("verb", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "EOD"])
def test_refused_for_now(trip, verb):
    """OUT-10, OUT-16, QUE-2, QUE-3, QUE-6: a 4yz at any step: tried again soon, delivered once."""
    hop = trip.hop({verb: Turns("451 4.3.2 not now", None)}, keywords=PLAIN)
    identity = trip.submit(hop)
    mail = hop.await_mail()
    trip.await_closed(identity)
    assert len(hop.mails) == 1 and len(mail.recipients) == 1 and trip.has_no_bounce(identity)


@pytest.mark.parametrize("verb", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "EOD"])
def test_refused_for_good(trip, verb):
    """OUT-10, OUT-16, DSN-1, QUE-6: a 5yz at any step: the sender is told at once; the next message is tried afresh."""
    hop = trip.hop({verb: Turns("554 5.7.1 go away", None)}, keywords=PLAIN)
    identity = trip.submit(hop)
    text, _ = trip.bounce(identity)
    assert status_of(text) == "5.7.1" and b"go away" in text and not hop.mails
    trip.submit(hop)
    hop.await_mail()


@pytest.mark.parametrize("reply, wanted", [("299 fine", "delivered"), ("250 9.9.9 odd", "delivered"), ("499 hm", "later"),
                                           ("450", "later"), ("599 no", "bounce"), ("550-5.1.1 one\n550 5.1.1 two", "bounce"),
                                           ("550", "bounce")])
def test_odd_codes(trip, reply, wanted):
    """OUT-10, EXT-ESC-4: the first digit decides, with an enhanced code, without one, on one line or several."""
    hop = trip.hop({"EOD": Turns(reply, None)}, keywords=PLAIN)
    identity = trip.submit(hop)
    if wanted == "bounce":
        text, _ = trip.bounce(identity)
        assert status_of(text) in {"5.0.0", "5.1.1"}
    else:
        trip.await_closed(identity)
        assert len(hop.attempts) == (1 if wanted == "delivered" else 2)


@pytest.mark.parametrize("reply", ["199 no", "600 no", "000 x", "25 x", "abc", "2500 x", "250_x", b"\xff\xfe\r\n", b"250 a\n250 b\r\n"])
def test_nonsense(trip, reply):
    """OUT-10: what is no reply ends the connection; the message waits."""
    hop = trip.hop({"MAIL": Turns(reply, None)}, keywords=PLAIN)
    identity = trip.submit(hop)
    hop.await_mail()
    trip.await_closed(identity)
    assert trip.has_no_bounce(identity) and len(hop.sessions) >= 2


@pytest.mark.parametrize("verb", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "EOD"])
def test_endless_reply(trip, verb):
    """OUT-10: a reply without end is cut off, in lines and in length; memory stays as it is."""
    hop = trip.hop({verb: Turns(b"250-x\r\n" * 200000, None)}, keywords=PLAIN)
    identity = trip.submit(hop)
    hop.await_mail()
    trip.await_closed(identity)
    long = trip.hop({verb: Turns(b"250 " + b"x" * 2000000 + b"\r\n", None)}, keywords=PLAIN)
    trip.submit(long)
    long.await_mail()


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("verb", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "EOD"])
def test_lost(trip, verb, reset):
    """OUT-13, CMD-29: a connection that is lost counts as 4yz at any step."""
    hop = trip.hop({verb: Turns(Drop(reset), None)}, keywords=PLAIN)
    identity = trip.submit(hop)
    hop.await_mail()
    trip.await_closed(identity)
    assert trip.has_no_bounce(identity)


@pytest.mark.parametrize("verb", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "EOD"])
def test_silent(hasty, verb):
    """OUT-7: each wait has its bound."""
    hop = hasty.hop({verb: Turns(Hang(), None)}, keywords=PLAIN, patience=10 * PATIENCE)
    started = time.monotonic()
    hasty.submit(hop)
    hop.await_mail()
    assert 1.5 < time.monotonic() - started
    assert len(hop.sessions) >= 2


def test_slow(hasty):
    """OUT-7: slow is not silent. (This machine may have been slow besides; not each time.)"""
    for _ in range(8):
        hop = hasty.hop({verb: Stall(0.8) for verb in ("CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "EOD")}, keywords=PLAIN)
        hasty.submit(hop)
        hop.await_mail()
        if len(hop.sessions) == 1:
            break
    assert len(hop.sessions) == 1


def test_never_reads(hasty):
    """OUT-7: a hop that stops taking the content."""
    class Deaf:
        def __call__(self, session, _argument):
            session.send(b"354 go ahead\r\n")
            session.hop.stopping.wait(10 * PATIENCE)
            return Drop()
    hop = hasty.hop({"DATA": Turns(Deaf(), None)}, keywords=PLAIN)
    identity = hasty.submit(hop, content=message(body=("x" * 76 + "\r\n") * 200000))
    hop.await_mail()
    hasty.await_closed(identity)


def test_not_there(trip):
    """QUE-2, QUE-3, OUT-13: nobody listens: queued with its reason, tried again, delivered when somebody does."""
    hop = trip.hop(start=False)
    identity = trip.submit(hop)
    row = trip.await_state(identity, "deferred")
    assert row["sender"] == "alice@example.net" and row["recipients"][0]["next_attempt"]
    hop.start()
    hop.await_mail()
    trip.await_closed(identity)


def test_partly_refused(trip):
    """OUT-10, QUE-12, DSN-11: each recipient has its own fate; one notice for both that failed."""
    def answer(_session, argument):
        return "550 5.1.1 unknown" if "bad" in argument else later if "late" in argument else None
    later = Turns("450 4.2.1 busy", None)
    hop = trip.hop({"RCPT": answer})
    identity = trip.submit(hop, ["good", "bad1", "late", "bad2"])
    first, second = hop.await_mails(2)
    assert first.addresses == [f"good@{hop.domain}"] and second.addresses == [f"late@{hop.domain}"]
    text, _ = trip.bounce(identity)
    assert text.count(b"Final-Recipient:") == 2 and b"good@" not in text.partition(b"message/delivery-status")[2].partition(b"text/rfc822")[0]


def test_too_many(trip):
    """OUT-11: 452 and 552 after others were accepted mean: the rest later."""
    for code in ("452 4.5.3", "552 5.5.3"):
        accepted = {}

        def answer(session, _argument, code=code, accepted=accepted):
            key = (id(session), sum(line.startswith("MAIL") for line in session.lines))
            accepted[key] = accepted.get(key, 0) + 1
            return f"{code} too many" if accepted[key] > 3 else None
        hop = trip.hop({"RCPT": answer}, keywords=PLAIN)
        identity = trip.submit(hop, [f"user{number}" for number in range(8)])
        mails = hop.await_mails(3)
        assert sorted(len(mail.recipients) for mail in mails) == [2, 3, 3]
        trip.await_closed(identity)
        assert trip.has_no_bounce(identity)


def test_no_data_without_354(trip):
    """OUT-12: 250 to DATA: not an octet of the message."""
    hop = trip.hop({"DATA": Turns("250 2.0.0 sure", None)}, keywords=PLAIN)
    trip.submit(hop)
    hop.await_mail()
    first = hop.sessions[0]
    assert not any("Subject" in line for line in first.lines)


def test_refused_mail_pipelined(trip):
    """EXT-PIPELINING-5: MAIL refused, everything behind it too; the replies are counted, not guessed."""
    hop = trip.hop({"MAIL": "550 5.7.1 not you", "RCPT": "503 5.5.1 MAIL first", "BDAT": "503 5.5.1 MAIL first"})
    identity = trip.submit(hop)
    text, _ = trip.bounce(identity)
    assert status_of(text) == "5.7.1"


def test_421_anywhere(trip):
    """OUT-10, OUT-13: 421 and goodbye."""
    for verb in ("CONNECT", "EHLO", "MAIL", "RCPT", "EOD"):
        hop = trip.hop({verb: Turns(Last("421 4.3.2 closing"), None)}, keywords=PLAIN)
        trip.submit(hop)
        hop.await_mail()


def test_early_answer(trip):
    """OUT-10: a hop that answers before the end of a large message has made up its mind."""
    class Impatient:
        def __call__(self, session, _argument):
            session.send(b"354 go ahead\r\n")
            session.receive()
            session.send(b"552 5.3.4 too much for me\r\n")
            session.hop.stopping.wait(0.5)
            return Drop()
    hop = trip.hop({"DATA": Impatient()}, keywords=PLAIN)
    identity = trip.submit(hop, content=message(body=("x" * 76 + "\r\n") * 100000))
    text, _ = trip.bounce(identity)
    assert status_of(text) == "5.3.4"


def test_many_for_a_dead_place(trip):
    """QUE-5, QUE-9, QUE-10: many messages for a dead destination do not slow a living one."""
    dead, alive = trip.hop({"CONNECT": Hang()}, patience=10 * PATIENCE), trip.hop(keywords=KEYWORDS)
    waiting = [trip.submit(dead) for _ in range(30)]
    dead.await_sessions(1)
    trip.submit(alive)
    alive.await_mail()
    # Not one of the dead was given up meanwhile, so the living one has waited for none.
    assert not any(session.has_ended for session in dead.sessions)
    rows = {row["id"]: row for row in trip.server.queue()}
    assert all(rows[identity]["recipients"][0]["attempts"] == 0 for identity in waiting)


def test_concurrency(trip):
    """QUE-9: at most ten connections to one place."""
    guard, busy, most = threading.Lock(), set(), []

    def end(session, _argument):
        with guard:
            busy.add(session)
            most.append(len(busy))
        session.hop.stopping.wait(0.3)
        with guard:
            busy.remove(session)
    hop = trip.hop({"EOD": end}, keywords=PLAIN)
    for _ in range(40):
        trip.submit(hop)
    hop.await_mails(40)
    assert max(most) <= 10 and len(hop.sessions) <= 40
