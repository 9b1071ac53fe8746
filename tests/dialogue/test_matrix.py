"""dialogue/test_matrix.py: the reply to every command in every state of a connection: in clear text, after STARTTLS and on
465, before and after the login (SUB-3.1-2, SUB-3.1-3, SUB-7-2 to SUB-7-8: SUB-7-3, SUB-7-4, SUB-7-5, SUB-7-6, SUB-7-7; CMD-1,
CMD-11, CMD-12, CMD-16, CMD-19, LSN-4, SEC-6, requirements section 17). One table: a row is a command, a column is a state."""
import itertools
import pathlib

import pytest

from rig.client import b64
from rig.profiles import LISTENERS
from rig.server import PASSWORD

USER = "alice@example.net"
PLAIN = "AUTH PLAIN " + b64(f"\0{USER}\0{PASSWORD}")
addresses = itertools.count(1)

# G: greeted only; C: EHLO in clear text; c: the same at a listener that does not require TLS; T: EHLO under TLS;
# A: logged in; M: and MAIL; R: and RCPT.
STATES = {"G587": "G", "G465": "g", "C587": "C", "C588": "c", "T587": "T", "T465": "T", "A587": "A", "A465": "A", "M465": "M",
          "R587": "R", "R465": "R"}

# command: {states: reply}, the first that names the state.
MATRIX = {
    "NOOP": {"GgCcTAMR": "250 2.0.0"},
    "NOOP hi": {"GgCcTAMR": "250 2.0.0"},
    "RSET": {"GgCcTAMR": "250 2.0.0"},
    "RSET now": {"GgCcTAMR": "501 5.5.4"},
    "HELP": {"GgCcTAMR": "214 2.0.0"},
    "QUIT now": {"GgCcTAMR": "501 5.5.4"},
    "QUIT": {"GgCcTAMR": "221 2.0.0"},
    "EHLO": {"GgCcTAMR": "501 5.5.4"},
    "EHLO a b": {"GgCcTAMR": "501 5.5.4"},
    "EHLO other.example": {"GgCcTAMR": "250"},
    "HELO other.example": {"GgCcTAMR": "250"},
    "FOO": {"GgCcTAMR": "500 5.5.2"},
    "XFOO": {"GgCcTAMR": "500 5.5.2"},
    "ETRN example.org": {"GgCcTAMR": "502 5.5.1"},
    "ATRN": {"GgCcTAMR": "502 5.5.1"},
    "TURN": {"GgCcTAMR": "502 5.5.1"},
    "SEND FROM:<alice@example.net>": {"GgCcTAMR": "502 5.5.1"},
    "SOML FROM:<alice@example.net>": {"GgCcTAMR": "502 5.5.1"},
    "SAML FROM:<alice@example.net>": {"GgCcTAMR": "502 5.5.1"},
    "VRFY alice": {"GC": "530 5.7.0", "gcT": "530 5.7.0", "AMR": "252 2.5.0"},
    "EXPN staff": {"GC": "530 5.7.0", "gcT": "530 5.7.0", "AMR": "252 2.5.0"},
    "STARTTLS now": {"GCc": "501 5.5.4", "gTA": "501 5.5.4", "MR": "503 5.5.1"},
    "STARTTLS": {"GCc": "220 2.0.0", "gTA": "503 5.5.1", "MR": "503 5.5.1"},
    "AUTH": {"Gg": "503 5.5.1", "C": "530 5.7.0", "cTA": "501 5.5.4", "MR": "503 5.5.1"},
    "AUTH FOO": {"Gg": "503 5.5.1", "C": "530 5.7.0", "cT": "504 5.5.4", "AMR": "503 5.5.1"},
    PLAIN: {"Gg": "503 5.5.1", "C": "530 5.7.0", "c": "538 5.7.11", "T": "235 2.7.0", "AMR": "503 5.5.1"},
    "MAIL FROM:<alice@example.net>": {"Gg": "503 5.5.1", "CcT": "530 5.7.0", "A": "250 2.1.0", "MR": "503 5.5.1"},
    "MAIL FROM:<>": {"Gg": "503 5.5.1", "CcT": "530 5.7.0", "A": "250 2.1.0", "MR": "503 5.5.1"},
    "MAIL FROM:<a@b@c>": {"Gg": "503 5.5.1", "CcT": "530 5.7.0", "A": "501 5.1.7", "MR": "503 5.5.1"},
    "MAIL": {"Gg": "503 5.5.1", "CcT": "530 5.7.0", "A": "501 5.5.4", "MR": "503 5.5.1"},
    "MAIL FROM:<alice@example.net> FOO=1": {"Gg": "503 5.5.1", "CcT": "530 5.7.0", "A": "555 5.5.4", "MR": "503 5.5.1"},
    "MAIL FROM:<carol@example.net>": {"Gg": "503 5.5.1", "CcT": "530 5.7.0", "A": "550 5.7.1", "MR": "503 5.5.1"},
    "MAIL FROM:<alice@sales>": {"Gg": "503 5.5.1", "CcT": "530 5.7.0", "A": "554 5.1.8", "MR": "503 5.5.1"},
    "MAIL FROM:<alice@[192.0.2.1]>": {"Gg": "503 5.5.1", "CcT": "530 5.7.0", "A": "554 5.1.8", "MR": "503 5.5.1"},
    "MAIL FROM:<\u03b4@example.net>": {"Gg": "503 5.5.1", "CcT": "530 5.7.0", "A": "550 5.6.7", "MR": "503 5.5.1"},
    "MAIL FROM:<alice@example.net> SIZE=99999999999": {"Gg": "503 5.5.1", "CcT": "530 5.7.0", "A": "552 5.3.4", "MR": "503 5.5.1"},
    "MAIL FROM:<alice@example.net> SIZE=1 SIZE=1": {"Gg": "503 5.5.1", "CcT": "530 5.7.0", "A": "501 5.5.4", "MR": "503 5.5.1"},
    "RCPT TO:<bob@[192.0.2.1]>": {"Gg": "503 5.5.1", "CcT": "530 5.7.0", "A": "503 5.5.1", "MR": "554 5.1.2"},
    "RCPT TO:<\u03b4@example.org>": {"Gg": "503 5.5.1", "CcT": "530 5.7.0", "A": "503 5.5.1", "MR": "553 5.6.7"},
    "RCPT TO:<bob@example.org> FOO": {"Gg": "503 5.5.1", "CcT": "530 5.7.0", "A": "503 5.5.1", "MR": "555 5.5.4"},
    "RCPT TO:<bob@example.org> NOTIFY=NEVER,DELAY": {"Gg": "503 5.5.1", "CcT": "530 5.7.0", "A": "503 5.5.1", "MR": "501 5.5.4"},
    "RCPT TO:<bob@example.org>": {"Gg": "503 5.5.1", "CcT": "530 5.7.0", "A": "503 5.5.1", "MR": "250 2.1.5"},
    "RCPT TO:<.bob@example.org>": {"Gg": "503 5.5.1", "CcT": "530 5.7.0", "A": "503 5.5.1", "MR": "501 5.1.3"},
    "RCPT TO:<bob@sales>": {"Gg": "503 5.5.1", "CcT": "530 5.7.0", "A": "503 5.5.1", "MR": "554 5.1.2"},
    "RCPT TO:<PostMaster>": {"Gg": "503 5.5.1", "CcT": "530 5.7.0", "A": "503 5.5.1", "MR": "250 2.1.5"},
    "DATA foo": {"Gg": "503 5.5.1", "CcT": "530 5.7.0", "A": "503 5.5.1", "MR": "501 5.5.4"},
    "DATA": {"Gg": "503 5.5.1", "CcT": "530 5.7.0", "AM": "503 5.5.1", "R": "354"},
    "BDAT 0 LAST": {"Gg": "503 5.5.1", "CcT": "530 5.7.0", "AM": "503 5.5.1", "R": "554 5.6.0"},
    "BDAT x": {"Gg": "503 5.5.1", "CcT": "530 5.7.0", "A": "503 5.5.1", "MR": "501 5.5.4"},
    "VRFY": {"GC": "530 5.7.0", "gcT": "530 5.7.0", "AMR": "501 5.5.4"},
    "VRFY \u03b4": {"GC": "530 5.7.0", "gcT": "530 5.7.0", "AMR": "252 2.6.8"},
    "EXPN \u03b4": {"GC": "530 5.7.0", "gcT": "530 5.7.0", "AMR": "550 5.6.8"},
    "BURL imap://example.org/x LAST": {"GgCcTAMR": "502 5.5.1"},
    "A" * 2000: {"GgCcTAMR": "500 5.5.2"},
    "NOOP \x01": {"GgCcTAMR": "500 5.5.2"},
}


