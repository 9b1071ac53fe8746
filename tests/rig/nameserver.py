"""rig/nameserver.py: a name server on loopback that answers what a test wants, over UDP and TCP.

    NameServer({"example.org": {"MX": ["10 mx1.example.org."]}, "mx1.example.org": {"A": ["127.0.0.2"]},
                "gone.example": "NXDOMAIN", "sick.example": "SERVFAIL", "mute.example": None})

A name's value: types to texts of records; "NXDOMAIN" or "SERVFAIL"; None: no answer at all; "STALL": told to ask by TCP, and no
answer there, for which a resolver waits longer than any client. What is not named does not exist. CNAMEs are chased as a resolver would see them."""
import socketserver
import struct
import threading

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from rig.server import free_port

SOA = "ns.invalid. hostmaster.invalid. 1 3600 600 86400 1"


class NameServer:
    def __init__(self, zone=None):
        self.zone = {}
        self.questions = []  # (name, type) as asked, lower-case, without the last dot
        self.delay = None    # an Event to wait for before each answer
        self.set(zone or {})
        self.port = free_port()
        outer = self

        class Datagram(socketserver.BaseRequestHandler):
            def handle(self):
                answer = outer.reply(self.request[0])
                if answer:
                    self.request[1].sendto(answer, self.client_address)

        class Stream(socketserver.BaseRequestHandler):
            def handle(self):
                head = self.request.recv(2)
                while len(head) == 2:
                    question = self.request.recv(struct.unpack("!H", head)[0])
                    answer = outer.reply(question, is_stream=True)
                    if answer:
                        self.request.sendall(struct.pack("!H", len(answer)) + answer)
                    head = self.request.recv(2)

        socketserver.TCPServer.allow_reuse_address = True
        self.servers = [socketserver.ThreadingUDPServer(("127.0.0.1", self.port), Datagram),
                        socketserver.ThreadingTCPServer(("127.0.0.1", self.port), Stream)]
        for server in self.servers:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def section(self):
        """The words of the dns section that make submitd ask here."""
        return f'forward = {{ "127.0.0.1@{self.port}" }}  trust_anchor = ""'

    def set(self, zone):
        for name, value in zone.items():
            self.zone[name.lower().rstrip(".")] = value

    def stop(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def asked(self, name, kind):
        return (name, kind) in self.questions

    def reply(self, octets, is_stream=False):
        query = dns.message.from_wire(octets)
        question = query.question[0]
        name = question.name.to_text().lower().rstrip(".")
        kind = dns.rdatatype.to_text(question.rdtype)
        self.questions.append((name, kind))
        if self.zone.get(name, "NXDOMAIN") is None:
            return None
        response = dns.message.make_response(query, recursion_available=True)
        if self.zone.get(name) == "STALL":
            response.flags |= dns.flags.TC
            return None if is_stream else response.to_wire()
        self.fill(response, name, kind)
        try:
            return response.to_wire(max_size=65535 if is_stream else 1232)
        except dns.exception.TooBig:
            cut = dns.message.make_response(query, recursion_available=True)
            cut.flags |= dns.flags.TC
            return cut.to_wire()

    def fill(self, response, name, kind):
        for _ in range(16):
            value = self.zone.get(name, "NXDOMAIN")
            if isinstance(value, str):
                response.set_rcode(dns.rcode.from_text(value))
                break
            if value is None:
                response.set_rcode(dns.rcode.SERVFAIL)
                break
            records = value.get(kind)
            if records:
                response.answer.append(dns.rrset.from_text(name + ".", 60, "IN", kind, *records))
                return
            alias = value.get("CNAME")
            if not alias:
                break
            response.answer.append(dns.rrset.from_text(name + ".", 60, "IN", "CNAME", *alias))
            name = alias[0].lower().rstrip(".")
        response.authority.append(dns.rrset.from_text(name + ".", 1, "IN", "SOA", SOA))
