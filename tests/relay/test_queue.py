"""relay/test_queue.py: the queue as the operator sees it, and what it does over time."""
import json
import time

import pytest

from rig.client import message
from rig.hop import Hang, Hop, Stall, Turns
from rig.patience import PATIENCE, await_true


def ids(rows):
    return [row["id"] for row in rows]


def test_list(trip):
    """QUE-2, QUE-11: id, user, sender, each recipient's state, the next time; in words too."""
    hop = trip.hop(start=False)
    identity = trip.submit(hop, ["bob", "carol"])
    row = trip.await_state(identity, "deferred")
    assert row["sender"] == "alice@example.net" and row["size"] > 0 and not row["held"]
    assert {r["address"] for r in row["recipients"]} == {f"bob@{hop.domain}", f"carol@{hop.domain}"}
    assert all(r["next_attempt"] and r["attempts"] >= 1 and r["last_reply"] for r in row["recipients"])
    words = trip.server.ctl("queue", "list")
    assert identity in words and f"bob@{hop.domain}" in words
    shown = trip.server.json("queue", "show", identity)
    assert shown["expires"] and shown["client"] == "127.9.1.1" and shown["listener"] == "588"
    assert shown["recipients"][0]["status"] == "4.4.1" and shown["recipients"][0]["route"] == hop.domain
    assert identity in trip.server.ctl("queue", "show", identity)


def test_hold_release_retry_delete(trip):
    """QUE-11: by id, by domain, all; with and without a bounce."""
    hop = trip.hop({"MAIL": "450 4.7.1 wait"})
    identity = trip.submit(hop)
    trip.await_state(identity, "deferred")
    trip.server.ctl("queue", "hold", identity)
    before = len(hop.heard())
    assert trip.server.json("queue", "list", "--held")["messages"][0]["id"] == identity
    time.sleep(2.5)
    assert len([line for line in hop.heard()[before:] if line.startswith("MAIL")]) <= 1
    hop.script.clear()
    trip.server.ctl("queue", "release", identity)
    hop.await_mail()
    hop.script["MAIL"] = "450 4.7.1 wait"
    second = trip.submit(hop)
    trip.await_state(second, "deferred")
    trip.server.ctl("queue", "delete", "--domain", hop.domain)
    trip.await_closed(second)
    assert trip.has_no_bounce(second)
    third = trip.submit(hop)
    trip.await_state(third, "deferred")
    trip.server.ctl("queue", "delete", third, "--bounce")
    trip.bounce(third)


def test_unknown(trip):
    """QUE-11: what is not there is said, with an exit code."""
    for words in (["queue", "show"], ["queue", "hold"], ["trace"]):
        done = trip.server.run_ctl(*words, "01J00000000000000000000000")
        assert done.returncode == 66 and "01J0" in done.stderr
    done = trip.server.run_ctl("queue", "hold", "no-id")
    assert done.returncode in {64, 66}
    done = trip.server.run_ctl("queue", "hold")
    assert done.returncode == 64
    done = trip.server.run_ctl("queue", "hold", "--user", "nobody@example.net")
    assert done.returncode == 0


def test_trace(trip):
    """QUE-2, MSG-20, TLS-13, SUB-5.2-1: from the login to the reply of the next hop."""
    hop = trip.hop({"RCPT": Turns("450 4.2.1 busy", None)}, tls="starttls", start=False)
    client = trip.server.connect("465")
    client.hello("laptop.example")
    client.login("alice@example.net", "correct horse battery")
    identity = client.mail("alice@example.net", [f"bob@{hop.domain}"], message())
    client.quit()
    trip.await_state(identity, "deferred")
    assert trip.server.trace(identity)["events"][0]["client_name"] == "laptop.example"
    hop.start()
    hop.await_mail()
    trip.await_closed(identity)
    trace = trip.server.trace(identity)
    assert trace["id"] == identity and trace["state"] == "closed"
    kinds = [event["event"] for event in trace["events"]]
    assert kinds[:2] == ["login", "accepted"] and kinds[-1] == "closed" and set(kinds[2:-1]) == {"attempt"}
    login, accepted, first, second = trace["events"][0], trace["events"][1], trace["events"][-3], trace["events"][-2]
    assert login["user"] == "alice@example.net" and login["mechanism"] == "PLAIN"
    assert login["tls_version"].startswith("TLSv1") and login["tls_cipher"] and login["listener"] == "465"
    assert accepted["sender"] == "alice@example.net" and accepted["recipients"] == [f"bob@{hop.domain}"]
    assert first["result"] == "deferred" and first["code"] == 450 and first["status"] == "4.2.1" and first["next_attempt"]
    assert second["result"] == "delivered" and second["code"] == 250 and second["tls_version"] and second["remote"] == hop.address
    assert [event["time"] for event in trace["events"]] == sorted(event["time"] for event in trace["events"])
    words = trip.server.ctl("trace", identity)
    for word in ("alice@example.net", "delivered", "TLSv1", hop.address):
        assert word in words


