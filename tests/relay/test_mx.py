"""relay/test_mx.py: where mail goes by DNS: a scripted name server, next hops at several loopback addresses."""
import itertools
import socket
import time

import pytest

from rig.client import message
from rig.hop import KEYWORDS, Hang, Hop, Turns
from rig.keeper import Keeper
from rig.nameserver import NameServer
from rig.patience import PATIENCE
from rig.server import free_port

names = itertools.count()


class World:
    """A server that follows MX records, the name server it asks, and a port at which all mail hosts listen."""

    def __init__(self, keeper):
        self.port = free_port()
        self.dns = NameServer()
        keeper.others.append(self.dns)
        self.server = keeper.server("mx-route", start=False, top='trusted_networks = { "127.9.1.1/32" }', listeners={
            "588": 'tls = "starttls"  require_tls = false'}, users=False, sections={
            "dns": self.dns.section, "extensions": "deliverby = true",
            "queue": "retry = { 1 }  retry_connect = { 1 }  delay_notice = 0  dead_host = 0"})
        self.server.routes = {"*": f'via = "mx"  port = {self.port}',
                              "*.smart.example": f'via = "smtp"  to = "hub.example:{self.port}"  mx = true',
                              "example.net": f'via = "maildir"  to = "{self.server.mail}"'}
        self.server.write_conf()
        self.server.start(users=False)

    def domain(self, records, **hosts):
        """A new domain; hosts: addresses by the first label of names that the records may use with $."""
        domain = f"d{next(names)}.example"
        self.dns.set({domain: {kind: [text.replace("$", domain) for text in texts] for kind, texts in records.items()}
                      if isinstance(records, dict) else records})
        for host, addresses in hosts.items():
            self.dns.set({f"{host}.{domain}": {"A": [a for a in addresses if ":" not in a], "AAAA": [a for a in addresses if ":" in a]}
                          if isinstance(addresses, list) else addresses})
        return domain

    def submit(self, *domains, wanted="250 2.1.5", parameters=""):
        client = self.server.connect("588", source="127.9.1.1")
        client.hello()
        client.expect("MAIL FROM:<alice@example.net>" + parameters, "250 2.1.0")
        for domain in domains:
            client.expect(f"RCPT TO:<bob@{domain}>", wanted)
        if wanted != "250 2.1.5":
            client.close()
            return None
        identity = client.data(message(to=f"bob@{domains[0]}"))
        client.quit()
        return identity

    def bounce_status(self, identity, wait=PATIENCE):
        text = self.server.await_mail(f"Final-Log-ID: {identity}", wait)
        return next(line.split()[1] for line in text.decode().splitlines() if line.startswith("Status:"))


@pytest.fixture(scope="module")
def world():
    keeper = Keeper()
    yield World(keeper)
    keeper.end(False)


@pytest.fixture
def hops(world):
    made = []

    def make(host, script=None, **settings):
        made.append(Hop(script, host=host, port=world.port, **settings))
        return made[-1]
    yield make
    for hop in made:
        hop.stop()
    world.server.run_ctl("queue", "delete", "--all")


def test_mx_record(world, hops):
    """OUT-1: the MX host, not the address of the domain."""
    wrong, right = hops("127.2.0.1"), hops("127.2.0.2")
    world.submit(world.domain({"MX": ["10 mail.$."], "A": ["127.2.0.1"]}, mail=["127.2.0.2"]))
    right.await_mail()
    assert not wrong.sessions


def test_implicit(world, hops):
    """OUT-1, SUB-8.7-2: no MX: the domain's own address; a CNAME is followed; the recipient keeps the name it was given."""
    hop = hops("127.2.0.3")
    real = world.domain({"A": ["127.2.0.3"]})
    alias = world.domain({"CNAME": [real + "."]})
    world.submit(alias)
    assert hop.await_mail().addresses == [f"bob@{alias}"]


def test_gone(world):
    """OUT-2: a domain that vanished after it was accepted."""
    domain = world.domain("SERVFAIL")
    identity = world.submit(domain)
    world.server.await_queue(lambda rows: any(row["id"] == identity and row["recipients"][0]["state"] == "deferred" for row in rows))
    assert world.server.json("queue", "show", identity)["recipients"][0]["status"] == "4.4.3"
    world.dns.set({domain: "NXDOMAIN"})
    assert world.bounce_status(identity) == "5.1.2"


