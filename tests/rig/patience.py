"""rig/patience.py: how long a test waits for what has to come. It ends what would hang for ever and decides nothing else: what comes
ends its wait at once, however slow the machine is, so a long wait costs only where a test fails."""
import time

PATIENCE = 120.0


def await_true(condition, what="", wait=PATIENCE, step=0.05):
    """Until the condition gives something that counts as true; that. what: words for a failure, or what makes them."""
    end = time.monotonic() + wait
    while not (found := condition()):
        assert time.monotonic() < end, f"not within {wait:.0f} s: {what() if callable(what) else what}"
        time.sleep(step)
    return found
