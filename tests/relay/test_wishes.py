"""relay/test_wishes.py: what the sender asked for at MAIL and RCPT: passed on to a hop that lists the keyword, and what the
sender is told where the hop does not."""
import email
import email.policy
import time

from rig.client import message
from rig.hop import KEYWORDS, Turns
from rig.patience import await_true
from test_notices import groups

ALL = [*KEYWORDS, "DSN", "DELIVERBY", "MT-PRIORITY", "MTRK", "RRVS", "CONPERM", "NO-SOLICITING", "REQUIRETLS", "BINARYMIME"]
BINARY = "MIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n"
CERTIFIER = "a" * 27


def words(parameters):
    return parameters.split(" ") if isinstance(parameters, str) else list(parameters)


def mail_words(mail):
    return words(mail.parameters)


def rcpt_words(mail):
    return words(mail.recipients[0][1])


def report_of(trip, identity):
    text, report = trip.bounce(identity)
    return report, groups(text)


def test_dsn_passed_on(trip):
    """EXT-DSN-7: unchanged to a hop that lists DSN, and nothing that was not given; the hop reports, so we do not (EXT-DSN-8)."""
    hop = trip.hop(keywords=ALL)
    identity = trip.submit(hop, parameters="RET=HDRS ENVID=QQ+2B314159",
                           rcpt_parameters="NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob+2Bx@Example.ORG")
    mail = hop.await_mail()
    assert {"RET=HDRS", "ENVID=QQ+2B314159"} <= set(mail_words(mail))
    assert {"NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;Bob+2Bx@Example.ORG"} == set(rcpt_words(mail))
    trip.await_closed(identity)
    assert trip.has_no_bounce(identity)
    trip.submit(hop)
    mail = hop.await_mails(2)[1]
    assert not [word for word in mail_words(mail) if word.startswith(("RET", "ENVID", "BY", "MT-"))]
    assert not [word for word in rcpt_words(mail) if word]


def test_dsn_kept_back(trip):
    """EXT-DSN-8: none of them to a hop without DSN; who asked for SUCCESS is told "relayed" by us. DSN-5, DSN-6, DSN-8."""
    hop = trip.hop()
    identity = trip.submit(hop, parameters="RET=FULL ENVID=QQ+2B314159",
                           rcpt_parameters="NOTIFY=SUCCESS ORCPT=rfc822;Bob+2Bx@example.org")
    mail = hop.await_mail()
    assert not [word for word in mail_words(mail) + rcpt_words(mail)
                if word.startswith(("RET", "ENVID", "NOTIFY", "ORCPT"))]
    report, (about, one) = report_of(trip, identity)
    assert about["Original-Envelope-Id"] == "QQ+314159"
    assert one["Original-Recipient"] == "rfc822; Bob+x@example.org"
    assert one["Action"] == "relayed" and one["Status"] == "2.1.9"
    assert report.get_payload()[2].get_content_type() == "text/rfc822-headers"  # DSN-10: without failures the header only
    trip.await_closed(identity)


def test_delivered(trip):
    """DSN-8: LMTP is where the mail was to go: "delivered". Once for each recipient that asked for it."""
    hop = trip.hop(kind="lmtp")
    identity = trip.submit(hop, people=("bob", "carol"), rcpt_parameters="NOTIFY=SUCCESS,FAILURE")
    _, (_, *people) = report_of(trip, identity)
    assert [one["Action"] for one in people] == ["delivered"] * 2
    assert all(one["Status"].startswith("2.") for one in people)


def test_failure_unwanted(trip):
    """EXT-DSN-10: NOTIFY without FAILURE, and NEVER: no notice of failure."""
    hop = trip.hop({"RCPT": "550 5.1.1 no"})
    for wishes in ("NOTIFY=SUCCESS", "NOTIFY=NEVER", "NOTIFY=DELAY"):
        identity = trip.submit(hop, rcpt_parameters=wishes)
        trip.await_closed(identity)
        assert trip.has_no_bounce(identity)
    identity = trip.submit(hop, rcpt_parameters="NOTIFY=FAILURE")
    _, (_, one) = report_of(trip, identity)
    assert one["Action"] == "failed"


