# SPDX-License-Identifier: GPL-3.0-or-later
"""Network namespaces by name: enter one, see who lives in it, remove what dead labs left.

A lab's namespaces are called po<pid>.<n>-<host>, where pid is the process that owns the lab; its files live in
/run/porteiro-lab/po<pid>.<n>/, with the owner's start time in `owner`, so that a reused pid is not taken for the owner.
Labs of several processes come and go at once, and each sweeps when it begins: what vanishes meanwhile is no error.
Entering changes the calling thread only: a socket made inside stays there, a child started inside lives there.
"""
import contextlib
import ctypes
import os
import re
import shutil
import signal
import subprocess
import time

RUN = "/run/netns"
STATE = "/run/porteiro-lab"
NAME = re.compile(r"(po(\d+)\.\d+)-(.+)")
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def inside(name):
    """The calling thread stands in namespace `name` for the length of the block."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    there = os.open(f"{RUN}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _setns(there)
        yield
    finally:
        _setns(before)
        os.close(there)
        os.close(before)


def _setns(fd):
    if _libc.setns(fd, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def batch(lines, *where):
    """Run many `ip` commands in one process, with the options `where`; the first that fails ends it."""
    done = subprocess.run(["ip", *where, "-batch", "-"], input="\n".join(lines) + "\n", text=True, capture_output=True)
    if done.returncode != 0:
        raise OSError(f"ip {' '.join(where)}: {done.stderr.strip()} in: {'; '.join(lines)}")


def start_time(pid):
    """When the process began, in the kernel's ticks; None when there is no such process, or only its zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            fields = stat.read().rpartition(")")[2].split()
    except OSError:
        return None
    return fields[19] if fields[0] != "Z" else None


def labs():
    """Every lab on this machine: {prefix: [namespace, ...]}, also those of which only files are left."""
    found = {}
    for prefix in os.listdir(STATE) if os.path.isdir(STATE) else []:
        found[prefix] = []
    for name in sorted(os.listdir(RUN)) if os.path.isdir(RUN) else []:
        match = NAME.fullmatch(name)
        if match:
            found.setdefault(match[1], []).append(name)
    return found


def alive(prefix):
    """Does the process that owns this lab still run? One that has not yet written its start time is just beginning."""
    now = start_time(NAME.fullmatch(prefix + "-any")[2])
    with contextlib.suppress(FileNotFoundError), open(f"{STATE}/{prefix}/owner", encoding="ascii") as owner:
        return now is not None and owner.read() in (now, "")
    return now is not None


def residents(names):
    """The processes that live in these namespaces, without ourselves."""
    inodes, found = set(), []
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            inodes.add(os.stat(f"{RUN}/{name}").st_ino)
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if int(pid) != os.getpid() and os.stat(f"/proc/{pid}/ns/net").st_ino in inodes:
                found.append(int(pid))
    return found


def remove(prefix, names):
    """End what still runs in the namespaces, remove them and the lab's files."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + 2
        for pid in residents(names):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        while residents(names) and time.monotonic() < deadline:
            time.sleep(0.01)
    for name in names:
        with contextlib.suppress(OSError):
            batch([f"netns del {name}"])
    shutil.rmtree(f"{STATE}/{prefix}", ignore_errors=True)


def sweep():
    """Remove every lab whose owner is dead; returns their prefixes."""
    gone = [prefix for prefix in labs() if not alive(prefix)]
    for prefix in gone:
        remove(prefix, labs().get(prefix, []))
    return gone