def test_status(trip):
    """QUE-2, SUB-5.2-2: the counters."""
    hop = trip.hop(start=False)
    trip.server.await_empty()
    before = trip.server.status()
    identity = trip.submit(hop)
    trip.await_state(identity, "deferred")
    after = await_true(lambda: (status := trip.server.status())["deferred"] == 1 and status)    # not while it is tried again
    assert after["accepted"] == before["accepted"] + 1 and after["queued"] == 1
    for key in ("queued", "accepted", "delivered", "deferred", "bounced"):
        assert isinstance(after[key], int)
    hop.start()
    hop.await_mail()
    trip.await_closed(identity)
    final = trip.server.status()
    assert final["delivered"] == before["delivered"] + 1 and final["queued"] == 0


def test_json_errors(trip):
    """QUE-11: errors in JSON where JSON was asked for."""
    done = trip.server.run_ctl("trace", "01J00000000000000000000000", "--json")
    answer = json.loads(done.stdout)
    assert answer["ok"] is False and answer["error"]


def restartable(rig, script=None, **sections):
    hop = Hop(script)
    rig.others.append(hop)
    sections.setdefault("queue", "retry = { 1 }  retry_connect = { 1 }  delay_notice = 0  dead_host = 0")
    server = rig.server("restart", start=False, sections=sections)
    server.routes = {"there.example": f'via = "smtp"  to = "{hop.address}"', "*": f'via = "maildir"  to = "{server.mail}"'}
    server.write_conf()
    server.start()
    return server, hop


def test_survives_restart(rig):
    """QUE-1, QUE-2, QUE-12, CMD-29: queued mail and what is done of it survive a stop and a kill -9."""
    server, hop = restartable(rig, {"RCPT": lambda _s, argument: "450 4.2.1 later" if "late" in argument else None})
    identity = server.submit(["now@there.example", "late@there.example"])
    hop.await_mails(1)
    server.await_queue(lambda rows: any(r["state"] == "delivered" for row in rows for r in row["recipients"]))
    server.stop()
    server.start()
    assert ids(server.queue()) == [identity]
    server.kill()
    server.start()
    hop.script.clear()
    mails = hop.await_mails(2)
    assert [mail.addresses for mail in mails] == [["now@there.example"], ["late@there.example"]]
    server.await_empty()
    server.await_recorded(identity)
    server.kill()
    server.start()
    time.sleep(1)
    assert len(hop.mails) == 2 and not server.queue()


def test_hold_survives_restart(rig):
    """QUE-11: held stays held."""
    server, hop = restartable(rig, {"RCPT": "450 4.2.1 later"})
    identity = server.submit("bob@there.example")
    server.await_queue(lambda rows: rows and rows[0]["recipients"][0]["state"] == "deferred")
    server.ctl("queue", "hold", identity)
    server.kill()
    server.start()
    hop.script.clear()
    time.sleep(2.5)
    assert server.queue()[0]["held"] and not hop.mails
    server.ctl("queue", "release", "--all")
    hop.await_mail()


