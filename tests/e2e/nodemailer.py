"""e2e/nodemailer.py: Nodemailer, the mail library of Node.js programs, from npm: its version is pinned in
nodemailer_package/package-lock.json, and it lies below build-clients."""
import json
import pathlib
import subprocess

from e2e.npm import install_package
from rig.patience import PATIENCE
from rig.server import ROOT

PACKAGE = pathlib.Path(__file__).parent / "nodemailer_package"
PLACE = ROOT / "build-clients" / "nodemailer"
FILES = ("package.json", "package-lock.json", "send.js")


def install():
    """Brings it, once for each version."""
    install_package(PACKAGE, PLACE, FILES)


def send(server, auth, messages, listener="465", **transport):
    """All messages over one transport. What became of each, in their order."""
    settings = {"host": "localhost", "port": server.ports[listener], "secure": "implicit" in server.listeners[listener], "requireTLS": True,
                "tls": {"ca": pathlib.Path(server.certificate).read_text()}, "auth": auth, **transport}
    install()
    done = subprocess.run(["node", "send.js"], cwd=PLACE, input=json.dumps({"transport": settings, "messages": messages}), text=True,
                          capture_output=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)