def test_refused_at_once(world):
    """OUT-2, OUT-3, SUB-4.2-6: what is known at RCPT is said at RCPT."""
    world.submit(f"never{next(names)}.example", wanted="554 5.1.2")
    world.submit(world.domain({"MX": ["0 ."]}), wanted="556 5.1.10")


def test_null_mx_later(world):
    """OUT-3: found at delivery."""
    domain = world.domain("SERVFAIL")
    identity = world.submit(domain)
    world.dns.set({domain: {"MX": ["0 ."]}})
    assert world.bounce_status(identity) == "5.1.10"


def test_no_address(world):
    """OUT-2: MX hosts without an address; without any record at all."""
    assert world.bounce_status(world.submit(world.domain({"MX": ["10 mail.$."]}, mail={}))) == "5.4.4"
    domain = world.domain("SERVFAIL")
    identity = world.submit(domain)
    world.dns.set({domain: {"TXT": ["\"nothing here\""]}})
    assert world.bounce_status(identity) == "5.4.4"


def test_host_unknown_for_now(world, hops):
    """OUT-2: an MX host whose address cannot be found now: the mail waits."""
    hop = hops("127.2.0.4")
    domain = world.domain({"MX": ["10 mail.$."]}, mail="SERVFAIL")
    identity = world.submit(domain)
    world.server.await_queue(lambda rows: any(row["id"] == identity and row["recipients"][0]["state"] == "deferred" for row in rows))
    world.dns.set({f"mail.{domain}": {"A": ["127.2.0.4"]}})
    hop.await_mail()


def test_order(world, hops):
    """OUT-4, OUT-16: by preference; a host that refuses, or does not answer, is followed by the next."""
    best, worse, last = hops("127.2.0.5", {"CONNECT": "554 5.3.2 not me"}), hops("127.2.0.6", {"CONNECT": "421 4.3.2 busy"}), hops("127.2.0.7")
    world.submit(world.domain({"MX": ["30 c.$.", "10 a.$.", "20 b.$.", "15 d.$."]}, a=["127.2.0.5"], b=["127.2.0.6"], c=["127.2.0.7"],
                              d=["127.2.0.99"]))
    last.await_mail()
    assert best.sessions and worse.sessions
    assert best.sessions[0].opened < worse.sessions[0].opened < last.sessions[0].opened


def test_521(world, hops):
    """OUT-16: 521: the next host; when there is none, for good."""
    hops("127.2.0.8", {"CONNECT": "521 5.3.2 no mail here"})
    other = hops("127.2.0.9")
    world.submit(world.domain({"MX": ["10 a.$.", "20 b.$."]}, a=["127.2.0.8"], b=["127.2.0.9"]))
    other.await_mail()
    assert world.bounce_status(world.submit(world.domain({"MX": ["10 a.$."]}, a=["127.2.0.8"])))[0] == "5"


def test_no_hunt(world, hops):
    """EXT-DELIVERBY-7: who does not promise the time is not followed by a host that might."""
    hops("127.2.0.15")
    other = hops("127.2.0.16", keywords=[*KEYWORDS, "DELIVERBY"])
    identity = world.submit(world.domain({"MX": ["10 a.$.", "20 b.$."]}, a=["127.2.0.15"], b=["127.2.0.16"]), parameters=" BY=900;R")
    assert world.bounce_status(identity) == "5.3.3"
    assert not other.sessions


def test_all_addresses(world, hops):
    """OUT-4: every address of a host, two at least."""
    hop = hops("127.2.0.12")
    world.submit(world.domain({"MX": ["10 a.$."]}, a=["127.2.0.10", "127.2.0.11", "127.2.0.12"]))
    hop.await_mail()


def test_answer_over_tcp(world, hops):
    """An answer that no datagram holds is asked for again over TCP, behind the relay's walls."""
    hop = hops("127.2.0.2")
    others = [f"9 a-mail-host-that-does-not-exist-{number}.$." for number in range(60)]
    domain = world.domain({"MX": ["8 mx1.$.", *others]}, mx1=["127.2.0.2"])
    relays = {name: pid for name, pid in world.server.rooms().items() if name.startswith("relay")}
    world.submit(domain)
    hop.await_mail()
    assert relays == {name: pid for name, pid in world.server.rooms().items() if name.startswith("relay")}


