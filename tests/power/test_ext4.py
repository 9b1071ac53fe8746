"""power/test_ext4.py: the cross-check on ext4 as a test."""
import os
import pathlib
import random
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import ext4  # noqa: E402


def test_copies_of_a_disk_in_use():
    """QUE-1, DATA-13, CMD-29: what had a 250 is in the copy, what was refused is not."""
    seed = int(os.environ.get("SUBMITD_SEED", random.SystemRandom().randrange(1 << 32)))
    try:
        is_good = ext4.check(int(os.environ.get("SUBMITD_COPIES", "3")), seed)
    except ext4.Unable as reason:
        pytest.skip(str(reason))
    assert is_good, "a promise was broken; the report above says which"
