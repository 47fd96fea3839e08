# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail logs: `maillog report` beside a bare scan with Vectorscan, wc, grep, ripgrep, and those programs that are installed of pflogsumm, mailgraph,
fail2ban-regex, and a cascade in Perl; `maillog find`; `maillog follow` at the pace of an ISP and at full speed.

SIZES (MB, parted by blanks) makes it smaller. The logs are made by bench/maillog.c, in a folder that goes away (TMPDIR says where). Who is slow
reads SLOW_MB of the same log; speeds are per byte."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

from common import PORTEIRO, ROOT, ROUNDS, Timed, line, median, title

SIZES = [int(size) for size in os.environ.get("SIZES", "1000 2000 5000").split()]
SLOW_MB = 100
SECONDS = 20
TEN = ("User unknown in local recipient table", "Sender address rejected: message rate", "Sender address rejected: Domain not", "not logged in",
       "not owned", "Sender address rejected:", "Relay access denied", "blocked using", "Helo command rejected", "Client host rejected")
PATTERNS = "|".join(TEN)


def measure(what, size, *argv, rounds=ROUNDS):
    runs = [Timed(*argv, check=False) for _ in range(rounds)]
    seconds = median([run.seconds for run in runs])
    line(what, f"{seconds:6.2f} s, {size / seconds / 1e9:.3f} GB/s, {max(run.peak for run in runs) / 1024:.0f} MiB")
    return seconds / size


def shell(command, *words):
    """A peer whose answer is read, so that it may not stop at the first match."""
    return ("sh", "-c", command + " | cat", "sh", *words)


def report(path, *more):
    return (PORTEIRO, "maillog", "report", "--zone", "UTC", *more, path)


def fast_peers(folder, path, size):
    measure("wc -l", size, "wc", "-l", path)
    measure("Vectorscan alone, ten patterns, one thread", size, folder / "scan", path, *TEN)
    measure("grep -cE, ten patterns, LC_ALL=C", size, *shell('LC_ALL=C grep -cE "$1" "$2"', PATTERNS, path))
    if shutil.which("rg"):
        measure("ripgrep -c, ten patterns", size, *shell('rg -c "$1" "$2"', PATTERNS, path))


def slow_peers(folder, path, ours):
    """What they have in common: they read the log once. Not all count as much."""
    part = folder / "part"
    with open(part, "wb") as out:  # a child begins with the memory of who starts it: this one stays small
        subprocess.run(["head", "-c", str(SLOW_MB * 1000000), path], stdout=out, check=True)
    size = part.stat().st_size
    title(f"{SLOW_MB} MB of it, by programs of the field")
    peers = [("pflogsumm", "pflogsumm", ["pflogsumm", part]),
             ("perl", "a cascade in Perl: refusals alone", ["sh", "-c", 'perl "$1" < "$2"', "sh", ROOT / "bench/cascade.pl", part]),
             ("mailgraph", "mailgraph (--cat, with its RRDs)", ["mailgraph", "-c", "-l", part, "--daemon-rrd=" + str(folder), "-y", "2026"]),
             ("fail2ban-regex", "fail2ban-regex, filter postfix", ["fail2ban-regex", part, "/etc/fail2ban/filter.d/postfix.conf"])]
    for program, what, argv in peers:
        if not shutil.which(program):
            line(what, "not installed")
            continue
        theirs = measure(what, size, *argv, rounds=1)
        line("    as long as maillog report for each byte", f"{theirs / ours:.0f} times", "40" if program == "pflogsumm" else "")


def find(folder, path, size):
    with open(path, "rb") as log:
        log.seek(size // 2)
        key = re.search(rb"\]: (\w{10,}): client=", log.read(100000)).group(1).decode()
    measure("grep -c of a queue id, LC_ALL=C", size, *shell('LC_ALL=C grep -c "$1" "$2"', key, path))
    state = folder / f"state-{size}"
    for what in (key, "user5@example.org"):
        measure(f"porteiro maillog find {what}, no index", size, PORTEIRO, "maillog", "find", what, path, "--zone", "UTC", "--state", folder / "none")
    measure("porteiro maillog index", size, PORTEIRO, "maillog", "index", path, "--zone", "UTC", "--state", state, rounds=1)
    for what in (key, "user5@example.org"):
        measure(f"porteiro maillog find {what}, by the index", size, PORTEIRO, "maillog", "find", what, path, "--zone", "UTC", "--state", state)


def follow(folder, path, pace):
    """The processor that `maillog follow` uses while so many lines a second are appended."""
    growing = folder / "growing"
    with open(path, "rb") as source, open(growing, "wb", buffering=0) as out:
        answer = open(folder / "answer", "w+b")
        child = subprocess.Popen([PORTEIRO, "maillog", "follow", growing, "--zone", "UTC", "--every", "1s"], stdout=answer)
        time.sleep(1)
        chunk = max(1, pace // 100)
        started, written = time.perf_counter(), 0
        while time.perf_counter() - started < SECONDS:
            some = [text for text in (source.readline() for _ in range(chunk)) if text]
            out.write(b"".join(some))
            written += len(some)
            time.sleep(max(0, started + written / pace - time.perf_counter()))
        spent = time.perf_counter() - started
        time.sleep(1.5)
        child.send_signal(signal.SIGINT)
        _, _, used = os.wait4(child.pid, 0)
        answer.seek(0)
        read = sum(int(n) for n in re.findall(rb"  (\d+) lines", answer.read()))
    cpu = 100 * (used.ru_utime + used.ru_stime) / spent
    line(f"porteiro maillog follow, {written / spent:,.0f} lines/s for {spent:.0f} s", f"{cpu:.2f} % of a core, {read} of {written} lines read, "
         f"{used.ru_maxrss / 1024:.0f} MiB", "2 %" if pace == 231 else "all read")


with tempfile.TemporaryDirectory(prefix="porteiro-maillog-") as name:
    folder = pathlib.Path(name)
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "libhs"], capture_output=True, text=True, check=True).stdout.split()
    subprocess.run(["gcc", "-O2", "-o", folder / "generate", ROOT / "bench/maillog.c"], check=True)
    subprocess.run(["gcc", "-O2", "-o", folder / "scan", ROOT / "bench/scan.c", *flags], check=True)
    for megabytes in SIZES:
        path = folder / "log"
        with open(path, "wb") as out:
            made = subprocess.run([folder / "generate", str(megabytes * 1000000), "rfc3339"], stdout=out, stderr=subprocess.PIPE, check=True)
        size = path.stat().st_size
        lines = int(re.search(rb'"lines": (\d+)', made.stderr).group(1))
        title(f"A log of {size / 1e9:.1f} GB, {lines / 1e6:.1f} million lines, in the page cache")
        fast_peers(folder, path, size)
        ours = measure("porteiro maillog report: joins, rules, limits, all tables", size, *report(path))
        line("    lines a second", f"{1 / ours / size * lines / 1e6:.1f} million")
        if megabytes == SIZES[0]:
            measure("    the same on one processor", size, "taskset", "-c", "0", *report(path))
            slow_peers(folder, path, ours)
            title("One message")
            find(folder, path, size)
            title("Following")
            for pace in (231, 200000):
                follow(folder, path, pace)