def test_wishes_survive_restart(rig):
    """RTLS-3, EXT-DSN-7, EXT-FUTURE-3: what was asked for is there after a restart, from the record and from a checkpoint."""
    server, hop = restartable(rig, {"RCPT": lambda _s, argument: "450 4.2.1 later" if "now" in argument else None},
                              extensions="requiretls = true")
    client = server.client()
    long = client.mail("alice@example.net", ["long@there.example"], message(), "REQUIRETLS HOLDFOR=3600")
    began = time.time()
    tagged = client.mail("alice@example.net", ["now@there.example"], message(), "REQUIRETLS RET=HDRS ENVID=x", "NOTIFY=DELAY")
    held = client.mail("alice@example.net", ["held@there.example"], message(), "REQUIRETLS HOLDFOR=20")
    client.quit()
    server.await_queue(lambda rows: any(row["id"] == tagged and row["recipients"][0]["state"] == "deferred" for row in rows))
    for end in (server.stop, server.kill):
        end()
        server.start()
        assert {tagged, long} <= set(ids(server.queue())) <= {tagged, long, held}
        for identity in (tagged, long):
            assert server.json("queue", "show", identity)["requiretls"] is True
        row = server.json("queue", "show", tagged)
        assert (row["ret"], row["envid"], row["recipients"][0]["notify"]) == ("HDRS", "x", ["DELAY"])
        assert server.json("queue", "show", long)["recipients"][0]["state"] == "waiting"
        assert not hop.mails or time.time() - began >= 20
    mail = hop.await_mail()
    assert mail.addresses == ["held@there.example"] and time.time() - began >= 20


@pytest.mark.parametrize("room", ["gate", "vault", "queue", "relay", "maildrop"])
def test_room_dies(rig, room):
    """QUE-1: any room may die: it comes back, mail goes on, sessions of other rooms live."""
    server, hop = restartable(rig)
    server.tolerate("a room died")
    import os
    import signal
    idle = server.client()
    for name, pid in server.rooms().items():
        if name.startswith(room):
            os.kill(pid, signal.SIGKILL)
    server.await_log("a room died")
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            server.submit("bob@there.example")
            break
        except (AssertionError, OSError):
            assert time.monotonic() < deadline, f"no submission after {room} died"
            time.sleep(0.1)
    hop.await_mail()
    if room != "gate":
        idle.expect("NOOP", "250 2.0.0")


def test_drain(rig):
    """LSN-6: SIGTERM lets a delivery under way end."""
    server, hop = restartable(rig, {"EOD": Stall(1.5)})
    server.submit("bob@there.example")
    hop.await_line("BDAT")
    server.stop()
    assert len(hop.mails) == 1
    server.start()
    time.sleep(0.5)
    assert not server.queue() and len(hop.mails) == 1


def test_dead_host(rig):
    """QUE-5, QUE-3: a host that could not be reached is left alone; another message does not try it; retry forgets that."""
    server, hop = restartable(rig, {"CONNECT": Turns(Hang())}, queue="retry = { 60 }  retry_connect = { 60 }  delay_notice = 0  dead_host = 60",
                              timeouts="greeting = 3  connect = 3")
    server.submit("bob@there.example")
    server.await_queue(lambda rows: rows and rows[0]["recipients"][0]["state"] == "deferred")
    tried = len(hop.sessions)
    server.submit("carol@there.example")
    server.await_queue(lambda rows: len(rows) == 2)
    time.sleep(3)
    assert len(hop.sessions) == tried and server.queue()[1]["recipients"][0]["state"] in {"waiting", "deferred"}
    hop.script.clear()

    def arrive():
        server.ctl("queue", "retry", "--all")   # again, where the hop was not in time
        time.sleep(1)
        return len(hop.mails) >= 2
    await_true(arrive, "the retry forgets nothing")


def test_retry_times(rig):
    """QUE-3: the list of waits, by the kind of failure, with a tenth more by chance at most."""
    server, hop = restartable(rig, {"RCPT": "450 4.2.1 busy"}, queue="retry = { 100, 1000 }  retry_connect = { 5000 }  dead_host = 0")
    began = time.time()
    server.submit("bob@there.example")
    rows = server.await_queue(lambda rows: rows and rows[0]["recipients"][0]["state"] == "deferred")

    def check_wait(seconds):
        """The attempt was made at any time since we began."""
        from datetime import datetime
        when = datetime.fromisoformat(rows[0]["recipients"][0]["next_attempt"].replace("Z", "+00:00")).timestamp()
        assert began + seconds - 1 <= when <= time.time() + seconds * 1.1 + 1
    check_wait(100)
    began = time.time()
    server.ctl("queue", "retry", "--all")
    rows = server.await_queue(lambda rows: rows[0]["recipients"][0]["attempts"] == 2 and rows[0]["recipients"][0]["state"] == "deferred")
    check_wait(1000)
    hop.close_listener()
    for session in hop.sessions:
        session.cut()
    began = time.time()
    server.ctl("queue", "retry", "--all")
    rows = server.await_queue(lambda rows: rows[0]["recipients"][0]["attempts"] == 3 and rows[0]["recipients"][0]["state"] == "deferred")
    check_wait(5000)


