"""clocks/clock.py: the wall clock of a server, moved while it runs. See shim.c."""
import mmap
import pathlib
import struct
import tempfile
import time

from rig.inject import shim

DAY, YEAR = 86400, 365 * 86400


class Clock:
    """One for each server; begins with the true time."""

    def __init__(self):
        self.file = tempfile.NamedTemporaryFile(prefix="submitd-clock-")
        self.file.write(bytes(mmap.PAGESIZE))
        self.file.flush()
        pathlib.Path(self.file.name).chmod(0o644)
        self.page = mmap.mmap(self.file.fileno(), mmap.PAGESIZE)
        self.shift = 0

    @property
    def environment(self):
        return {"LD_PRELOAD": str(shim("clocks/shim.c")), "SUBMITD_TEST_CLOCK": self.file.name}

    def now(self):
        return time.time() + self.shift

    def jump(self, seconds):
        """None: to the first day of all."""
        self.shift += int(seconds if seconds is not None else 3600 - self.now())
        self.page[:8] = struct.pack("<q", self.shift)

    def stop(self):
        self.page.close()
        self.file.close()
