"""bench/growth.py: what it costs to grow: a queue of a million messages, more connections, more processes. submitd alone."""
from works import Row, Work, is_submitd

BACKLOG = Work("G", [], None, is_submitd)
GROWTH = Work("H", [], None, is_submitd)
