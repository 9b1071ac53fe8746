"""e2e/npm.py: packages from npm that tests run, installed below the build folders as their lock files say."""
import shutil
import subprocess

import pytest


def install_package(package, place, files):
    """The files of the folder `package` into `place`, with what they need, once for each version."""
    if not shutil.which("npm"):
        pytest.fail("npm is not installed; ./check e2e installs it")
    mark, wanted = place / "installed", "".join((package / name).read_text() for name in files)
    if mark.exists() and mark.read_text() == wanted:
        return
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for name in files:
        shutil.copy(package / name, place / name)
    done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=place, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    assert done.returncode == 0, f"npm ci: exit {done.returncode}:\n{done.stdout[-2000:]}"
    mark.write_text(wanted)
