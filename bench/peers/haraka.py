"""peers/haraka.py: Haraka from npm, its version and those of all it needs pinned in haraka_package/package-lock.json, installed below
build-bench/peers/haraka. Configuration, queue and one small plugin are below the folder."""
import shutil
import subprocess

from peers import fetch
from peers.group import Grouped
from peers.peer import empty

PACKAGE = fetch.TOP / "bench/peers/haraka_package"
FILES = ("package.json", "package-lock.json")
PLACE = fetch.CACHE / "haraka"
NODE = 20  # the least that this Haraka says it runs with

SAMPLES = ("connection.ini", "log.ini")  # as haraka --install lays them down

CONF = {
    "me": "bench.example.org\n",
    "plugins": "tls\nauth/flat_file\nbench\n",
    "smtp.ini": "listen=127.0.0.1:{submissions},127.0.0.1:{submission}\nsmtps_port={submissions}\n",
    "tls.ini": "key={folder}/key.pem\ncert={folder}/cert.pem\n",
    "outbound.ini": "disabled={disabled}\n",
}

# hook_lookup_rdns: no question to a name server for each connection (the answer may not come before the constructor's end).
# hook_get_mx: the smart host.
PLUGIN = """
exports.hook_lookup_rdns = function (next) {{
  setImmediate(next, OK, 'localhost')
}}
exports.hook_get_mx = function (next) {{
  next(OK, {{ priority: 0, exchange: '{host}', port: {port} }})
}}
"""

SETTINGS = [
    ("smtp.ini: listen, smtps_port", "the run's ports", "submissions with implicit TLS, submission with STARTTLS"),
    ("plugins", "tls, auth/flat_file, bench", "in place of the sample list (mail_from.is_resolvable, rcpt_to.in_host_list, smtp_forward)"),
    ("auth_flat_file.ini", "methods=PLAIN; passwords in clear text", "the plugin knows no hashed ones, and offers CRAM-MD5 otherwise"),
    ("plugin bench", "get_mx: the sink; lookup_rdns: localhost", "a smart host; no question to a name server"),
    ("dhparams.pem", "ffdhe2048", "Haraka computes one while it runs otherwise, which would be counted as its processor time"),
    ("connection.ini: max.bytes", "41943040", "the default is 25 MiB with the headers it adds"),
    ("smtp.ini: nodes", "not set: one worker process", "the default"),
    ("where nothing is to be delivered", "outbound.ini: disabled=true", "messages stay in the queue; up to 100 of them are looked at each second"),
]


class Haraka(Grouped):
    name = "Haraka"
    syncs_before_250 = (True, "one fsync a message, of its queue file before the rename; the folder is not synced")
    packages = ("nodejs", "openssl")
    connections = None

    def install(self):
        if not shutil.which("npm"):
            fetch.install(["nodejs", "npm"])
        node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
        if int(node[1:].split(".")[0]) < NODE:
            raise RuntimeError(f"this Haraka needs Node.js {NODE} or later; this machine has {node}")
        lock = (PACKAGE / FILES[1]).read_text()
        if (PLACE / "installed").exists() and (PLACE / "installed").read_text() == lock:
            return
        fetch.say(f"haraka: installing into {PLACE.relative_to(fetch.TOP)}")
        shutil.rmtree(PLACE, ignore_errors=True)
        PLACE.mkdir(parents=True)
        for name in FILES:
            shutil.copy(PACKAGE / name, PLACE / name)
        fetch.call(["npm", "ci", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=PLACE)
        (PLACE / "installed").write_text(lock)

    def version(self):
        said = fetch.call(["node", "-p", "require('./node_modules/Haraka/package.json').version + ', Node.js ' + process.version"], cwd=PLACE)
        return f"Haraka {said.strip()}"

    def prepare(self, folder, certificate, key, user, password):
        self.install()
        self.folder = folder
        for name in ("config", "plugins", "queue"):
            (folder / name).mkdir()
        for name in SAMPLES:
            text = (PLACE / "node_modules/Haraka/config" / name).read_text()
            (folder / "config" / name).write_text(text.replace("\nbytes=26214400\n", "\nbytes=41943040\n"))
        (folder / "cert.pem").write_bytes(certificate.read_bytes())
        (folder / "key.pem").touch(mode=0o600)
        (folder / "key.pem").write_bytes(key.read_bytes())
        fetch.call(["openssl", "genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:ffdhe2048",
                    "-out", folder / "config/dhparams.pem"])
        self.users = {}
        self.add_users([user], password)

    def add_users(self, names, password):
        self.users.update(dict.fromkeys(names, password))
        rows = "".join(f"{name}={password}\n" for name, password in self.users.items())
        path = self.folder / "config/auth_flat_file.ini"
        path.touch(mode=0o600)
        path.write_text(f"[core]\nmethods=PLAIN\n\n[users]\n{rows}")

    def start(self, ports, sink, deliver):
        host, port = sink or ("127.0.0.1", 9)
        words = {"folder": self.folder, "disabled": "false" if deliver else "true", **ports}
        for name, text in CONF.items():
            (self.folder / "config" / name).write_text(text.format(**words))
        (self.folder / "plugins/bench.js").write_text(PLUGIN.format(host=host, port=port).lstrip())
        self.spawn(["node", PLACE / "node_modules/Haraka/bin/haraka", "-c", self.folder], self.folder / "log")
        self.await_ports(ports, self.folder / "log")

    def settings(self):
        return SETTINGS

    def reset(self):
        empty(self.folder / "queue")


PEER = Haraka
