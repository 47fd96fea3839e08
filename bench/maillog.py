# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail logs: `maillog report` beside wc, grep with the seed's ten patterns, and pflogsumm where it is installed.

SIZES (MB, parted by blanks) makes it smaller. The logs are made by bench/maillog.c, in a folder that goes away (TMPDIR says where)."""
import os
import pathlib
import shutil
import subprocess
import tempfile

from common import PORTEIRO, ROOT, ROUNDS, Timed, line, median, title

SIZES = [int(size) for size in os.environ.get("SIZES", "1000 2000 5000").split()]
PATTERNS = ("User unknown in local recipient table|Sender address rejected: message rate|Sender address rejected: Domain not|not logged in|"
            "not owned|Sender address rejected:|Relay access denied|blocked using|Helo command rejected|Client host rejected")


def measure(what, size, *argv, rounds=ROUNDS):
    runs = [Timed(*argv, check=False) for _ in range(rounds)]
    seconds = median([run.seconds for run in runs])
    line(what, f"{seconds:6.2f} s, {size / seconds / 1e9:.3f} GB/s, {max(run.peak for run in runs) / 1024:.0f} MiB")
    return seconds


with tempfile.TemporaryDirectory(prefix="porteiro-maillog-") as name:
    folder = pathlib.Path(name)
    subprocess.run(["gcc", "-O2", "-o", folder / "generate", ROOT / "bench/maillog.c"], check=True)
    for megabytes in SIZES:
        path = folder / "log"
        with open(path, "wb") as out:
            subprocess.run([folder / "generate", str(megabytes * 1000000)], stdout=out, stderr=subprocess.DEVNULL, check=True)
        size = path.stat().st_size
        title(f"A log of {size / 1e9:.1f} GB, in the page cache")
        measure("wc -l", size, "wc", "-l", path)
        # grep stops at the first match where its output is /dev/null
        measure("grep -cE, ten patterns, LC_ALL=C", size, "sh", "-c", 'LC_ALL=C grep -cE "$1" "$2" | cat', "sh", PATTERNS, path)
        ours = measure("porteiro maillog report: joins, categories, all tables", size, PORTEIRO, "maillog", "report", "--zone", "UTC", path)
        if megabytes == SIZES[0] and shutil.which("pflogsumm"):
            theirs = measure("pflogsumm", size, "pflogsumm", path, rounds=1)
            line("    that is", f"{theirs / ours:.0f} times as long", "40")
