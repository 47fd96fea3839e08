# SPDX-License-Identifier: GPL-3.0-or-later
"""RADIUS accounting, each report answered when it is on disk; and from a reconnection's Start to the kernel's sets, with 100,000
prefixes and 50,000 subscribers' own entries loaded."""
import pathlib

from common import PORTEIRO, Timed, compiled, line, policy, subscribers, title
from lab import Lab, wait_for

PREFIXES, PEOPLE, RATE, SECONDS, RECONNECTIONS = 100_000, 50_000, 2000, 10, 200
WHERE, SECRET = "127.0.0.1:1813", "s3cret"


def main():
    with Lab() as lab:
        folder = pathlib.Path(lab.dir)
        program = compiled("accounting", folder)
        router = lab.host("router", forward=True)
        conf, people, state = (folder / n for n in ("big.conf", "people.csv", "state"))
        (folder / "secret").write_text(SECRET + "\n")
        conf.write_text(policy(PREFIXES) + f"feed bras {{ radius {WHERE}  nas 127.0.0.0/8  secret-file {folder}/secret }}\n")
        people.write_text(subscribers(PEOPLE))
        state.mkdir()
        Timed(PORTEIRO, "subscriber", "import", people, "--state", state, "-c", conf, netns=router.netns)
        Timed(PORTEIRO, "apply", "-c", conf, "--state", state, netns=router.netns)
        for duty, ready in (("keeper", "keeper-ready"), ("gate", "started"), ("lease", "started")):
            with open(folder / f"{duty}.log", "w", encoding="utf-8") as log:
                router.popen(PORTEIRO, "duty", duty, "--state", state, stdout=log, stderr=log)
            wait_for(lambda: f"event={ready} " in (folder / f"{duty}.log").read_text(), duty, 30)
        title(f"RADIUS accounting, {RATE:,} reports a second for {SECONDS} s, with {PREFIXES:,} prefixes and {PEOPLE:,} own entries loaded")
        row = router.run(program, "rate", WHERE, SECRET, str(RATE), str(SECONDS), timeout=300).stdout.split()
        sent, answered, again, unanswered, middle, late, most = map(int, row[:7])
        line("answered, each when it was on disk", f"{answered:,} of {sent:,}, {answered / float(row[7]):,.0f} a second", "2,000 a second")
        line("never answered; sent again after a second", f"{unanswered:,}; {again:,}", "none")
        line("from sending to the answer, median", f"{middle / 1000:.1f} ms (99th percentile {late / 1000:.1f} ms, most {most / 1000:.0f} ms)")
        times = sorted(int(row) for row in router.run(program, "reconnect", WHERE, SECRET, state, str(RECONNECTIONS), timeout=300).stdout.split())
        line(f"a quarantined customer's Start to the kernel's sets, median of {RECONNECTIONS}",
             f"{times[len(times) // 2] / 1000:.1f} ms (99th percentile {times[int(len(times) * .99)] / 1000:.1f} ms)", "under 500 ms")


main()
