"""e2e/identity.py: a real identity provider, oidc-provider from npm: its version and those of all it needs are pinned in
identity_package/package-lock.json, and it lies below build-clients."""
import base64
import http.cookiejar
import json
import pathlib
import re
import ssl
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request

from e2e.npm import install_package
from rig.patience import PATIENCE
from rig.server import ROOT, free_port, shared_certificate

PACKAGE = pathlib.Path(__file__).parent / "identity_package"
PLACE = ROOT / "build-clients" / "identity"
FILES = ("package.json", "package-lock.json", "serve.js")
PROGRAM, PROGRAM_SECRET, CLIENT, SECRET = "mail-program", "program: secret+", "submitd", "server %secret/"
USER, AUDIENCE, BACK = "alice@example.net", "mail", "https://localhost/back"


def install():
    """Brings it, once for each version."""
    install_package(PACKAGE, PLACE, FILES)


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def resource(kind):
    return f"https://mail.example.net/{kind}"


class Identity:
    """kind of a token: "opaque", or the algorithm that signs it."""

    def __init__(self):
        install()
        self.key, self.certificate = shared_certificate()
        self.port, self.era, self.process = free_port(), 0, None
        self.issuer = f"https://localhost:{self.port}"
        context = ssl.create_default_context(cafile=self.certificate)
        self.cookies = http.cookiejar.CookieJar()
        self.browser = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), Stay,
                                                   urllib.request.HTTPCookieProcessor(self.cookies))
        self.start()

    def start(self):
        """With new keys each time."""
        self.era += 1
        settings = {"issuer": self.issuer, "port": self.port, "key": str(self.key), "certificate": str(self.certificate), "era": self.era,
                    "program_secret": PROGRAM_SECRET, "client": CLIENT, "secret": SECRET, "user": USER, "audience": AUDIENCE}
        self.process = subprocess.Popen(["node", "serve.js"], cwd=PLACE, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        self.process.stdin.write(json.dumps(settings))
        self.process.stdin.close()
        said = []
        for line in self.process.stdout:
            said.append(line)
            if line == "ready\n":
                break
        assert said and said[-1] == "ready\n", "".join(said)
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        self.process = None

    def ask(self, path, form=None, client=None):
        """(status, Location, text)."""
        request = urllib.request.Request(urllib.parse.urljoin(self.issuer, path), data=form and urllib.parse.urlencode(form).encode())
        if client:
            words = ":".join(urllib.parse.quote_plus(word) for word in client)
            request.add_header("Authorization", "Basic " + base64.b64encode(words.encode()).decode())
        try:
            with self.browser.open(request, timeout=PATIENCE) as answer:
                return answer.status, answer.headers["Location"], answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers["Location"], error.read().decode()

    def token_for(self, form):
        status, _, text = self.ask("/token", form, (PROGRAM, PROGRAM_SECRET))
        assert status == 200, text
        return json.loads(text)["access_token"]

    def by_client_credentials(self, kind):
        return self.token_for({"grant_type": "client_credentials", "scope": "smtp", "resource": resource(kind)})

    def by_code(self, kind, user=USER):
        """The whole way of a person with a browser: log in, agree, come back with a code."""
        query = urllib.parse.urlencode({"client_id": PROGRAM, "response_type": "code", "redirect_uri": BACK, "scope": "openid smtp",
                                        "resource": resource(kind)})
        self.cookies.clear()
        status, place, text = self.ask(f"/auth?{query}")
        for _ in range(12):
            if place and place.startswith(BACK):
                break
            if place:
                status, place, text = self.ask(place)
                continue
            assert status == 200, text
            page = re.search(r'action="([^"]+)"', text)[1], re.search(r'name="prompt" value="(\w+)"', text)[1]
            status, place, text = self.ask(page[0], {"prompt": page[1], "login": user, "password": "any"})
        code = urllib.parse.parse_qs(urllib.parse.urlparse(place).query)["code"][0]
        return self.token_for({"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "resource": resource(kind)})

    def revoke(self, access):
        assert self.ask("/token/revocation", {"token": access}, (PROGRAM, PROGRAM_SECRET))[0] == 200
