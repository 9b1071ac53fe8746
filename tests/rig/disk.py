"""rig/disk.py: a small file system of its own for a folder, which a test fills, makes read-only and gives back. Needs root."""
import errno
import os
import pathlib
import subprocess
import time

import pytest

from rig.patience import PATIENCE

def run(*words):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)


def mount(*words):
    done = run("mount", *words)
    if done.returncode != 0:
        pytest.skip(f"no file system may be mounted here: {done.stderr.strip()}")


class SmallDisk:
    """kind: "tmpfs", or "ext4" in a file beside the folder. size: as mount takes it ("160m"). files: inodes; None: as comes."""

    def __init__(self, folder, size, kind="tmpfs", files=None):
        if os.geteuid() != 0:
            pytest.skip("only root may mount a small disk")
        self.folder, self.kind, self.image = folder, kind, folder.parent / f"{folder.name}.ext4"
        if kind == "tmpfs":
            mount("-t", "tmpfs", "-o", f"size={size},mode=0755" + (f",nr_inodes={files}" if files else ""), "tmpfs", folder)
        else:
            self.make_ext4(size, files)

    def make_ext4(self, size, files):
        done = run("mkfs.ext4", "-q", "-m", "0", "-E", "root_owner=0:0", *(["-N", files] if files else []), self.image, size)
        if done.returncode != 0:
            pytest.skip(f"no ext4 can be made here: {done.stderr.strip()}")
        mount("-t", "ext4", "-o", "loop,errors=remount-ro", self.image, self.folder)
        self.folder.chmod(0o755)

    def free(self):
        about = os.statvfs(self.folder)
        return about.f_bavail * about.f_frsize

    def free_files(self):
        return os.statvfs(self.folder).f_favail

    def fill(self, leave=0):
        """Ballast until so many octets are left; 0: to the last block."""
        with open(self.folder / "ballast", "ab", buffering=0) as file:
            step = 1 << 20
            while step >= 512:
                if leave and self.free() - step < leave:
                    step //= 2
                    continue
                try:
                    file.write(bytes(step))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    step //= 2

    def fill_files(self, leave=0):
        """Empty files until so many inodes are left; 0: to the last one."""
        place = self.folder / "many"
        place.mkdir(exist_ok=True)
        number = 0
        while not leave or self.free_files() > leave:
            try:
                (place / f"{time.monotonic_ns()}-{number}").touch()
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                return
            number += 1

    def empty(self):
        (self.folder / "ballast").unlink(missing_ok=True)
        place = self.folder / "many"
        if place.exists():
            for path in place.iterdir():
                path.unlink()
            place.rmdir()

    def break_down(self):
        """The kernel itself makes an ext4 read-only, as after an error. (mount refuses to while files are open for writing.)"""
        device = pathlib.Path(run("findmnt", "-no", "SOURCE", self.folder).stdout.strip()).name
        trigger = pathlib.Path(f"/sys/fs/ext4/{device}/trigger_fs_error")
        try:
            trigger.write_text("1")
        except OSError as error:
            pytest.skip(f"the file system cannot be broken here: {error}")

    def repair(self):
        """Nobody may use it any more."""
        end = time.monotonic() + PATIENCE
        while run("umount", self.folder).returncode != 0:
            assert time.monotonic() < end, "the disk is still in use"
            time.sleep(0.1)
        done = run("e2fsck", "-fy", self.image)
        assert done.returncode < 4, done.stdout + done.stderr
        mount("-t", "ext4", "-o", "loop,errors=remount-ro", self.image, self.folder)

    def stop(self):
        run("umount", "-l", self.folder)
        self.image.unlink(missing_ok=True)
