# SPDX-License-Identifier: GPL-3.0-or-later
"""Import of leases: ten million from CSV and from Kea's file, and the memory that a detail file of 5 GB takes.

LEASES and GIGABYTES make it smaller. The files are made by bench/leases.c, in a folder that goes away (TMPDIR says where)."""
import os
import pathlib
import subprocess
import tempfile
import time

from common import PORTEIRO, ROOT, line, title

LEASES = int(os.environ.get("LEASES", "10000000"))
GIGABYTES = float(os.environ.get("GIGABYTES", "5"))
SUBSCRIBERS = 50000
BYTES_A_LEASE = 1225  # of a detail file, two records


def made(folder, kind, leases):
    path = folder / f"leases.{kind}"
    with open(path, "wb") as out:
        subprocess.run([folder / "generate", kind, str(leases), str(SUBSCRIBERS)], stdout=out, check=True)
    return path


def own_memory(pid):
    """Of the process itself, in KiB: pages of the new segments, which it maps to check them, are the system's to take back."""
    try:
        for each in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if each.startswith("RssAnon:"):
                return int(each.split()[1])
    except OSError:
        pass
    return 0


def measure(folder, kind, leases, wanted):
    path, state, peak = made(folder, kind, leases), folder / f"state-{kind}", 0
    size, before = path.stat().st_size, time.perf_counter()
    process = subprocess.Popen([PORTEIRO, "lease", "import", path, "--state", state], stdout=subprocess.DEVNULL)
    while True:
        pid, status, used = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        peak = max(peak, own_memory(process.pid))
        time.sleep(0.05)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - before
    if process.returncode:
        raise SystemExit(f"bench: lease import: exit {process.returncode}")
    line(f"{leases:,} leases from {kind} ({size / 1e9:.1f} GB): wall, user and system",
         f"{seconds:.1f} s, {used.ru_utime:.1f} s, {used.ru_stime:.1f} s", wanted)
    line("    that is", f"{size / seconds / 1e6:.0f} MB/s, {leases / seconds:,.0f} leases/s")
    line("    peak memory: its own, and with mapped files", f"{peak / 1024:.0f} MiB, {used.ru_maxrss / 1024:.0f} MiB")
    path.unlink()


with tempfile.TemporaryDirectory(prefix="porteiro-import-") as name:
    folder = pathlib.Path(name)
    subprocess.run(["gcc", "-O2", "-o", folder / "generate", ROOT / "bench/leases.c"], check=True)
    title("Import of leases, into an empty ledger")
    measure(folder, "csv", LEASES, "under 60 s")
    measure(folder, "kea4", LEASES, "under 60 s")
    measure(folder, "detail", int(GIGABYTES * 1e9 / BYTES_A_LEASE), None)
