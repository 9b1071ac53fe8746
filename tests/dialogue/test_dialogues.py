"""dialogue/test_dialogues.py: every *.dialogue of this folder, each in each of its states. They run side by side against
shared servers; a test only waits for the end of its own."""
import concurrent.futures
import pathlib

import pytest

from rig.dialogue import TRIES, Player, Script, TooSlow
from rig.profiles import make_server

SIDE_BY_SIDE = 16
SCRIPTS = [Script(path) for path in sorted(pathlib.Path(__file__).parent.glob("*.dialogue"))]
RUNS = [(script, state) for script in SCRIPTS for state in script.states]


def run_name(run):
    return run[0].path.stem + (f"[{run[1]}]" if run[1] else "")


class Stage:
    """The servers, and all runs of this session under way."""

    def __init__(self, wanted):
        self.servers = {}
        self.pool = concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE)
        for profile in {script.server for script, _ in wanted}:
            self.servers[profile] = self.pool.submit(make_server, profile)
        self.futures = {(id(script), state): self.pool.submit(self.play, script, state) for script, state in wanted}

    def play(self, script, state):
        for tries in range(TRIES):
            try:
                return Player(script, self.servers[script.server].result(), state).run()
            except TooSlow:
                if tries + 1 == TRIES:
                    raise

    def end(self):
        self.pool.shutdown(wait=True)
        faults = []
        for profile, future in self.servers.items():
            if future.exception():
                continue
            server = future.result()
            try:
                server.stop()
            except AssertionError as error:
                faults.append(f"{profile}: {error}")
            found = server.faults()
            if found:
                faults += [f"{profile}: log kept in {server.keep()}", *found[:20]]
            server.clear()
        return faults


@pytest.fixture(scope="module")
def stage(request):
    wanted = [item.callspec.params["run"] for item in request.session.items if getattr(item, "callspec", None) and "run" in item.callspec.params]
    # The long ones first, so that their waiting fills the time of the others.
    stage = Stage(sorted(wanted, key=lambda run: -patience(run[0].steps)))
    yield stage
    faults = stage.end()
    if faults:
        pytest.fail("\n".join(faults))


def patience(steps):
    total = 0.0
    for step in steps:
        if step.word == "pause":
            total += float(step.text)
        elif step.word == "auth":
            total += 1
        elif step.body:
            total += patience(step.body) * 5
        elif step.word == "elapsed":
            total += float(step.text.partition("..")[0])
    return total


@pytest.mark.parametrize("run", RUNS, ids=run_name)
def test_dialogue(stage, run):
    stage.futures[id(run[0]), run[1]].result()
