"""peers/fetch.py: brings the programs of the peers. What conflicts with something installed (Debian has one mail server a
machine) is unpacked into a folder below build-bench/peers instead, once, with the libraries that the machine lacks."""
import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
CACHE = TOP / "build-bench" / "peers"
POLICY = pathlib.Path("/usr/sbin/policy-rc.d")


def say(text):
    print(text, flush=True)


def call(command, **how):
    """What the program said; RuntimeError with the end of it when it failed."""
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False, **how)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]}: exit {done.returncode}:\n" + "\n".join(done.stdout.splitlines()[-20:]))
    return done.stdout


@contextlib.contextmanager
def services_stay_down():
    """Debian's packages start their services unless this file says no."""
    if POLICY.exists() or os.geteuid() != 0:
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def install(packages):
    """Installs what is missing, without starting any service."""
    with services_stay_down():
        said = call(["bash", "-c", '. tools/common.sh; need_packages "$@"', "bash", *packages], cwd=TOP)
    if "installing" in said:
        say(said.strip())


def installed_version(package):
    done = subprocess.run(["dpkg-query", "-W", "-f=${Version}", package], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def providers(name):
    """The installed packages that provide the virtual one."""
    said = call(["dpkg-query", "-W", "-f=${Package}|${db:Status-Status}|${Provides}\n"])
    rows = [line.split("|") for line in said.splitlines()]
    return [package for package, status, provides in rows
            if status == "installed" and name in provides.replace(",", " ").split()]


def closure(package):
    """The package, and the libraries it needs that are not installed."""
    said = call(["apt-get", "install", "--simulate", "--no-install-recommends", package])
    wanted = [line.split()[1] for line in said.splitlines() if line.startswith("Inst ")]
    return [package] + [name for name in wanted if name.startswith("lib")]


def unpack(name, package):
    """The folder where the package lies unpacked as it would lie below /. Its file versions tells what lies there."""
    folder = CACHE / name
    if (folder / "versions").exists():
        return folder
    say(f"{name}: unpacking Debian's {package} into {folder.relative_to(TOP)}")
    CACHE.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        subprocess.run(["apt-get", "update", "-qq"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    fresh = pathlib.Path(tempfile.mkdtemp(prefix=f"{name}-", dir=CACHE))
    try:
        fresh.chmod(0o755)
        call(["apt-get", "download", *closure(package)], cwd=fresh)
        archives = sorted(fresh.glob("*.deb"))
        for archive in archives:
            call(["dpkg-deb", "-x", archive, fresh])
        for path in fresh.rglob("*"):
            if path.is_file() and path.stat().st_mode & 0o6000:
                path.chmod(0o755)  # no set-uid program outside the system's own folders
        versions = [call(["dpkg-deb", "-W", "--showformat=${Package} ${Version}", archive]).strip() for archive in archives]
        for archive in archives:
            archive.unlink()
        (fresh / "versions").write_text("\n".join(versions) + "\n")
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return folder


def unpacked_version(name, package):
    path = CACHE / name / "versions"
    rows = dict(line.split(" ", 1) for line in path.read_text().splitlines()) if path.exists() else {}
    return rows.get(package, "")


def hash_password(password):
    """SHA-512-crypt with its default of 5,000 rounds."""
    done = subprocess.run(["openssl", "passwd", "-6", "-stdin"], input=password + "\n", text=True, capture_output=True, check=True)
    return done.stdout.strip()
