"""tests/conftest.py: the fixtures of all black-box suites."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from rig.keeper import Keeper  # noqa: E402
from rig.server import BUILD, forget_certificates  # noqa: E402


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
