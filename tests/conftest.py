"""tests/conftest.py: the fixtures of all black-box suites."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from rig.hop import Hop  # noqa: E402
from rig.nameserver import NameServer  # noqa: E402
from rig.server import BUILD, Server, forget_certificates  # noqa: E402


def pytest_sessionstart(session):
    for name in ("submitd", "submitctl"):
        if not (BUILD / name).exists():
            pytest.exit(f"{BUILD / name} is not there; build first (./check does), or set SUBMITD_BUILD", 2)


def pytest_sessionfinish(session):
    forget_certificates()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    setattr(item, f"report_{call.when}", outcome.get_result())


def has_failed(request):
    report = getattr(request.node, "report_call", None)
    return report is not None and report.failed


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


@pytest.fixture
def rig(request):
    """Servers and next hops for one test."""
    keeper = Keeper()
    yield keeper
    keeper.end(has_failed(request))


@pytest.fixture(scope="module")
def shared(request):
    """The same for all tests of a file."""
    keeper = Keeper()
    failed_before = request.session.testsfailed
    yield keeper
    keeper.end(request.session.testsfailed > failed_before)
