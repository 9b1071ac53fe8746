"""crash/judgement.py: compares what clients were told with what arrived. Pure: lists in, a verdict out."""
import collections
import dataclasses

from load import ACKNOWLEDGED, REFUSED, UNKNOWN, UNSENT

# Whose death may make a delivery happen twice. A carrier that lives tells a new queue again what it has done; so the queue's own
# death is the last that is thought of, and allows none.
CARRYING, REMEMBERING = {"relay", "maildrop", "all", "supervisor"}, {"queue"}
SLACK = 10.0        # seconds between a kill and the arrival of what was on its way to a busy sink


@dataclasses.dataclass
class Kill:
    time: float
    victim: str    # "gate.1", "all", "supervisor"
    call: str = "" # "fdatasync 3": at which system call

    @property
    def kind(self):
        return self.victim.partition(".")[0]


@dataclasses.dataclass
class Verdict:
    """Lists of descriptions; the first eight have to be empty."""
    lost: list
    corrupted: list
    refused_delivered: list
    unsent_delivered: list
    foreign: list            # arrived, but nobody sent it
    above_bound: list        # more duplicates than a kill may cause
    untold: list             # a delivery of which the sender asked to be told, and was not
    overtold: list           # more notices about a recipient than deliveries
    unknown_delivered: int
    queued: int              # acknowledged and still in the queue
    twice: int               # messages that somebody got more than once
    twice_by_kill: dict      # index of the kill to how many messages

    @property
    def faults(self):
        names = ("lost", "corrupted", "refused_delivered", "unsent_delivered", "foreign", "above_bound", "untold", "overtold")
        return {name: entries for name in names if (entries := getattr(self, name))}


def is_same(attempt, entry):
    return entry["digest"] == attempt.digest and entry["octets"] == attempt.octets and not entry.get("kept")


def find_kill(kills, first, second):
    """The index of the kill that explains a second delivery; None: none does."""
    for kinds, slack in ((CARRYING, 0), (CARRYING, SLACK), (REMEMBERING, SLACK)):
        for at, kill in enumerate(kills):
            if first - slack <= kill.time <= second and kill.kind in kinds:
                return at
    return None


def count_twice(arrivals, kills):
    """Messages that were delivered again, by the kill that they are put down to. None: by no kill."""
    marks = collections.defaultdict(set)
    for entries in arrivals.values():
        entries = sorted(entries, key=lambda entry: entry["time"])
        for first, second in zip(entries, entries[1:]):
            marks[find_kill(kills, first["time"], second["time"])].add(first["mark"])
    return {at: len(found) for at, found in marks.items()}


def bound(kill, jobs):
    """What may be delivered twice: jobs in hand. A job is in hand until its outcome is synced, however long the disk takes."""
    return 0 if kill.kind in REMEMBERING else jobs


def judge_notices(verdict, attempts, arrivals, notices):
    """notices: the ids of those that name a recipient. A copy that replaces the one before does not show how often it came."""
    for attempt in attempts:
        for recipient in attempt.recipients:
            copies, told = arrivals.get(recipient, []), len(notices.get(recipient, ()))
            if attempt.wishes and copies and not told:
                verdict.untold.append(f"{attempt}: of {recipient}")
            if told > (len(copies) if attempt.wishes else 0) and not any(entry.get("replaces") for entry in copies):
                verdict.overtold.append(f"{attempt}: of {recipient} {told} times, delivered {len(copies)} times")


def judge(attempts, taken, queued, kills, jobs):
    """attempts: what clients were told. taken: the sink's entries. queued: ids of the messages that are in the queue. jobs: how
    many the queue gives out at once."""
    by_mark = {attempt.mark: attempt for attempt in attempts}
    verdict = Verdict([], [], [], [], [], [], [], [], 0, 0, 0, {})
    arrivals, notices, copies = collections.defaultdict(list), collections.defaultdict(set), collections.defaultdict(list)

    for entry in taken:
        if "notice" in entry:
            copies[entry["notice"]].append({**entry, "mark": entry["notice"]})
            for recipient in entry["recipients"]:
                notices[recipient].add(entry["notice"])
            continue
        attempt = by_mark.get(entry["mark"])
        if not attempt or not set(entry["recipients"]) <= set(attempt.recipients):
            verdict.foreign.append(f"{entry}")
            continue
        if not is_same(attempt, entry):
            verdict.corrupted.append(f"{attempt} arrived as {entry}")
        for recipient in entry["recipients"]:
            arrivals[recipient].append(entry)

    for attempt in attempts:
        missing = [recipient for recipient in attempt.recipients if recipient not in arrivals]
        has_arrived = len(missing) < len(attempt.recipients)
        if attempt.state == ACKNOWLEDGED and attempt.identity in queued:
            verdict.queued += 1
        elif attempt.state == ACKNOWLEDGED and missing:
            verdict.lost.append(f"{attempt}: not at {missing}")
        elif attempt.state == REFUSED and has_arrived:
            verdict.refused_delivered.append(f"{attempt}")
        elif attempt.state == UNSENT and has_arrived:
            verdict.unsent_delivered.append(f"{attempt}")
        verdict.unknown_delivered += attempt.state == UNKNOWN and has_arrived

    if not queued:
        judge_notices(verdict, attempts, arrivals, notices)
    verdict.twice_by_kill = count_twice({**arrivals, **copies}, kills)
    verdict.twice = len({entry["mark"] for entries in arrivals.values() if len(entries) > 1 for entry in entries})
    for at, count in verdict.twice_by_kill.items():
        most = 0 if at is None else bound(kills[at], jobs)
        if count > most:
            verdict.above_bound.append(f"{count} twice by {'no kill' if at is None else kills[at]}, allowed: {most}")
    return verdict
