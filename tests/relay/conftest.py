"""relay/conftest.py: one server with many routes, so that each test has a next hop of its own without a start of its own."""
import email
import email.policy
import itertools

import pytest

from rig.hop import Hop
from rig.keeper import Keeper
from rig.patience import PATIENCE
from rig.server import PASSWORD, free_port, make_folder, shared_certificate

TRUSTED = "127.9.1.1"

# Kinds of lanes: words of the route, and how many tests may have one.
KINDS = {
    "plain": ('via = "smtp"  to = "127.0.0.1:{port}"', 200),
    "clear": ('via = "smtp"  to = "127.0.0.1:{port}"  tls = "none"', 4),
    "data": ('via = "smtp"  to = "127.0.0.1:{port}"  chunking = false', 14),
    "verify": ('via = "smtp"  to = "localhost:{port}"  tls = "verify"  ca_file = "{ca}"', 8),
    "login": ('via = "smtp"  to = "localhost:{port}"  ca_file = "{ca}"  username = "relayuser"  password_file = "{password}"', 8),
    "lmtp": ('via = "lmtp"  to = "127.0.0.1:{port}"', 10),
    "unix": ('via = "lmtp"  to = "unix:{socket}"', 2),
}


class Lane:
    """A recipient domain and the place where its mail goes."""

    def __init__(self, kind, number, folder):
        self.kind, self.domain = kind, f"{kind}{number}.example"
        self.port = free_port()
        self.socket = folder / f"{kind}{number}.sock"


# For tests of time-outs. Elsewhere the usual ones are in force: a hop may be as slow as this machine is.
HASTY = "connect = 2  greeting = 2  ehlo = 2  tls = 2  auth = 2  mail = 2  rcpt = 2  data = 2  block = 2  end = 2  quit = 1  idle = 1"


class Lanes:
    def __init__(self, keeper, name="relay", kinds=KINDS, timeouts=None):
        self.keeper, self.folder = keeper, make_folder("lanes")
        (self.folder / "password").write_text("relay secret\n")
        (self.folder / "password").chmod(0o600)
        self.lanes = {kind: [Lane(kind, number, self.folder) for number in range(count)] for kind, (_, count) in kinds.items()}
        self.free = {kind: iter(lanes) for kind, lanes in self.lanes.items()}
        words = {"ca": shared_certificate()[1], "password": self.folder / "password"}
        routes = {lane.domain: KINDS[kind][0].format(port=lane.port, socket=lane.socket, **words)
                  for kind, lanes in self.lanes.items() for lane in lanes}
        self.server = keeper.server(name, start=False, top=f'trusted_networks = {{ "{TRUSTED}/32" }}', listeners={
            "465": 'tls = "implicit"', "588": 'tls = "starttls"  require_tls = false'}, sections={
            "extensions": 'binarymime = true  deliverby = true  deliverby_least = 5  futurerelease = true  requiretls = true  mt_priority = true  '
                          'mt_priority_users = { "alice@example.net" }  rrvs = true  mtrk = true  conperm = true  '
                          'no_soliciting = { "net.example:ADV" }',
            "queue": "retry = { 1 }  retry_connect = { 1 }  delay_notice = 0  dead_host = 0"})
        if timeouts:
            self.server.sections["timeouts"] = timeouts
        self.server.routes = {**routes, "*": f'via = "maildir"  to = "{self.server.mail}"'}
        self.server.write_conf()
        self.server.start()


class Trip:
    """One test's way through the server: submit, look at the next hop, look at the bounce."""

    def __init__(self, lanes):
        self.lanes, self.server, self.hops = lanes, lanes.server, []
        self.numbers = itertools.count()

    def hop(self, script=None, kind="plain", **settings):
        lane = next(self.lanes.free[kind])
        place = {"unix": lane.socket} if kind == "unix" else {"port": lane.port}
        hop = Hop(script, lmtp=kind in {"lmtp", "unix"}, **place, **settings)
        hop.domain = lane.domain
        self.hops.append(hop)
        return hop

    def submit(self, hop, people=("bob",), content=None, sender="alice@example.net", parameters="", bdat=False,
               rcpt_parameters="", login=None):
        from rig.client import message
        recipients = [f"{who}@{hop.domain}" if "@" not in who else who for who in ([people] if isinstance(people, str) else people)]
        client = self.server.connect("465" if login else "588", source=None if login else TRUSTED)
        client.hello()
        if login:
            client.login(login, PASSWORD)
        identity = client.mail(sender, recipients, content if content is not None else message(to=recipients[0]), parameters,
                               rcpt_parameters, bdat=bdat)
        client.quit()
        return identity

    def bounce(self, identity, wait=PATIENCE):
        """The notification about a message, as the sender got it."""
        end_of = self.server.await_mail(f"Final-Log-ID: {identity}", wait)
        return end_of, email.message_from_bytes(end_of, policy=email.policy.default)

    def has_no_bounce(self, identity):
        return not any(identity.encode() in octets for octets in self.server.delivered().values())

    def await_state(self, identity, state, wait=PATIENCE):
        """Until the message's first recipient is in this state; its row."""
        def found(queued):
            return any(row["id"] == identity and row["recipients"][0]["state"] == state for row in queued)
        return next(row for row in self.server.await_queue(found, wait) if row["id"] == identity)

    def await_closed(self, identity, wait=PATIENCE):
        self.server.await_queue(lambda queued: all(row["id"] != identity for row in queued), wait)


@pytest.fixture(scope="session")
def lanes(request):
    keeper = Keeper()
    yield Lanes(keeper)
    keeper.end(request.session.testsfailed > 0)


@pytest.fixture(scope="session")
def hasty_lanes(request):
    keeper = Keeper()
    yield Lanes(keeper, "hasty", {"plain": (KINDS["plain"][0], 20)}, HASTY)
    keeper.end(request.session.testsfailed > 0)


def trips(lanes):
    trip = Trip(lanes)
    yield trip
    for hop in trip.hops:
        hop.stop()
    # What a test leaves in the queue would be tried again and again.
    lanes.server.run_ctl("queue", "delete", "--all")


@pytest.fixture
def trip(lanes):
    yield from trips(lanes)


@pytest.fixture
def hasty(hasty_lanes):
    """A trip through a server that waits two seconds for each answer, and one for the next message on a connection."""
    yield from trips(hasty_lanes)
