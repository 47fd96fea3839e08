# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail logs: `maillog report` beside wc, grep with the seed's ten patterns, and pflogsumm where it is installed; `maillog find` of one
message and of an address with many, by reading all and by an index, beside grep for the same text.

SIZES (MB, parted by blanks) makes it smaller. The logs are made by bench/maillog.c, in a folder that goes away (TMPDIR says where)."""
import os
import pathlib
import re
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
        with open(path, "rb") as log:
            log.seek(size // 2)
            key = re.search(rb"\]: (\w{10,}): client=", log.read(100000)).group(1).decode()
        measure("grep -c of a queue id, LC_ALL=C", size, "sh", "-c", 'LC_ALL=C grep -c "$1" "$2" | cat', "sh", key, path)
        state = folder / f"state-{megabytes}"
        for what in (key, "user5@example.org"):
            measure(f"porteiro maillog find {what}, no index", size, PORTEIRO, "maillog", "find", what, path, "--zone", "UTC", "--state", folder / "none")
        measure("porteiro maillog index", size, PORTEIRO, "maillog", "index", path, "--zone", "UTC", "--state", state, rounds=1)
        for what in (key, "user5@example.org"):
            measure(f"porteiro maillog find {what}, by the index", size, PORTEIRO, "maillog", "find", what, path, "--zone", "UTC", "--state", state)
        if megabytes == SIZES[0] and shutil.which("pflogsumm"):
            theirs = measure("pflogsumm", size, "pflogsumm", path, rounds=1)
            line("    that is", f"{theirs / ours:.0f} times as long", "40")