def test_fair(rig):
    """QUE-10: one user's bulk does not delay another's single message."""
    server, hop = restartable(rig, {"EOD": Stall(0.05)}, queue="destination_concurrency = 2  concurrency = 4")
    server.add_user("dora@example.net")
    bulk = server.client()
    for number in range(300):
        bulk.mail("alice@example.net", [f"bulk{number}@there.example"], message())
        if number % 100 == 99:
            bulk.close()
            bulk = server.client()
    single = server.client(user="dora@example.net")
    single.mail("dora@example.net", ["single@there.example"], message(sender="dora@example.net"))
    before = len(hop.mails)
    await_true(lambda: any("single@there.example" in mail.addresses for mail in list(hop.mails)))
    overtaken = next(at for at, mail in enumerate(hop.mails) if "single@there.example" in mail.addresses) - before
    assert overtaken < 80, f"{overtaken} of the bulk went first"
    server.await_empty()


def test_large_message(rig):
    """QUE-14, QUE-1: a large message has a file of its own, once, whatever the number of recipients; it goes when all is done."""
    server, hop = restartable(rig, {"RCPT": "450 4.2.1 later"}, spool="large_message = 8192")
    server.submit([f"user{n}@there.example" for n in range(5)], message(body=("x" * 76 + "\r\n") * 3000))
    server.await_queue(lambda rows: rows and rows[0]["recipients"][0]["state"] == "deferred")
    identity = server.queue()[0]["id"]
    assert server.json("queue", "show", identity)["body_file"] is not None
    server.kill()
    server.start()
    hop.script.clear()
    mail = hop.await_mail()
    assert len(mail.recipients) == 5 and mail.body == (b"x" * 76 + b"\r\n") * 3000


def test_no_relays(rig):
    """QUE-2: relays = 0: accepted and kept, nothing is sent; with a relay again it goes."""
    hop = Hop()
    rig.others.append(hop)
    server = rig.server("no-relays", start=False, top="relays = 0")
    server.routes = {"*": f'via = "smtp"  to = "{hop.address}"'}
    server.write_conf()
    server.start()
    assert not any(room.startswith("relay") for room in server.rooms())
    identity = server.submit("bob@there.example")
    server.await_queue(lambda rows: ids(rows) == [identity])
    time.sleep(1)
    assert not hop.sessions
    server.stop()
    server.top = ""
    server.write_conf()
    server.start()
    hop.await_mail()
    server.await_empty()


def test_route_changes(rig):
    """QUE-2: queued mail follows a route that a reload has changed."""
    server, hop = restartable(rig, {"MAIL": "450 4.7.1 not here"})
    identity = server.submit("bob@there.example")
    server.await_queue(lambda rows: rows and rows[0]["recipients"][0]["state"] == "deferred")
    del server.routes["there.example"]
    server.write_conf()
    assert "in force" in server.reload()
    assert b"Delivered-To: bob@there.example" in server.await_mail(identity)
    server.await_empty()
    assert not hop.mails


def test_several_relays(rig):
    """QUE-8, QUE-9: a destination belongs to one relay; several share the work; one that dies takes nothing with it."""
    import os
    import signal
    hops = [Hop({"EOD": Stall(0.05)}) for _ in range(6)]
    rig.others += hops
    server = rig.server("relays", start=False, top="relays = 3", sections={
        "queue": "retry = { 1 }  retry_connect = { 1 }  delay_notice = 0  dead_host = 0"})
    server.tolerate("a room died")
    server.routes = {f"hop{number}.example": f'via = "smtp"  to = "{hop.address}"' for number, hop in enumerate(hops)}
    server.routes["*"] = f'via = "maildir"  to = "{server.mail}"'
    server.write_conf()
    server.start()
    client = server.client()
    for number in range(60):
        client.mail("alice@example.net", [f"user{number}@hop{number % 6}.example"], message())
        if number == 30:
            os.kill(server.rooms()["relay.1"], signal.SIGKILL)
    server.await_empty()
    received = [address for hop in hops for mail in hop.mails for address in mail.addresses]
    assert set(received) == {f"user{number}@hop{number % 6}.example" for number in range(60)}
    assert len(received) <= 60 + 10