@pytest.fixture(scope="module")
def server(shared):
    server = shared.server("matrix", start=False, listeners=LISTENERS)
    server.add_user(USER)
    return server.start()


def reach(server, state):
    """A connection in that state, and the reply to its last EHLO."""
    kind, listener = state[0], state[1:]
    connection = server.connect(listener, source=f"127.8.{next(addresses) % 200 + 1}.1")
    hello = None
    if kind != "G":
        hello = connection.command("EHLO client.example")
    if kind in "TAMR" and not connection.is_tls:
        connection.start_tls()
        hello = connection.command("EHLO client.example")
    if kind in "AMR":
        connection.expect(PLAIN, "235 2.7.0")
    if kind in "MR":
        connection.expect("MAIL FROM:<alice@example.net>", "250 2.1.0")
    if kind == "R":
        connection.expect("RCPT TO:<bob@example.org>", "250 2.1.5")
    return connection, hello


def wanted(row, column):
    return next((reply for columns, reply in row.items() if column in columns), None)


@pytest.mark.parametrize("state", STATES)
def test_every_command(server, state):
    wrong = []
    for command, row in MATRIX.items():
        connection, _ = reach(server, state)
        reply = connection.command(command)
        if reply.brief != wanted(row, STATES[state]):
            wrong.append(f"{command[:60]}: {reply}, wanted {wanted(row, STATES[state])}")
        connection.close()
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("state", [state for state in STATES if state[0] != "G"])
def test_what_is_listed(server, state):
    """SUB-7-1: what table 1 asks for is, TURN and its like never are (EXT-NEG-1); AUTH only under TLS, STARTTLS only before."""
    _, hello = reach(server, state)
    keywords = {line.split()[0] for line in hello.lines[1:]}
    assert not keywords & {"ETRN", "ATRN", "TURN", "SEND", "SOML", "SAML", "VRFY", "EXPN", "XCLIENT", "XFORWARD"}
    assert ("AUTH" in keywords) == (STATES[state] in "TAMR")
    assert ("STARTTLS" in keywords) == (STATES[state] in "Cc")
    assert {"PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME", "SIZE", "DSN", "CHUNKING", "SMTPUTF8", "HELP"} <= keywords


def test_names_are_documented():
    """TLS-18: how mail programs find the server."""
    guide = (pathlib.Path(__file__).parents[2] / "README.md").read_text()
    assert "_submissions._tcp" in guide and "_submission._tcp" in guide


def test_strangers_learn_nothing(server):
    """Before the login the words of a refusal tell no user, domain or policy."""
    connection, _ = reach(server, "T465")
    for line in ("MAIL FROM:<alice@example.net>", "MAIL FROM:<nobody@example.net>", "RCPT TO:<alice@example.net>",
                 "RCPT TO:<nobody@example.net>", "RCPT TO:<x@sales>", "VRFY alice", "VRFY nobody", "EXPN staff", "DATA"):
        assert connection.command(line).text == "Authentication required"
