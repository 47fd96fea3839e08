# SPDX-License-Identifier: GPL-3.0-or-later
"""From the commit of a quarantine to its enforcement in the kernel, with 100,000 prefixes and 50,000 subscribers' own entries loaded;
beside fail2ban with its nftables action on the same machine in the same run."""
import pathlib
import shutil
import subprocess
import time

from common import PORTEIRO, Timed, compiled, line, median, policy, subscribers, title
from lab import Lab, wait_for

PREFIXES, PEOPLE, SINGLE, BURST, BANS = 100_000, 50_000, 200, 1000, 100


def peak(pid):
    """Megabytes; `ip netns exec` became the program, so the pid is its own."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(row.split()[1]) for row in status if row.startswith("VmHWM")) / 1024


def porteiro(lab, folder):
    program = compiled("quarantine", folder)
    router = lab.host("router", forward=True)
    conf, people, state = (folder / n for n in ("big.conf", "people.csv", "state"))
    conf.write_text(policy(PREFIXES))
    people.write_text(subscribers(PEOPLE))
    state.mkdir()
    imported = Timed(PORTEIRO, "subscriber", "import", people, "--state", state, "-c", conf, netns=router.netns)
    Timed(PORTEIRO, "apply", "-c", conf, "--state", state, netns=router.netns)
    log = open(folder / "log", "w", encoding="utf-8")
    pids = {}
    for duty in ("keeper", "gate"):
        pids[duty] = router.popen(PORTEIRO, "duty", duty, "--state", state, stdout=log, stderr=log).pid
        wait_for(lambda: "event=" in (folder / "log").read_text() and (duty != "keeper" or (state / "keeper.sock").exists()), duty)
    # ready when one quarantine comes through
    router.run(program, state, "one", "1", "1")
    single = [tuple(map(int, row.split())) for row in router.run(program, state, "one", str(SINGLE), "100", timeout=300).stdout.splitlines()]
    verbs, rest = map(int, router.run(program, state, "burst", str(BURST), "10000", timeout=300).stdout.split())
    title(f"a quarantine, with {PREFIXES:,} prefixes and {PEOPLE:,} own entries loaded")
    line(f"import of {PEOPLE:,} subscribers", f"{imported.seconds:.2f} s")
    line(f"from the commit to the kernel, median of {SINGLE}", f"{median([k for _, k in single]) / 1000:.2f} ms "
         f"(99th percentile {sorted(k for _, k in single)[int(SINGLE * .99)] / 1000:.2f} ms)", "under 10 ms")
    line("from the request to the kernel (commit and fsync included), median", f"{median([v + k for v, k in single]) / 1000:.2f} ms")
    for duty, pid in pids.items():
        line(f"peak memory of the {duty}, with all of that", f"{peak(pid):.0f} MB")
    line(f"{BURST} quarantines by ten clients at once, each on disk, until the kernel has all", f"{(verbs + rest) / 1e6:.3f} s", "within 1 s")


def fail2ban(lab, folder):
    if not shutil.which("fail2ban-server"):
        line("fail2ban", "not installed: apt-get install fail2ban")
        return
    router = lab.host("bans")
    conf = folder / "fail2ban"
    shutil.copytree("/etc/fail2ban", conf, symlinks=False)
    for extra in (conf / "jail.d").glob("*"):
        extra.unlink()
    (conf / "jail.local").write_text("[DEFAULT]\nbanaction = nftables\nbackend = polling\n[bench]\nenabled = true\nfilter = sshd\n"
                                     f"port = 25\nlogpath = {folder}/empty.log\n")
    (folder / "empty.log").write_text("")
    client = ["fail2ban-client", "-c", conf, "-s", folder / "f2b.sock", "-p", folder / "f2b.pid"]
    router.popen("fail2ban-server", "-c", conf, "-s", folder / "f2b.sock", "-p", folder / "f2b.pid", "-f", "--logtarget", folder / "f2b.log",
                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: router.run(*client, "ping", check=False).returncode == 0, "fail2ban", 20)

    def banned(address):
        return router.run("nft", "get", "element", "inet", "f2b-table", "addr-set-bench", f"{{ {address} }}", check=False).returncode == 0

    times = []
    for i in range(20):
        start = time.perf_counter()
        router.run(*client, "set", "bench", "banip", f"198.51.100.{i + 1}")
        wait_for(lambda: banned(f"198.51.100.{i + 1}"), "the ban", 20)
        times.append(time.perf_counter() - start)
    start = time.perf_counter()
    router.run(*client, "set", "bench", "banip", *[f"203.0.113.{i + 1}" for i in range(BANS)])
    wait_for(lambda: banned(f"203.0.113.{BANS}"), "the last ban", 60)
    rate = BANS / (time.perf_counter() - start)
    line("fail2ban, from the request to the kernel, median of 20", f"{median(times) * 1000:.0f} ms")
    line(f"fail2ban, {BANS} bans in one request", f"{rate:.0f} a second")


def main():
    with Lab() as lab:
        porteiro(lab, pathlib.Path(lab.dir))
        fail2ban(lab, pathlib.Path(lab.dir))


main()
