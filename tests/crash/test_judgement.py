"""crash/test_judgement.py: the judge finds each broken promise; one that never finds any proves nothing."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from judgement import Kill, judge  # noqa: E402
from load import ACKNOWLEDGED, REFUSED, UNKNOWN, UNSENT, Attempt  # noqa: E402

JOBS = 2


def attempt(state, mark="m", wishes=""):
    return Attempt(mark, [f"{mark}.0@x", f"{mark}.1@x"], "digest", 7, state, identity="ID", wishes=wishes)


def entry(*recipients, mark="m", time=10.0, **other):
    return {"time": time, "mark": mark, "recipients": list(recipients), "octets": 7, "digest": "digest", **other}


BOTH = entry("m.0@x", "m.1@x")


@pytest.mark.parametrize("state, taken, faults", [
    (ACKNOWLEDGED, [BOTH], set()),
    (ACKNOWLEDGED, [entry("m.1@x"), entry("m.0@x")], set()),
    (ACKNOWLEDGED, [], {"lost"}),
    (ACKNOWLEDGED, [entry("m.0@x")], {"lost"}),
    (ACKNOWLEDGED, [entry("m.0@x", "m.1@x", digest="other")], {"corrupted"}),
    (ACKNOWLEDGED, [entry("m.0@x", "m.1@x", octets=8)], {"corrupted"}),
    (ACKNOWLEDGED, [entry("m.0@x", "m.1@x", kept="strange-1.eml")], {"corrupted"}),
    (ACKNOWLEDGED, [BOTH, entry("other@x")], {"foreign"}),
    (ACKNOWLEDGED, [BOTH, entry("m.0@x", mark="unheard-of")], {"foreign"}),
    (REFUSED, [], set()),
    (REFUSED, [entry("m.0@x")], {"refused_delivered"}),
    (UNSENT, [], set()),
    (UNSENT, [entry("m.0@x")], {"unsent_delivered"}),
    (UNKNOWN, [], set()),
    (UNKNOWN, [BOTH], set()),
    (UNKNOWN, [entry("m.0@x", digest="other")], {"corrupted"}),
])
def test_promises(state, taken, faults):
    assert set(judge([attempt(state)], taken, set(), [], JOBS).faults) == faults


def notice(name, *recipients):
    return {"time": 11.0, "notice": name, "recipients": list(recipients)}


@pytest.mark.parametrize("wishes, taken, faults", [
    ("NOTIFY=SUCCESS", [BOTH, notice("n", "m.0@x", "m.1@x")], set()),
    ("NOTIFY=SUCCESS", [BOTH, notice("n", "m.0@x"), notice("o", "m.1@x")], set()),
    ("NOTIFY=SUCCESS", [BOTH], {"untold"}),
    ("NOTIFY=SUCCESS", [BOTH, notice("n", "m.0@x")], {"untold"}),
    ("NOTIFY=SUCCESS", [BOTH, notice("n", "m.0@x", "m.1@x"), notice("o", "m.1@x")], {"overtold"}),
    ("", [BOTH, notice("n", "m.0@x")], {"overtold"}),
    ("NOTIFY=SUCCESS", [BOTH, notice("n", "m.0@x", "m.1@x"), notice("n", "m.0@x", "m.1@x")], {"above_bound"}),
    ("NOTIFY=SUCCESS", [entry("m.0@x", "m.1@x", replaces=True), notice("n", "m.0@x", "m.1@x"), notice("o", "m.1@x")], set()),
])
def test_notices(wishes, taken, faults):
    assert set(judge([attempt(ACKNOWLEDGED, wishes=wishes)], taken, set(), [], JOBS).faults) == faults


def test_what_is_in_the_queue_is_not_lost():
    verdict = judge([attempt(ACKNOWLEDGED)], [], {"ID"}, [], JOBS)
    assert not verdict.faults and verdict.queued == 1


@pytest.mark.parametrize("victim, time, count, is_allowed", [
    ("relay.0", 10.5, 2, True),
    ("all", 10.5, 2, True),
    ("maildrop.0", 10.5, 2, True),
    ("queue.0", 10.5, 1, False),     # who carried it lives and says so again
    ("relay.0", 10.5, 3, False),     # more than the jobs in hand
    ("all", 9.2, 3, False),          # nor does what was told just before come on top
    ("gate.0", 10.5, 1, False),      # no kill explains it
    ("relay.0", -2.0, 1, False),     # too long before
    ("relay.0", 25.0, 1, False),
])
def test_the_bound_on_what_is_delivered_twice(victim, time, count, is_allowed):
    marks = [f"m{number}" for number in range(count)]
    taken = [entry(f"{mark}.0@x", f"{mark}.1@x", mark=mark, time=at) for mark in marks for at in (9.0, 20.0)]
    verdict = judge([attempt(ACKNOWLEDGED, mark) for mark in marks], taken, set(), [Kill(time, victim)], JOBS)
    assert set(verdict.faults) == (set() if is_allowed else {"above_bound"})
    assert verdict.twice == count
