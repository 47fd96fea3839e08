# SPDX-License-Identifier: GPL-3.0-or-later
"""What the benches share: policies and subscribers of a size, timing of whole programs, medians with an interval."""
import os
import pathlib
import random
import re
import resource
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
PORTEIRO = str(ROOT / os.environ.get("PORTEIRO_BUILD", "build") / "porteiro")
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))

HEAD = """network "Bench" { domain example.net  timezone UTC }
server mx {{ address 203.0.113.25, 2001:db8:b01a:70da::25 }}
""".replace("{{", "{").replace("}}", "}")
CLASSES = "class home { port25 %s }\nclass firm { port25 observe }\nclass corp { port25 open }\n"


def policy(prefixes, home="block"):
    """A policy of so many prefixes, both families, three classes, never two neighbours alike: nothing can be joined."""
    out = [HEAD, CLASSES % home]
    names = ("home", "firm", "corp")
    lists = {name: [] for name in names}
    half = prefixes // 2
    for i in range(half):
        a = (10 << 24) + i * 64 if i * 64 < 1 << 24 else (100 << 24) + (i * 64 - (1 << 24))
        lists[names[i % 3]].append(f"{a >> 24}.{a >> 16 & 255}.{a >> 8 & 255}.{a & 255}/26")
    for i in range(prefixes - half):
        lists[names[i % 3]].append(f"2001:db8:{i >> 8:x}:{(i & 255) << 8:x}::/56 delegated 56")
    for name in names:
        out.append(f"pool p{name} {{ class {name}  prefix " + ",\n  ".join(lists[name]) + " }\n")
    return "".join(out)


def subscribers(count):
    """CSV of subscribers that each differ from their pool: an own strategy, an IPv4 address and a /56."""
    rows = ["id,name,class,port25,language,email,phone,post,never_cut,lines,addresses"]
    for i in range(count):
        a = (10 << 24) + i * 7
        rows.append(f"s{i},Customer {i},,observe,en,,,,no,user:u{i}@example.net,"
                    f"{a >> 24}.{a >> 16 & 255}.{a >> 8 & 255}.{a & 255} 2001:db8:{i >> 8:x}:{(i & 255) << 8:x}::/56")
    return "\n".join(rows) + "\n"


class Timed:
    """One run of a program: seconds of wall, user and system, peak resident memory of it and of its largest child (KiB)."""

    def __init__(self, *argv, netns=None, check=True):
        command = (["ip", "netns", "exec", netns] if netns else []) + [str(a) for a in argv]
        before = time.perf_counter()
        pid = os.posix_spawnp(command[0], command, os.environ, file_actions=[
            (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0), (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0)])
        _, status, used = os.wait4(pid, 0)
        self.seconds = time.perf_counter() - before
        self.user, self.system, self.peak = used.ru_utime, used.ru_stime, used.ru_maxrss
        self.status = os.waitstatus_to_exitcode(status)
        if check and self.status != 0:
            again = subprocess.run(command, capture_output=True, text=True)
            raise SystemExit(f"bench: {' '.join(command)}: exit {self.status}\n{again.stderr[-2000:]}")


def compiled(name, folder):
    """bench/NAME.c as a program, linked as the Makefile links ours."""
    libraries = re.search(r"^LIBRARIES := (.*)$", (ROOT / "Makefile").read_text(), re.M)[1].split()
    flags = subprocess.run(["pkg-config", "--libs", *libraries], capture_output=True, text=True, check=True).stdout.split()
    archive = ROOT / os.environ.get("PORTEIRO_BUILD", "build") / "libporteiro.a"
    subprocess.run(["gcc", "-std=gnu17", "-D_GNU_SOURCE", f"-I{ROOT}/src", "-O2", "-o", folder / name, ROOT / f"bench/{name}.c", archive,
                    *flags, "-lm"], check=True)
    return folder / name


def median(values):
    return statistics.median(values)


def interval(values, tries=4000, level=0.95):
    """Bootstrap interval of the median."""
    pick = random.Random(1)
    medians = sorted(statistics.median(pick.choices(values, k=len(values))) for _ in range(tries))
    cut = int(tries * (1 - level) / 2)
    return medians[cut], medians[-1 - cut]


def line(what, value, limit=None):
    print(f"  {what:<74} {value}" + (f"   (wanted: {limit})" if limit else ""), flush=True)


def title(text):
    print(f"\n{text}", flush=True)