def test_mixed(trip):
    """EXT-DSN-8, EXT-DSN-10, CMD-32: each recipient has what was asked for him."""
    hop = trip.hop({"RCPT": Turns("550 5.1.1 no", "550 5.1.1 no", "250 2.1.5 ok")})
    client = trip.server.connect("588", source="127.9.1.1")
    client.hello()
    client.expect("MAIL FROM:<alice@example.net> RET=FULL", "250 2.1.0")
    for who, wishes in (("quiet", "NEVER"), ("loud", "FAILURE"), ("good", "SUCCESS")):
        client.expect(f"RCPT TO:<{who}@{hop.domain}> NOTIFY={wishes}", "250 2.1.5")
    identity = client.data(message(to=f"loud@{hop.domain}"), False)
    client.quit()
    trip.await_closed(identity)

    def notices():
        found = [octets for octets in trip.server.delivered().values() if f"Final-Log-ID: {identity}".encode() in octets]
        return len(found) >= 2 and found
    texts = await_true(notices)
    told = {one["Final-Recipient"].split("; ")[1].partition("@")[0]: one["Action"]
            for text in texts for one in groups(text)[1:]}
    assert told == {"loud": "failed", "good": "relayed"}


def test_returned_whole(trip):
    """DSN-10, EXT-DSN-4: RET=FULL brings the message back, RET=HDRS and no RET the header."""
    hop = trip.hop({"RCPT": "550 5.1.1 no"})
    content = message(to=f"bob@{hop.domain}", fields="X-Mark: original\r\n", body="The whole body.\r\n.dot\r\n")
    for wishes, kind in (("RET=FULL", "message/rfc822"), ("RET=HDRS", "text/rfc822-headers"), ("", "text/rfc822-headers")):
        identity = trip.submit(hop, content=content, parameters=wishes)
        report, _ = report_of(trip, identity)
        part = report.get_payload()[2]
        assert part.get_content_type() == kind
        assert ("The whole body." in report.as_string()) == (kind == "message/rfc822")
        if kind == "message/rfc822":
            returned = part.get_payload(0)
            assert returned["X-Mark"] == "original" and ".dot" in returned.get_payload()


