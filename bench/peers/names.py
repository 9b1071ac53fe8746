#!/usr/bin/python3
"""peers/names.py ADDRESS HOST: a name server for a peer that insists on one. Every domain's mail goes to HOST; nothing else exists.
Ends with SIGTERM. Its processor time is no peer's: a name server is another machine's work."""
import socket
import struct
import sys

MX, NAME_ERROR = 15, 3


def encode(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def question_end(query):
    """Where the question that begins behind the header (12 octets) ends."""
    at = 12
    while query[at]:
        at += query[at] + 1
    return at + 5


def reply(query, host):
    number, flags, questions = struct.unpack(">HHH", query[:6])
    end = question_end(query)
    (kind,) = struct.unpack(">H", query[end - 4:end - 2])
    name_is_host = query[12:end - 4].lower() == encode(host)
    answer = b""
    if kind == MX and not name_is_host:
        data = struct.pack(">H", 10) + encode(host)
        answer = struct.pack(">HHHIH", 0xC00C, MX, 1, 300, len(data)) + data
    error = 0 if answer or name_is_host else NAME_ERROR
    header = struct.pack(">HHHHHH", number, 0x8480 | flags & 0x0100 | error, questions, 1 if answer else 0, 0, 0)
    return header + query[12:end] + answer


def main():
    address, host = sys.argv[1:]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((address, 53))
        while True:
            query, client = server.recvfrom(2048)
            try:
                server.sendto(reply(query, host), client)
            except (IndexError, struct.error):
                pass


if __name__ == "__main__":
    main()
