# SPDX-License-Identifier: GPL-3.0-or-later
"""Import of leases: ten million from CSV and from Kea's file, and the memory that a detail file of 5 GB takes.

LEASES and GIGABYTES make it smaller. The files are made by bench/leases.c, in a folder that goes away (TMPDIR says where)."""
import os
import pathlib
import subprocess
import tempfile

from common import PORTEIRO, ROOT, Timed, line, title

LEASES = int(os.environ.get("LEASES", "10000000"))
GIGABYTES = float(os.environ.get("GIGABYTES", "5"))
SUBSCRIBERS = 50000
BYTES_A_LEASE = 1225  # of a detail file, two records


def made(folder, kind, leases):
    path = folder / f"leases.{kind}"
    with open(path, "wb") as out:
        subprocess.run([folder / "generate", kind, str(leases), str(SUBSCRIBERS)], stdout=out, check=True)
    return path


def measure(folder, kind, leases, wanted):
    path, state = made(folder, kind, leases), folder / f"state-{kind}"
    size = path.stat().st_size
    timed = Timed(PORTEIRO, "lease", "import", path, "--state", state)
    line(f"{leases:,} leases from {kind} ({size / 1e9:.1f} GB): wall, user and system",
         f"{timed.seconds:.1f} s, {timed.user:.1f} s, {timed.system:.1f} s", wanted)
    line("    that is", f"{size / timed.seconds / 1e6:.0f} MB/s, {leases / timed.seconds:,.0f} leases/s")
    line("    peak resident memory", f"{timed.peak / 1024:.0f} MiB")
    path.unlink()


with tempfile.TemporaryDirectory(prefix="porteiro-import-") as name:
    folder = pathlib.Path(name)
    subprocess.run(["gcc", "-O2", "-o", folder / "generate", ROOT / "bench/leases.c"], check=True)
    title("Import of leases, into an empty ledger")
    measure(folder, "csv", LEASES, "under 60 s")
    measure(folder, "kea4", LEASES, "under 60 s")
    measure(folder, "detail", int(GIGABYTES * 1e9 / BYTES_A_LEASE), None)