def test_returned_large(trip):
    """DSN-10: a message with a body file of its own comes back too, one that is too large as its header."""
    hop = trip.hop({"RCPT": "550 5.1.1 no"})
    for octets, kind in ((300_000, "message/rfc822"), (1_100_000, "text/rfc822-headers")):
        body = ("x" * 70 + "\r\n") * (octets // 72)
        identity = trip.submit(hop, content=message(to=f"bob@{hop.domain}", body=body), parameters="RET=FULL")
        report, _ = report_of(trip, identity)
        part = report.get_payload()[2]
        assert part.get_content_type() == kind
        if kind == "message/rfc822":
            assert part.get_payload(0).get_payload().replace("\n", "\r\n").count("x" * 70 + "\r\n") == octets // 72


def test_success_is_short(trip):
    """DSN-10: of success there may be a notice for each recipient: a long header does not come back with it, with failure it does."""
    content = message(to="bob@example.org", fields="".join(f"X-Long-{i}: {'x' * 900}\r\n" for i in range(60)))
    for script, parts in (({}, 2), ({"RCPT": "550 5.1.1 no"}, 3)):
        identity = trip.submit(trip.hop(script), content=content, rcpt_parameters="NOTIFY=SUCCESS,FAILURE")
        report, _ = report_of(trip, identity)
        assert len(report.get_payload()) == parts


def test_notice_asks_for_none(trip):
    """DSN-1, EXT-MTPRI-5: our own notices ask a hop that lists DSN for no notice, and have the priority of what they tell of."""
    hop = trip.hop({"RCPT": Turns("550 5.1.1 no", "250 2.1.5 ok")}, keywords=ALL)
    trip.submit(hop, sender=f"alice@{hop.domain}", parameters="MT-PRIORITY=-5")
    mail = hop.await_mail()
    assert mail.sender == "" and rcpt_words(mail) == ["NOTIFY=NEVER"] and "MT-PRIORITY=-5" in mail_words(mail)


def test_utf8_orcpt(trip):
    """EXT-DSN-13, EXT-SMTPUTF8-13, DSN-13: ORCPT in UTF-8 leaves as \\x{HEX} where the transaction has no SMTPUTF8."""
    hop = trip.hop(keywords=ALL)
    trip.submit(hop, parameters="SMTPUTF8", rcpt_parameters="ORCPT=utf-8;\u03b4@example.org")
    assert rcpt_words(hop.await_mail()) == ["ORCPT=utf-8;\\x{3B4}@example.org"]
    trip.submit(hop, parameters="SMTPUTF8", rcpt_parameters="ORCPT=utf-8;" + "\u03b4" * 240)  # beyond 500 octets then
    assert rcpt_words(hop.await_mails(2)[1]) == [""]


def test_others_passed_on(trip):
    """EXT-DELIVERBY-6, EXT-MTRK-4, EXT-MTRK-5, EXT-RRVS-3, EXT-CONPERM-2: to a hop that lists the keyword."""
    hop = trip.hop(keywords=ALL)
    trip.submit(hop, parameters=f"BY=900;RT MT-PRIORITY=-4 ENVID=1@h.example MTRK={CERTIFIER}:86400 CONPERM",
                rcpt_parameters="RRVS=2024-05-01T02:00:00+02:00;C")
    mail = hop.await_mail()
    given = dict(word.split("=", 1) for word in mail_words(mail) if "=" in word)
    seconds, mode = given["BY"].split(";")
    assert 600 <= int(seconds) <= 900 and mode == "RT"
    assert given["MT-PRIORITY"] == "-4" and "CONPERM" in mail_words(mail)
    certifier, left = given["MTRK"].split(":")
    assert certifier == CERTIFIER and 86000 <= int(left) <= 86400
    assert rcpt_words(mail) == ["RRVS=2024-05-01T00:00:00Z;C"]


def test_solicit_passed_on(trip):
    """EXT-NOSOL-4: SOLICIT as the header has it, to a hop that lists NO-SOLICITING, and to no other."""
    content = message(fields="Solicitation: org.example:X\r\n")
    for keywords, given in ((ALL, True), (KEYWORDS, False)):
        hop = trip.hop(keywords=keywords)
        trip.submit(hop, content=content, parameters="SOLICIT=org.example:X")
        mail = hop.await_mail()
        assert ("SOLICIT=org.example:X" in mail_words(mail)) == given
        assert b"(SOLICIT=org.example:X)" in mail.header


def test_requiretls_passed_on(trip):
    """RTLS-3: to a hop that lists it under TLS, and never in clear text."""
    hop = trip.hop(keywords=ALL, tls="starttls")
    trip.submit(hop, login="alice@example.net", parameters="REQUIRETLS")
    mail = hop.await_mail()
    assert mail.is_tls and "REQUIRETLS" in mail_words(mail)
    trip.submit(hop, login="alice@example.net")
    assert "REQUIRETLS" not in mail_words(hop.await_mails(2)[1])
    clear = trip.hop(keywords=ALL)
    trip.submit(clear, login="alice@example.net", parameters="REQUIRETLS")
    assert "REQUIRETLS" not in mail_words(clear.await_mail())


def test_size_body_passed_on(trip):
    """EXT-SIZE-6, EXT-8BITMIME-2: SIZE is what goes out, BODY what the content is, not what the client said."""
    hop = trip.hop(keywords=ALL)
    trip.submit(hop, content=message(to=f"bob@{hop.domain}", body="caf\u00e9\r\n"), parameters="SIZE=1 BODY=7BIT")
    mail = hop.await_mail()
    assert {f"SIZE={len(mail.content)}", "BODY=8BITMIME"} <= set(mail_words(mail)) and "caf\u00e9".encode() in mail.content


def test_binary(trip):
    """EXT-BINARYMIME-2: to the octet, small and large, to a hop that lists BINARYMIME and CHUNKING."""
    hop = trip.hop(keywords=ALL)
    for count, body in enumerate((b"a\0\n\r\r\n.\r\n\xff", bytes(range(256)) * 2000), 1):
        trip.submit(hop, content=message(fields=BINARY).encode().removesuffix(b"Hello.\r\n") + body,
                    parameters="BODY=BINARYMIME", bdat=True)
        mail = hop.await_mails(count)[-1]
        assert mail.verb == "BDAT" and "BODY=BINARYMIME" in mail_words(mail) and mail.body == body
    lmtp = trip.hop(kind="lmtp", keywords=ALL)
    trip.submit(lmtp, content=message(fields=BINARY, body="\0\n"), parameters="BODY=BINARYMIME", bdat=True)
    assert lmtp.await_mail().body == b"\0\n"


def test_binary_must_not_go(trip):
    """EXT-BINARYMIME-2: where BINARYMIME or CHUNKING is missing, or chunks are not to be used, and into a folder: 5.6.3. The
    notice goes any way back, with the header alone."""
    lanes = [("plain", [word for word in ALL if word != "BINARYMIME"]), ("plain", [word for word in ALL if word != "CHUNKING"]),
             ("data", ALL)]
    hops = [trip.hop(kind=kind, keywords=keywords) for kind, keywords in lanes]
    for people in [[f"bob@{hop.domain}"] for hop in hops] + [["bob@folder.example"]]:
        identity = trip.submit(hops[0], people=people, content=message(fields=BINARY, body="\0\n"), bdat=True,
                               parameters="BODY=BINARYMIME RET=FULL")
        report, (_, one) = report_of(trip, identity)
        assert one["Status"] == "5.6.3" and one["Action"] == "failed"
        assert report.get_payload()[2].get_content_type() == "text/rfc822-headers"
    assert not any(hop.mails for hop in hops)


def test_returned_eight_bit(trip):
    """DSN-10, EXT-8BITMIME-3: what comes back whole and holds eight bits is labelled so, and goes as such."""
    hop = trip.hop({"RCPT": Turns("550 5.1.1 no", "250 2.1.5 ok")}, keywords=ALL)
    trip.submit(hop, sender=f"alice@{hop.domain}", parameters="RET=FULL BODY=8BITMIME",
                content=message(sender=f"alice@{hop.domain}", body="caf\u00e9\r\n"))
    mail = hop.await_mail()
    assert "BODY=8BITMIME" in mail_words(mail)
    report = email.message_from_bytes(mail.content, policy=email.policy.default)
    assert report["Content-Transfer-Encoding"] == "8bit"
    part = report.get_payload()[2]
    assert part.get_content_type() == "message/rfc822" and part["Content-Transfer-Encoding"] == "8bit"
    assert "caf\u00e9".encode() in mail.content


def test_priority_inherited(trip):
    """EXT-MTPRI-5: a notice has the priority of what it is about, in the queue and to the next hop."""
    hop = trip.hop({"RCPT": Turns("550 5.1.1 no", "450 4.2.1 later")}, keywords=ALL)
    trip.submit(hop, sender=f"alice@{hop.domain}", parameters="MT-PRIORITY=-4")
    rows = trip.server.await_queue(lambda rows: any(row["sender"] == "" and row["recipients"][0]["state"] == "deferred"
                                                    for row in rows))
    notice = next(row for row in rows if row["sender"] == "")
    assert trip.server.json("queue", "show", notice["id"])["priority"] == -4
    hop.script["RCPT"] = "250 2.1.5 ok"
    assert "MT-PRIORITY=-4" in mail_words(hop.await_mail())


def test_others_kept_back(trip):
    """EXT-DELIVERBY-8, EXT-MTRK-4, EXT-RRVS-2: nothing of it to a hop that does not; what may go on goes."""
    hop = trip.hop()
    trip.submit(hop, parameters=f"BY=900;N MT-PRIORITY=-4 ENVID=1@h.example MTRK={CERTIFIER}",
                rcpt_parameters="RRVS=2024-05-01T00:00:00Z;C")
    mail = hop.await_mail()
    assert not [word for word in mail_words(mail) if word.startswith(("BY", "MT", "ENVID"))]
    assert not [word for word in rcpt_words(mail) if word]


def test_others_must_not_go(trip):
    """EXT-DELIVERBY-7, EXT-CONPERM-2, EXT-RRVS-2, EXT-DELIVERBY-9, DSN-14: what a hop must not get without the keyword fails."""
    for mail, rcpt, status in (("BY=900;R", "", "5.3.3"), ("CONPERM", "", "5.6.3"),
                               ("", "RRVS=2024-05-01T00:00:00Z", "5.7.19"), ("", "RRVS=2024-05-01T00:00:00Z;R", "5.7.19")):
        hop = trip.hop()
        identity = trip.submit(hop, parameters=mail, rcpt_parameters=rcpt)
        _, (about, one) = report_of(trip, identity)
        assert one["Status"] == status and one["Action"] == "failed"
        assert ("Deliver-By-Date" in about) == mail.startswith("BY")
        assert not hop.mails


def test_owner_at_the_end(trip):
    """EXT-RRVS-2: by LMTP and into a folder too: who cannot say whose the mailbox was then does not get the mail."""
    hop = trip.hop(kind="lmtp")
    for rcpt in ("RRVS=2024-05-01T00:00:00Z", "RRVS=2024-05-01T00:00:00Z;R"):
        for people in ("bob", "carol@example.com"):
            identity = trip.submit(hop, people=people, rcpt_parameters=rcpt)
            _, (_, one) = report_of(trip, identity)
            assert one["Status"] == "5.7.19" and one["Action"] == "failed"
    assert not hop.mails
    trip.submit(hop, rcpt_parameters="RRVS=2024-05-01T00:00:00Z;C")
    hop.await_mail()
    knowing = trip.hop(kind="lmtp", keywords=[*KEYWORDS, "RRVS"])
    trip.submit(knowing, rcpt_parameters="RRVS=2024-05-01T00:00:00Z")
    assert rcpt_words(knowing.await_mail()) == ["RRVS=2024-05-01T00:00:00Z"]


def test_solicitation(trip):
    """EXT-NOSOL-4: SOLICIT for a hop that lists NO-SOLICITING comes from the header, whether or not it was given at MAIL."""
    hop = trip.hop(keywords=ALL)
    content = message(to=f"bob@{hop.domain}", fields="Solicitation: org.example:X ,\r\n org.example:Y\r\n")
    for parameters in ("", "SOLICIT=org.example:X,org.example:Y"):
        trip.submit(hop, content=content, parameters=parameters)
    assert all("SOLICIT=org.example:X,org.example:Y" in mail_words(mail) for mail in hop.await_mails(2))


def test_tracking_needs_envid(trip):
    """EXT-MTRK-2, EXT-MTRK-4: a hop that lists MTRK without DSN takes no ENVID, so it gets no MTRK either."""
    hop = trip.hop(keywords=[*KEYWORDS, "MTRK"])
    trip.submit(hop, parameters=f"ENVID=1@h.example MTRK={CERTIFIER}")
    assert not [word for word in mail_words(hop.await_mail()) if word.startswith(("MTRK", "ENVID"))]


def test_too_late(trip):
    """EXT-DELIVERBY-4: mode R behind its time: no further attempt, and a notice with 5.4.7, whatever the hop lists."""
    hop = trip.hop({"MAIL": Turns("451 4.3.0 later")}, keywords=ALL)
    identity = trip.submit(hop, parameters="BY=5;R")
    _, (about, one) = report_of(trip, identity)
    assert one["Status"] == "5.4.7" and "Deliver-By-Date" in about
    assert not [line for session in hop.sessions for line in session.lines if ";R" in line and int(line.split("BY=")[1].split(";")[0]) < 1]


def test_odd_keywords(trip):
    """EXT-DSN-7, EXT-DELIVERBY-7: keywords listed twice, with words behind them, or with nonsense that says nothing."""
    hop = trip.hop(keywords=[*KEYWORDS, "DSN", "dsn again", "DELIVERBY 5", "DELIVERBY x", "DELIVERBY -1", "MT-PRIORITY", "MT-PRIORITY STANAG4406",
                             "RRVS RRVS", "SIZE 1x", "SIZE", "LIMITS RCPTMAX=0", "LIMITS =", "X" * 400])
    trip.submit(hop, parameters="RET=FULL MT-PRIORITY=-2 BY=900;R", rcpt_parameters="NOTIFY=FAILURE")
    mail = hop.await_mail()
    assert {"RET=FULL", "MT-PRIORITY=-2"} <= set(mail_words(mail)) and rcpt_words(mail) == ["NOTIFY=FAILURE"]
    assert len([word for word in mail_words(mail) if word.startswith(("RET", "BY"))]) == 2


def test_held(trip):
    """EXT-FUTURE-3, EXT-FUTURE-5, EXT-FUTURE-7, DSN-14: not before its time; the notice says what was asked for."""
    hop = trip.hop({"RCPT": Turns("250 2.1.5 ok", "550 5.1.1 no")})
    identity = trip.submit(hop, parameters="HOLDFOR=600", login="alice@example.net")
    row = trip.server.json("queue", "show", identity)
    assert row["release"] > row["arrival"] and row["recipients"][0]["state"] == "waiting"
    assert row["recipients"][0]["next_attempt"][:19] == row["release"][:19]
    assert trip.server.json("queue", "retry", identity)["messages"] == 1  # which means: when its time has come
    assert "release" in trip.server.run_ctl("queue", "show", identity).stdout
    trip.server.ctl("queue", "delete", identity)
    began = time.monotonic()
    trip.submit(hop, parameters="HOLDFOR=3", login="alice@example.net")
    hop.await_mail()
    assert time.monotonic() - began >= 3 and len(hop.mails) == 1
    identity = trip.submit(hop, parameters="HOLDFOR=1", login="alice@example.net")
    _, (about, _) = report_of(trip, identity)
    assert about["Future-Release-Request"] == "for;1"


def test_shown(trip):
    """RTLS-3, EXT-NOSOL-2: what was asked for is kept and shown."""
    hop = trip.hop({"MAIL": "451 4.3.0 later"})
    identity = trip.submit(
        hop, login="alice@example.net", content=message(to=f"bob@{hop.domain}", fields="Solicitation: org.example:X\r\n"),
        parameters=f"RET=HDRS ENVID=1@h.example BY=900;NT REQUIRETLS MT-PRIORITY=4 MTRK={CERTIFIER}:99 SOLICIT=org.example:X",
        rcpt_parameters="NOTIFY=FAILURE,DELAY ORCPT=rfc822;b@example.org RRVS=2024-05-01T00:00:00Z;C")
    row = trip.server.json("queue", "show", identity)
    assert row["ret"] == "HDRS" and row["envid"] == "1@h.example" and row["deliver_by_mode"] == "NT"
    assert row["requiretls"] is True and row["priority"] == 4 and row["mtrk"] == CERTIFIER and row["mtrk_timeout"] == 99
    assert row["solicit"] == "org.example:X" and "release" not in row and "conperm" not in row
    one = row["recipients"][0]
    assert one["notify"] == ["FAILURE", "DELAY"] and one["orcpt"] == "rfc822;b@example.org"
    assert one["rrvs"] == "2024-05-01T00:00:00Z;C"
    text = trip.server.run_ctl("queue", "show", identity).stdout
    assert "HDRS" in text and "1@h.example" in text
    assert "notify FAILURE,DELAY, " in text and "orcpt rfc822;b@example.org" in text and "rrvs 2024-05-01T00:00:00Z;C" in text
