"""e2e/nodemailer.py: Nodemailer, the mail library of Node.js programs, from npm: its version is pinned in
nodemailer_package/package-lock.json, and it lies below build-clients."""
import json
import pathlib
import shutil
import subprocess

import pytest

from rig.server import ROOT

PACKAGE = pathlib.Path(__file__).parent / "nodemailer_package"
PLACE = ROOT / "build-clients" / "nodemailer"
FILES = ("package.json", "package-lock.json", "send.js")


def install():
    """Brings it, once for each version."""
    if not shutil.which("npm"):
        pytest.fail("npm is not installed; ./check e2e installs it")
    mark, wanted = PLACE / "installed", "".join((PACKAGE / name).read_text() for name in FILES)
    if mark.exists() and mark.read_text() == wanted:
        return
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir(parents=True)
    for name in FILES:
        shutil.copy(PACKAGE / name, PLACE / name)
    done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=PLACE, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    assert done.returncode == 0, f"npm ci: exit {done.returncode}:\n{done.stdout[-2000:]}"
    mark.write_text(wanted)


def send(server, auth, messages, listener="465", **transport):
    """All messages over one transport. What became of each, in their order."""
    settings = {"host": "localhost", "port": server.ports[listener], "secure": "implicit" in server.listeners[listener], "requireTLS": True,
                "tls": {"ca": pathlib.Path(server.certificate).read_text()}, "auth": auth, **transport}
    install()
    done = subprocess.run(["node", "send.js"], cwd=PLACE, input=json.dumps({"transport": settings, "messages": messages}), text=True,
                          capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)
