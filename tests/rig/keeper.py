"""rig/keeper.py: who made what in a test, so that all of it ends with the test."""
import pytest

from rig.hop import Hop
from rig.imap import Imap
from rig.nameserver import NameServer
from rig.server import Server


class Keeper:
    """Makes servers and next hops, and ends them whatever happens."""

    def __init__(self):
        self.servers, self.others = [], []

    def server(self, *arguments, start=True, **settings):
        server = Server(*arguments, **settings)
        self.servers.append(server)
        return server.start() if start else server

    def hop(self, *arguments, **settings):
        hop = Hop(*arguments, **settings)
        self.others.append(hop)
        return hop

    def imap(self, *arguments, **settings):
        imap = Imap(*arguments, **settings)
        self.others.append(imap)
        return imap

    def name_server(self, *arguments, **settings):
        name_server = NameServer(*arguments, **settings)
        self.others.append(name_server)
        return name_server

    def end(self, failed):
        complaints = []
        for server in self.servers:
            try:
                server.stop()
            except AssertionError as error:
                complaints.append(str(error))
            complaints += server.faults()
        for other in self.others:
            other.stop()
        for server in self.servers:
            if failed or complaints:
                print(f"log kept: {server.keep()}/submitd.log")
            server.clear()
        if complaints:
            pytest.fail("\n".join(["the server's end or its log:", *complaints[:30]]))
