# SPDX-License-Identifier: GPL-3.0-or-later
"""What the gate costs a packet: new connections to port 25 through a router, on one processor, so that the rate is the cost.

Side by side, in alternating runs: no rules, one nft rule, the gate with 100,000 prefixes and 50,000 subscribers' own entries (for a
customer of the wide layer, and for one with an own entry), and the seed's linear iptables rules for 1,000 and 10,000 prefixes.
Kernel time is what /proc/stat counts as system, interrupt and soft interrupt on that processor meanwhile."""
import os
import pathlib

from common import PORTEIRO, Timed, interval, line, median, policy, subscribers, title
from lab import Lab

PREFIXES, PEOPLE = 100_000, 50_000
ROUNDS = int(os.environ.get("BENCH_COST_ROUNDS", "21"))
CONNECTIONS = int(os.environ.get("BENCH_COST_CONNECTIONS", "4000"))
CPU = os.cpu_count() - 1
ONE_RULE = """table inet one { chain c { type filter hook prerouting priority -150; tcp dport 25 counter accept; }; }"""
# customers of the pools `firm` (observe) and `corp` (open), found in the middle of the map; none of them is among the 50,000
WIDE = [f"10.{i}.5.{64 + i}" for i in (7, 8, 10, 11, 13, 14, 16, 17)]


def own(i):
    a = (10 << 24) + i * 7
    return f"{a >> 24}.{a >> 16 & 255}.{a >> 8 & 255}.{a & 255}"


OWN = [own(i) for i in range(1000, 1008)]


class Road:
    """A customer, a router and a server of their own."""

    def __init__(self, lab, name, connect):
        self.client, self.router, self.server = (lab.host(f"{name}-{part}", forward=part == "r") for part in "crs")
        lab.link(self.router, self.client)
        lab.link(self.router, self.server)
        self.client.ip("addr add 10.255.255.2/8 dev eth0", "route add 192.0.2.0/24 via 10.255.255.1")
        self.server.ip("addr add 192.0.2.2/24 dev eth0", "route add default via 192.0.2.1")
        self.router.ip(f"addr add 10.255.255.1/8 dev {self.client.name}", f"addr add 192.0.2.1/24 dev {self.server.name}")
        for address in WIDE + OWN:
            self.client.ip(f"addr add {address}/32 dev eth0")
        self.connect = connect
        self.waiting = self.server.popen("taskset", "-c", str(CPU), connect, "serve", "25", stdout=-1)
        self.waiting.stdout.readline()

    def dial(self, how, sources, count=CONNECTIONS):
        """Microseconds of wall and of kernel time for one connection."""
        before = kernel_ticks()
        seconds = float(self.client.run("taskset", "-c", str(CPU), self.connect, how, "192.0.2.2", "25", str(count), *sources,
                                        timeout=300).stdout)
        ticks = kernel_ticks() - before
        return seconds / count * 1e6, ticks / os.sysconf("SC_CLK_TCK") / count * 1e6


def kernel_ticks():
    with open("/proc/stat", encoding="ascii") as stat:
        for row in stat:
            if row.startswith(f"cpu{CPU} "):
                fields = [int(f) for f in row.split()[1:]]
                return fields[2] + fields[5] + fields[6]
    raise SystemExit("bench: no such processor in /proc/stat")


def linear(router, prefixes):
    """The seed's recipe: a LOG-less DROP rule for each prefix, in turn; none of them is the customer's."""
    rules = "".join(f"-A FORWARD -p tcp -m multiport -s 172.{16 + (i >> 12)}.{i >> 4 & 255}.{(i & 15) << 4}/28 --dports 25,465 -j DROP\n"
                    for i in range(prefixes))
    router.run("iptables-restore", input=f"*filter\n{rules}COMMIT\n")


def build(lab):
    connect = str(pathlib.Path(lab.dir, "connect"))
    here = pathlib.Path(__file__).parent
    if Timed("gcc", "-O2", "-o", connect, here / "connect.c").status:
        raise SystemExit("bench: connect.c does not build")
    names = ("none", "one", "gate", "k1", "k10")
    roads = {name: Road(lab, name, connect) for name in names}
    conf, people, state = (pathlib.Path(lab.dir, n) for n in ("big.conf", "people.csv", "state"))
    conf.write_text(policy(PREFIXES))
    people.write_text(subscribers(PEOPLE))
    state.mkdir()
    roads["one"].router.nft(ONE_RULE)
    gate = roads["gate"].router.netns
    Timed(PORTEIRO, "subscriber", "import", people, "--state", state, "-c", conf, netns=gate)
    Timed(PORTEIRO, "apply", "-c", conf, "--state", state, netns=gate)
    linear(roads["k1"].router, 1000)
    linear(roads["k10"].router, 10000)
    return roads


def compare(roads, how, what):
    runs = {"no rules": ("none", WIDE), "one nft rule": ("one", WIDE), "the gate, a customer of the wide layer": ("gate", WIDE),
            "the gate, a customer with an own entry": ("gate", OWN), "iptables, 1,000 rules": ("k1", WIDE),
            "iptables, 10,000 rules": ("k10", WIDE)}
    wall, kernel = ({name: [] for name in runs} for _ in range(2))
    for round_ in range(ROUNDS + 1):
        for name, (road, sources) in runs.items():
            w, k = roads[road].dial(how, sources, CONNECTIONS // 10 if road == "k10" else CONNECTIONS)
            if round_:  # the first round warms up
                wall[name].append(w)
                kernel[name].append(k)
    title(f"{what}, through a router on one processor; {PREFIXES:,} prefixes, {PEOPLE:,} own entries, {ROUNDS} alternating rounds of {CONNECTIONS}")
    for name in runs:
        line(name, f"{1e6 / median(wall[name]):6.0f}/s, {median(wall[name]):6.1f} µs {against_one(wall, name)}; "
             f"kernel {median(kernel[name]):6.1f} µs {against_one(kernel, name)}")
    line("wanted: the gate at most 3 % above one nft rule", "")


def against_one(values, name):
    """Round by round against the one rule: median of the ratios, and its interval (95 %)."""
    ratios = [a / b for a, b in zip(values[name], values["one nft rule"])]
    low, high = interval(ratios)
    return f"({(median(ratios) - 1) * 100:+.1f} % [{(low - 1) * 100:+.1f}, {(high - 1) * 100:+.1f}])"


def main():
    with Lab() as lab:
        roads = build(lab)
        compare(roads, "talk", "SMTP connections (greeting, QUIT, end)")
        compare(roads, "bare", "bare connections (four packets)")


main()
