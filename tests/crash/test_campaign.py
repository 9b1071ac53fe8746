"""crash/test_campaign.py: the kill campaign as a test: a hundred kills under load."""
import os
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import campaign  # noqa: E402


def test_a_hundred_kills():
    """QUE-1, DATA-13, CMD-29, QUE-12."""
    kills = int(os.environ.get("SUBMITD_KILLS", "100"))
    seed = int(os.environ.get("SUBMITD_SEED", random.SystemRandom().randrange(1 << 32)))
    assert campaign.run(kills, seed), "a promise was broken; the report above says which"
