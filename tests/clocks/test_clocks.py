"""clocks/test_clocks.py: the wall clock jumps by years while mail waits. Nothing is given up early, nothing is stuck, and what
is written down afterwards is by the new clock (QUE-3, QUE-4; docs/proof.md, "Clocks")."""
import calendar
import email.utils
import json
import re
import time

import pytest

from clock import DAY, YEAR, Clock
from rig.client import message
from rig.house import LONG, QUEUE, House
from rig.inject import Injection
from rig.patience import PATIENCE, await_true
from rig.server import free_port

JUMPS = {"forward": 10 * YEAR, "back": -10 * YEAR}
if LONG:
    JUMPS |= {"a-month-on": 30 * DAY, "a-month-back": -30 * DAY, "thirty-years-on": 30 * YEAR, "to-1970": None}
# A relay that sees the clock go back ends in order: its resolver's cache went by it.
RELAY_ENDS = "a room died room=relay .*status=79 why=.*the clock was set back"
LATER = {"MAIL": "450 4.3.2 not now"}
NEAR = 600    # seconds: nothing beside any jump
# The recipient is refused for good; the report about that finds nobody at home.
BOUNCE = {"RCPT": lambda _session, path: "550 5.1.1 nobody" if "bob" in path else "450 4.3.2 not now"}
jumps = pytest.mark.parametrize("jump", JUMPS.values(), ids=JUMPS.keys())
one_jump = jumps if LONG else pytest.mark.parametrize("jump", [10 * YEAR], ids=["forward"])
restarts = pytest.mark.parametrize("how, jump", [
    pytest.param(how, jump, id=f"{how}-{name}") for name, jump in JUMPS.items() for how in ("stopped", "killed")
    if LONG or (how == "stopped") == (name == "forward")])


@pytest.fixture
def clock():
    clock = Clock()
    yield clock
    clock.stop()


def make(rig, clock, script=None, queue=QUEUE):
    house = House(rig, sections={"queue": queue}, environment=clock.environment)
    house.settle()
    house.hop.script.update(script or {})
    house.server.tolerate(RELAY_ENDS)
    return house


def fill(house, name="waiting", count=4):
    """Small and large messages, none of which gets away."""
    for number in range(count):
        assert house.brief(f"{name}{number}", size=500 if number % 2 else 50000) == "250 2.0.0"


def seconds_of(text):
    return calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S"))


def reports(house):
    """Bounces and delay notices that came to the sender."""
    return [mail for mail in list(house.hop.mails) if not mail.sender]


def check_none_given_up(house):
    status = house.server.status()
    assert status["bounced"] == 0 and not reports(house), (status, [mail.content for mail in reports(house)])
    log = house.server.log()
    assert not re.search(r"event=(expired|bounce|\"delay notice\")|AddressSanitizer", log), log[-2000:]


def check_times(house, clock, most):
    """Every next attempt is near by the clock as it goes now."""
    now = clock.now()
    for row in house.server.queue():
        for recipient in row["recipients"]:
            next_at = recipient.get("next_attempt")
            assert next_at is None or now - NEAR <= seconds_of(next_at) <= now + most + NEAR, (now, row)


def check_new_mail(house, clock, mark):
    """What comes now is taken, goes out, and bears the new time."""
    house.hop.script.clear()
    assert house.brief(mark) == "250 2.0.0"
    house.settle()
    mail = next(mail for mail in house.hop.mails if f"Subject: {mark}\r\n".encode() in mail.header)
    for field in (b"Date", b"Received"):
        value = re.search(rb"^" + field + rb":((?:.*\r\n)(?:[ \t].*\r\n)*)", mail.header, re.M)[1].decode().rpartition(";")[2].strip()
        assert abs(email.utils.parsedate_to_datetime(value).timestamp() - clock.now()) < NEAR, (field, value, clock.now())


@jumps
def test_a_jump_while_mail_waits(rig, clock, jump):
    house = make(rig, clock, LATER)
    fill(house)
    clock.jump(jump)
    time.sleep(2.5)
    fill(house, "after", 2)
    time.sleep(1)
    check_none_given_up(house)
    check_times(house, clock, 2)
    check_new_mail(house, clock, "new")
    check_none_given_up(house)
    house.check()


def mails_heard(house):
    return sum(line.startswith("MAIL") for line in house.hop.heard())


@one_jump
def test_a_long_wait_stays_as_long(rig, clock, jump):
    """The next attempt is neither now nor in ten years."""
    house = make(rig, clock, LATER, queue="retry = { 600 }  dead_host = 0  delay_notice = 0")
    fill(house, count=2)
    house.server.await_queue(lambda rows: all(recipient["attempts"] for row in rows for recipient in row["recipients"]))
    tried = mails_heard(house)
    clock.jump(jump)
    time.sleep(2.5)
    assert mails_heard(house) == tried, "tried again before its time"
    now = clock.now()
    for row in house.server.queue():
        for recipient in row["recipients"]:
            assert 100 < seconds_of(recipient["next_attempt"]) - now < 700, (now, row)
    house.hop.script.clear()
    house.server.ctl("queue", "retry", "--all")
    house.check()
    check_none_given_up(house)