def test_equals_share(world, hops):
    """OUT-4: equal preference: by chance."""
    one, other = hops("127.2.0.13"), hops("127.2.0.14")
    for number in range(24):
        if one.sessions and other.sessions:
            break
        world.submit(world.domain({"MX": ["10 a.$.", "10 b.$."]}, a=["127.2.0.13"], b=["127.2.0.14"]))
        deadline = time.monotonic() + PATIENCE
        while len(one.mails) + len(other.mails) <= number and time.monotonic() < deadline:
            time.sleep(0.01)
    assert one.sessions and other.sessions


def test_one_recipient_refusal_is_final(world, hops):
    """OUT-16: 5yz to RCPT is permanent; no other host is asked."""
    first, second = hops("127.2.0.15", {"RCPT": "550 5.1.1 unknown"}), hops("127.2.0.16")
    identity = world.submit(world.domain({"MX": ["10 a.$.", "20 b.$."]}, a=["127.2.0.15"], b=["127.2.0.16"]))
    assert world.bounce_status(identity) == "5.1.1"
    assert first.sessions and not second.sessions


def test_loop(world, hops):
    """OUT-5: our own name among the hosts: it and what is worse is left out; nothing left is an error."""
    better, worse = hops("127.2.0.17", {"CONNECT": Turns("421 4.3.2 busy", None)}), hops("127.2.0.18")
    world.submit(world.domain({"MX": ["10 a.$.", "20 msa.example.net.", "30 b.$."]}, a=["127.2.0.17"], b=["127.2.0.18"]))
    better.await_mail()
    assert not worse.sessions
    identity = world.submit(world.domain({"MX": ["10 MSA.example.net.", "30 b.$."]}, b=["127.2.0.18"]))
    assert world.bounce_status(identity) == "5.4.6" and not worse.sessions


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback address")
def test_both_families(world, hops):
    """OUT-6: IPv6 first, IPv4 in the same attempt when it does not answer."""
    four = hops("127.0.0.1")
    domain = world.domain({"MX": ["10 a.$."]}, a=["::1", "127.0.0.1"])
    identity = world.submit(domain)
    four.await_mail()
    events = world.server.trace(identity)["events"]
    assert sum(event["event"] == "attempt" for event in events) == 1
    six = hops("::1")
    world.submit(world.domain({"MX": ["10 a.$."]}, a=["::1", "127.0.0.1"]))
    six.await_mail()
    assert len(four.sessions) == 1


def test_smarthost_by_mx(world, hops):
    """OUT-18: a smarthost that is named by its domain's MX records."""
    hop = hops("127.2.0.19")
    world.dns.set({"hub.example": {"MX": ["10 real-hub.example."]}, "real-hub.example": {"A": ["127.2.0.19"]}})
    world.submit("some.smart.example")
    assert hop.await_mail().addresses == ["bob@some.smart.example"]


def test_idna(world, hops):
    """EXT-SMTPUTF8-8: A-labels are asked for."""
    hop = hops("127.2.0.20")
    world.dns.set({"xn--bcher-kva.example": {"MX": ["10 mx.xn--bcher-kva.example."]}, "mx.xn--bcher-kva.example": {"A": ["127.2.0.20"]}})
    client = world.server.connect("588", source="127.9.1.1")
    client.hello()
    client.mail("alice@example.net", ["bob@b\u00fccher.example"], message(), parameters="SMTPUTF8")
    client.quit()
    hop.await_mail()
    assert world.dns.asked("xn--bcher-kva.example", "MX")


def test_domain_by_domain(world, hops):
    """QUE-8: recipients of two domains are two transactions, even at one host; neither waits for the other."""
    hop, _silent = hops("127.2.0.21"), hops("127.2.0.22", {"CONNECT": Hang()})
    world.submit(world.domain({"MX": ["10 a.$."]}, a=["127.2.0.21"]), world.domain({"MX": ["10 a.$."]}, a=["127.2.0.22"]))
    hop.await_mail()
