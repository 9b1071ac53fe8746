"""rig/provider.py: an HTTPS server that does exactly as its script says, well-behaved or not, and remembers what it was asked.
One thread for each connection.

    Provider({"/keys": Document(key_set(KEYS), "max-age=600"), "/introspect": lambda request: Document({"active": True}),
              "/slow": Stall(60), "/raw": b"HTTP/1.1 200 OK\\r\\n"})

The answer of a path: a Document; octets, sent as they are, after which the connection ends; an iterator of octets, sent one by one;
Stall, after which it ends; or a function of the request that gives one of these."""
import base64
import collections
import json
import socket
import ssl
import threading
import time
import urllib.parse

from rig.patience import PATIENCE
from rig.server import free_port, shared_certificate

Request = collections.namedtuple("Request", "method path fields body")


class Document:
    def __init__(self, content, cache=None, status="200 OK", kind="application/json", fields=()):
        self.content = content.encode() if isinstance(content, str) else content if isinstance(content, bytes) else json.dumps(content).encode()
        self.lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(self.content)}", *fields]
        if cache:
            self.lines.append(f"Cache-Control: {cache}")

    def octets(self):
        return "\r\n".join(self.lines).encode() + b"\r\n\r\n" + self.content


class Stall:
    def __init__(self, seconds=60):
        self.seconds = seconds


class Provider:
    def __init__(self, answers=None, certificate=None, host="127.0.0.1"):
        """certificate: paths of a key and a chain; by default those that all servers of the run have."""
        self.answers = dict(answers or {})
        self.requests, self.connections = [], 0
        self.key, self.chain = certificate or shared_certificate()
        self.host = host
        self.gone = threading.Event()
        self.port = free_port()
        self.start()

    def start(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain, self.key)
        self.context = context
        self.listener = socket.create_server((self.host, self.port), backlog=64)
        self.gone.clear()
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def stop(self):
        if self.gone.is_set():
            return
        self.gone.set()
        self.listener.shutdown(socket.SHUT_RDWR)  # or a thread that waits for a client would take one more
        self.listener.close()

    def url(self, path, host=None):
        return f"https://{host or self.host}:{self.port}{path}"

    def asked(self, path):
        return [request for request in self.requests if request.path == path]

    def await_asked(self, path, count=1, wait=PATIENCE):
        end = time.monotonic() + wait
        while len(self.asked(path)) < count:
            assert time.monotonic() < end, f"{path} was asked for {len(self.asked(path))} times within {wait} s, not {count}"
            time.sleep(0.01)

    def accept(self, listener):
        while not self.gone.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            connection.settimeout(PATIENCE)
            with self.context.wrap_socket(connection, server_side=True) as stream:
                while (request := self.read(stream)) and not self.gone.is_set() and self.answer(stream, request):
                    pass
        except (OSError, ssl.SSLError, ValueError):
            connection.close()

    def read(self, stream):
        octets = b""
        while b"\r\n\r\n" not in octets:
            more = stream.recv(65536)
            if not more:
                return None
            octets += more
        head, _, body = octets.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        while len(body) < int(fields.get("content-length", 0)):
            body += stream.recv(65536)
        method, path, _ = first.split()
        request = Request(method, path, fields, body)
        self.requests.append(request)
        return request

    def answer(self, stream, request):
        """Does the connection go on?"""
        answer = self.answers.get(request.path.partition("?")[0], Document({"error": "not_found"}, status="404 Not Found"))
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, Document):
            stream.sendall(answer.octets())
            return True
        if isinstance(answer, Stall):
            self.gone.wait(answer.seconds)
        elif isinstance(answer, bytes):
            stream.sendall(answer)
        else:
            for octets in answer:
                stream.sendall(octets)
                if self.gone.is_set():
                    break
        return False


def form(request):
    """What was posted: name to value."""
    return {name: values[0] for name, values in urllib.parse.parse_qs(request.body.decode(), strict_parsing=True).items()}


def client_of(request):
    """Who asks, by Basic authentication as OAuth wants it."""
    kind, _, word = request.fields.get("authorization", "").partition(" ")
    name, _, secret = base64.b64decode(word).decode().partition(":")
    return kind, urllib.parse.unquote(name), urllib.parse.unquote(secret)
