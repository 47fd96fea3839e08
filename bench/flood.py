# SPDX-License-Identifier: GPL-3.0-or-later
"""A SYN flood from one subscriber to a blocked port, as fast as the lab can send for ten seconds: memory stays bounded, and what the
sightings say plus what was reported lost is what the kernel's counter says."""
import json
import os
import pathlib
import time

from common import PORTEIRO, line, title
from lab import Lab, packets, wait_for

SECONDS = float(os.environ.get("BENCH_FLOOD_SECONDS", "10"))
POLICY = """network "Bench" { domain example.net  timezone UTC }
class home { port25 block }
pool homes { class home  prefix 198.51.100.0/24 }
"""


def rss(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(row.split()[1]) for row in status if row.startswith("VmRSS"))


def children(pid):
    """duty → pid of what `porteiro run` started."""
    found = {}
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            continue
        if parent == pid and b"duty" in words:
            found[words[words.index(b"duty") + 1].decode()] = int(entry.name)
    return found


def main():
    with Lab() as lab:
        folder = pathlib.Path(lab.dir)
        router, home, outside = lab.host("router", forward=True), lab.host("home"), lab.host("outside")
        lab.link(router, home)
        lab.link(router, outside)
        home.ip("addr add 198.51.100.66/24 dev eth0", "route add default via 198.51.100.1")
        router.ip("addr add 198.51.100.1/24 dev home", "addr add 192.0.2.1/24 dev outside")
        outside.ip("addr add 192.0.2.2/24 dev eth0", "route add default via 192.0.2.1")
        conf, state = folder / "flood.conf", folder / "state"
        conf.write_text(POLICY)
        state.mkdir()
        router.run(PORTEIRO, "subscriber", "add", "bot", "--name", "Infected", "--address", "198.51.100.66", "--state", state)
        router.run(PORTEIRO, "apply", "-c", conf, "--state", state)
        log = open(folder / "log", "w", encoding="utf-8")
        runs = router.popen(PORTEIRO, "run", "--state", state, stdout=log, stderr=log)
        wait_for(lambda: len(children(runs.pid)) >= 4, "the four duties", 20)
        duties = children(runs.pid)
        time.sleep(1)
        before = {name: rss(pid) for name, pid in duties.items()}
        sent = packets.flood(home, [packets.syn("198.51.100.66", "192.0.2.2", sport=p) for p in range(1024, 2048)], SECONDS)
        peak = {name: rss(pid) for name, pid in duties.items()}

        def counted():
            rows = json.loads(router.run(PORTEIRO, "counters", "--json").stdout)["counters"]
            return next(r["attempts"] for r in rows if r["who"] == "class-home" and r["strategy"] == "block")

        def told():
            text = router.run(PORTEIRO, "sightings", "--since", "2000-01-01", "--json", "--state", state).stdout
            answer = json.loads(text)
            return sum(s["count"] for s in answer["sightings"]), answer["lost"]

        wait_for(lambda: sum(told()) >= counted(), "the sightings", 150)
        seen, lost = told()
        title(f"a SYN flood from one subscriber to a blocked port for {SECONDS:g} s")
        line("sent", f"{sent:,} SYNs, {sent / SECONDS:,.0f} a second")
        line("the kernel's counter", f"{counted():,}")
        line("sightings + reported lost", f"{seen:,} + {lost:,} = {seen + lost:,}", "equal to the counter")
        for name in sorted(duties):
            line(f"memory of {name}, before and after", f"{before[name] / 1024:.1f} → {peak[name] / 1024:.1f} MB")


main()