@restarts
def test_a_restart_after_the_jump(rig, clock, jump, how):
    """The journal's times run backwards or leave years out; what waited still does."""
    house = make(rig, clock, LATER)
    fill(house)
    time.sleep(1)
    clock.jump(jump)
    time.sleep(2.5)
    house.restart() if how == "killed" else (house.server.stop(), house.server.start())
    house.server.await_log("the spool has been read", start=house.server.log_start)
    time.sleep(1.5)
    check_none_given_up(house)
    check_times(house, clock, 2)
    house.hop.script.clear()
    house.check()
    assert house.server.status()["spool"]["damaged"] == 0


def hold(house, mark, wish):
    client = house.server.client()
    identity = client.mail("alice@example.net", ["bob@example.org"], message(mark), wish)
    client.close()
    return identity


def came(house):
    return {re.search(rb"Subject: (\w+)", mail.header)[1].decode() for mail in list(house.hop.mails)}


def await_came(house, mark, wait=PATIENCE):
    await_true(lambda: mark in came(house), lambda: f"{mark} did not come: {came(house)}", wait)


def date(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def test_held_mail(rig, clock):
    """EXT-FUTURE-3: a while counts as it passes, a date is the clock's, also over a stop and a SIGKILL."""
    house = make(rig, clock)
    hold(house, "while", "HOLDFOR=4")
    hold(house, "soon", f"HOLDUNTIL={date(clock.now() + 600)}")
    hold(house, "hour", f"HOLDUNTIL={date(clock.now() + 7200)}")
    clock.jump(-14400)
    await_came(house, "while")
    time.sleep(2)
    assert came(house) & {"while", "soon", "hour"} == {"while"}, came(house)
    house.server.stop()
    house.server.start()
    time.sleep(2)
    assert not came(house) & {"soon", "hour"}
    clock.jump(14400 + 600)
    await_came(house, "soon")
    assert "hour" not in came(house)
    house.restart()
    clock.jump(7200)
    await_came(house, "hour")
    check_none_given_up(house)


@one_jump
def test_a_jump_while_it_is_down(rig, clock, jump):
    house = make(rig, clock, LATER)
    fill(house)
    time.sleep(1)
    house.server.stop()
    clock.jump(jump)
    house.server.start()
    house.server.await_log("the spool has been read", start=house.server.log_start)
    time.sleep(1.5)
    check_none_given_up(house)
    check_times(house, clock, 2)
    house.hop.script.clear()
    house.check()


@one_jump
def test_a_record_that_the_queue_never_saw(rig, clock, jump):
    """Accepted right before all were killed: no entry in the journal says when."""
    house = make(rig, clock, LATER)
    house.server.tolerate("a room died .*signal=9")
    with Injection(house, house.pid("queue"), "journal", "pwritev:error=EIO", "fdatasync:error=EIO"):
        fill(house)
        house.server.kill()
    clock.jump(jump)
    house.server.start()
    house.server.await_log("the spool has been read", start=house.server.log_start)
    time.sleep(1.5)
    check_none_given_up(house)
    house.hop.script.clear()
    house.check()


@one_jump
def test_a_bounce_that_waits(rig, clock, jump):
    """A report is mail like any other: a jump does not end its life, nor is it made twice."""
    house = make(rig, clock, BOUNCE)
    identity = house.server.submit("bob@example.org", message("refused"))
    house.server.await_log(f"bounce id={identity}")
    clock.jump(jump)
    time.sleep(2)
    house.restart()
    time.sleep(1.5)
    house.hop.script.clear()
    house.server.await_empty()
    assert len(reports(house)) == 1 and identity.encode() in reports(house)[0].content
    assert not re.search("double-bounce", house.server.log())


@jumps
def test_a_lifetime_still_ends(rig, clock, jump):
    """Time that has passed counts, whatever the clock says: not before, and not never."""
    house = make(rig, clock, LATER, queue=f"{QUEUE}  lifetime = 6")
    begin = time.monotonic()
    assert house.brief("short") == "250 2.0.0"
    time.sleep(1)
    clock.jump(jump)
    house.server.await_log(r"event=expired|event=bounce|bounce ")
    took = time.monotonic() - begin
    assert 4.5 < took, f"given up after {took:.1f} s"
    house.hop.script.clear()
    await_true(lambda: reports(house), "no report came")


def there_and_back(rig, clock):
    """A clock that is set wrong and right again, several times."""
    house = make(rig, clock, LATER)
    fill(house)
    for jump in (20 * YEAR, -20 * YEAR, -YEAR, YEAR, None, 50 * YEAR):
        clock.jump(jump)
        time.sleep(1.1)
    check_none_given_up(house)
    house.restart()
    house.server.await_log("the spool has been read", start=house.server.log_start)
    check_none_given_up(house)
    check_new_mail(house, clock, "new")
    house.check()


if LONG:
    test_there_and_back = there_and_back


# Two steps that each cost a day would end it.
BRIEF = f"{QUEUE}  lifetime = 100000"


def check_age(house, clock, begin):
    """What waits is as old as the time that has passed since, give or take the time without the room."""
    for row in house.server.queue():
        left = seconds_of(json.loads(house.server.ctl("queue", "show", row["id"], "--json"))["expires"]) - clock.now()
        assert 100000 - (time.monotonic() - begin) - 5 < left < 100005, row


@pytest.mark.parametrize("off", [30 * 3600, -30 * 3600, 12 * 3600] if LONG else [30 * 3600], ids=lambda off: f"{off // 3600}-hours")
def test_flaps(rig, clock, off):
    """Set wrong and right again within seconds: none of that has passed, in this life or in the next."""
    begin = time.monotonic()
    house = make(rig, clock, LATER, queue=BRIEF)
    fill(house, count=2)
    time.sleep(1)
    for jump in 2 * (off, -off):
        clock.jump(jump)
        time.sleep(1.2)
    house.restart()
    house.server.await_log("the spool has been read", start=house.server.log_start)
    check_age(house, clock, begin)
    house.hop.script.clear()
    house.check()
    check_none_given_up(house)


@pytest.mark.parametrize("off", [30 * 3600, -30 * 3600, 12 * 3600, -30 * YEAR] if LONG else [30 * 3600],
                         ids=lambda off: f"{off // 3600}-hours")
def test_wrong_at_each_boot(rig, clock, off):
    """A hardware clock that is put right a little after each start."""
    begin = time.monotonic()
    house = make(rig, clock, LATER, queue=BRIEF)
    fill(house, count=2)
    for _boot in range(2):
        house.server.stop()
        clock.jump(off)
        house.server.start()
        house.server.await_log("the spool has been read", start=house.server.log_start)
        time.sleep(1.2)
        clock.jump(-off)
        time.sleep(1.5)
        check_none_given_up(house)
    house.restart()
    house.server.await_log("the spool has been read", start=house.server.log_start)
    check_age(house, clock, begin)
    house.hop.script.clear()
    house.check()
    check_none_given_up(house)


def test_a_delay_notice_is_not_early(rig, clock):
    house = make(rig, clock, LATER, queue="retry = { 1 }  retry_connect = { 1 }  dead_host = 0  delay_notice = 3600")
    fill(house, count=2)
    clock.jump(2 * DAY)
    time.sleep(3)
    check_none_given_up(house)
    house.hop.script.clear()
    house.check()


def test_a_dead_host_comes_back(rig, clock):
    """Its rest is measured by the monotonic clock."""
    house = make(rig, clock, queue="retry = { 1 }  retry_connect = { 1 }  dead_host = 2  delay_notice = 0")
    house.hop.close_listener()
    for session in house.hop.sessions:
        session.cut()
    assert house.brief("dead") == "250 2.0.0"
    house.server.await_queue(lambda rows: rows and all(recipient["attempts"] for row in rows for recipient in row["recipients"]))
    clock.jump(-10 * YEAR)
    house.hop.start()
    house.check()


def test_names_are_asked_again(rig, clock):
    """A resolver's cache goes by the wall clock; after a jump back an answer must not live for years."""
    names = rig.name_server({"new.example": {"MX": ["10 mx.new.example."]}, "mx.new.example": {"A": ["127.0.0.77"]}})
    port = free_port()
    house = House(rig, sections={"queue": QUEUE, "dns": names.section, "timeouts": "connect = 2"}, environment=clock.environment,
                  routes={"new.example": f'via = "mx"  port = {port}'})
    assert house.brief("named", recipient="bob@new.example") == "250 2.0.0"
    house.server.await_queue(lambda rows: rows and all(recipient["attempts"] for row in rows for recipient in row["recipients"]))
    house.hop.close_listener()
    house.hop.port = port
    house.hop.start()
    names.set({"mx.new.example": {"A": ["127.0.0.1"]}})
    house.server.tolerate(RELAY_ENDS)
    clock.jump(-10 * YEAR)
    house.check()
    house.server.await_log(RELAY_ENDS)


def test_the_operator_is_answered(rig, clock):
    """List, show and trace over a journal whose times run back."""
    house = make(rig, clock, LATER)
    fill(house, count=2)
    clock.jump(-10 * YEAR)
    time.sleep(2.5)
    fill(house, "later", 2)
    rows = house.server.await_queue(lambda rows: all(recipient["attempts"] for row in rows for recipient in row["recipients"]))
    assert len(rows) == 4
    for row in rows:
        assert json.loads(house.server.ctl("queue", "show", row["id"], "--json"))
        await_true(lambda row=row: "deferred" in json.dumps(house.server.trace(row["id"])), "no attempt in the trace")
    house.hop.script.clear()
    house.check()


def test_logins_after_a_jump(rig, clock):
    """A lockout is measured by the monotonic clock: a jump neither ends it nor makes it last."""
    house = make(rig, clock)
    for jump in (10 * YEAR, -20 * YEAR):
        clock.jump(jump)
        for listener in ("465", "587"):
            house.server.client(listener=listener).quit()
        identity = house.server.submit("bob@example.org", message("login", body="login\r\n"))
        assert re.fullmatch(r"[0-9A-Z]{26}", identity)
    house.server.await_empty()
