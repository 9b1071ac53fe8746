"""rig/replies.py: what may come back at all. Every reply that any test reads passes through here, so each one shows
EXT-ESC-1, EXT-ESC-2, EXT-ESC-3, CMD-24 and LSN-4 again."""
import re

# Basic code and the enhanced codes that may stand behind it, as in the program's own table but for what is reserved there;
# tools/check_replies.py compares. None: without one.
CATALOGUE = {
    214: {"2.0.0"},
    220: {None, "2.0.0"},
    221: {"2.0.0"},
    235: {"2.7.0"},
    250: {None, "2.0.0", "2.1.0", "2.1.5", "2.3.6", "2.5.0"},
    252: {"2.5.0", "2.6.8"},
    334: {None},
    354: {None},
    355: {None},
    421: {"4.3.2", "4.4.2", "4.7.0"},
    450: {"4.7.15"},
    451: {"4.3.0", "4.4.1", "4.4.3"},
    452: {"4.3.1", "4.5.3"},
    454: {"4.7.0"},
    500: {"5.5.2", "5.5.6"},
    501: {"5.1.3", "5.1.7", "5.5.2", "5.5.4", "5.7.0"},
    502: {"5.5.1"},
    503: {"5.5.0", "5.5.1"},
    504: {"5.5.4"},
    525: {"5.7.13"},
    530: {"5.7.0"},
    534: {"5.7.9"},
    535: {"5.7.8"},
    538: {"5.7.11"},
    550: {"5.1.8", "5.5.3", "5.6.7", "5.6.8", "5.7.1", "5.7.15", "5.7.27"},
    552: {"5.2.2", "5.3.4", "5.7.16"},
    553: {"5.6.7"},
    554: {"5.1.2", "5.1.8", "5.3.4", "5.4.6", "5.5.0", "5.5.1", "5.6.0", "5.6.3", "5.6.6", "5.6.7", "5.7.0", "5.7.14"},
    555: {"5.5.4"},
    556: {"5.1.10"},
}

LINE = re.compile(rb"(\d{3})([- ])(.*)\r\n", re.DOTALL)
STATUS = re.compile(r"([245])\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2}) ")
LINE_MAX = 512


class BadReply(AssertionError):
    """The server broke the grammar of replies."""


class Reply:
    """One whole reply. lines: the text of each line behind code and enhanced code."""

    def __init__(self, code, status, lines, raw):
        self.code, self.status, self.lines, self.raw = code, status, lines, raw

    @property
    def text(self):
        return "\n".join(self.lines)

    @property
    def brief(self):
        return f"{self.code} {self.status}" if self.status else str(self.code)

    def __repr__(self):
        return " / ".join(line.decode("ascii", "backslashreplace").rstrip("\r\n") for line in self.raw)


def is_last(line):
    """Does this line end its reply?"""
    match = LINE.fullmatch(line)
    if not match:
        raise BadReply(f"not a reply line: {line!r}")
    return match.group(2) == b" "


def parse(raw, hostname):
    """raw: the lines of one reply, each with its CRLF. Checks all that is asked of any reply."""
    codes, statuses, texts = set(), set(), []
    for line in raw:
        match = LINE.fullmatch(line)
        if not match:
            raise BadReply(f"not a reply line: {line!r}")
        if len(line) > LINE_MAX:
            raise BadReply(f"a reply line of {len(line)} octets (CMD-24): {line!r}")
        if not all(32 <= octet <= 126 for octet in match.group(3)):
            raise BadReply(f"an octet that is not printable ASCII: {line!r}")
        text = match.group(3).decode("ascii")
        status = STATUS.match(text + " ")
        codes.add(int(match.group(1)))
        statuses.add(status.group(0).strip() if status else None)
        texts.append(text[status.end():] if status else text)
    if len(codes) != 1 or len(statuses) != 1:
        raise BadReply(f"lines of one reply differ in their code (EXT-ESC-1): {raw!r}")
    reply = Reply(codes.pop(), statuses.pop(), texts, raw)
    judge(reply, hostname)
    return reply


def judge(reply, hostname):
    if reply.code == 521:
        raise BadReply("521 is never sent (LSN-4)")
    if reply.code not in CATALOGUE or reply.status not in CATALOGUE[reply.code]:
        raise BadReply(f"{reply.brief} is not in the catalogue of replies: {reply}")
    if reply.status and reply.status[0] != str(reply.code)[0]:
        raise BadReply(f"code and enhanced code are of different classes (EXT-ESC-1): {reply}")
    if reply.status is None and reply.code < 300 and reply.lines[0].split(" ")[0] != hostname:
        raise BadReply(f"only greeting and EHLO go without an enhanced code (EXT-ESC-1): {reply}")
