"""peers/overlay.py: a program that sees some files of the machine replaced by ours, in a mount namespace of its own; for what a
server reads from a place that no setting changes. Needs root."""

SCRIPT = 'while [ "$1" != -- ]; do mount --bind "$1" "$2" && shift 2 || exit; done; shift; exec "$@"'


def overlaid(files, command):
    """The command, for which each file (key: its path on the machine, which exists) is the one that the value names."""
    pairs = [word for path, ours in files.items() for word in (ours, path)]
    return ["unshare", "--mount", "sh", "-c", SCRIPT, "sh", *pairs, "--", *command]
