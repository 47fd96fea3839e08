# SPDX-License-Identifier: GPL-3.0-or-later
"""100,000 prefixes: check, plan and apply, in time and memory; beside `nft` loading the same text alone."""
import pathlib
import shutil
import subprocess

from common import PORTEIRO, ROUNDS, Timed, line, median, policy, title
from lab import Lab

COUNT = 100_000


def main():
    with Lab() as lab:
        router = lab.host("router", forward=True)
        conf = pathlib.Path(lab.dir, "big.conf")
        state = pathlib.Path(lab.dir, "state")
        conf.write_text(policy(COUNT))
        title(f"{COUNT:,} prefixes ({conf.stat().st_size / 1e6:.1f} MB of policy), median of {ROUNDS}")
        checks = [Timed(PORTEIRO, "check", "-c", conf, "--state", state, netns=router.netns) for _ in range(ROUNDS)]
        plans = [Timed(PORTEIRO, "plan", "-c", conf, netns=router.netns) for _ in range(ROUNDS)]
        line("check", f"{median([t.seconds for t in checks]):.3f} s", "under 0.5 s")
        line("plan", f"{median([t.seconds for t in plans]):.3f} s", "under 0.5 s")
        line("plan, peak memory of porteiro alone", f"{max(t.peak for t in plans) / 1024:.0f} MB", "under 100 MB")
        applies, alone = [], []
        for _ in range(ROUNDS):
            shutil.rmtree(state, ignore_errors=True)
            state.mkdir()
            router.run("nft", "flush", "ruleset")
            applies.append(Timed(PORTEIRO, "apply", "-c", conf, "--state", state, netns=router.netns))
        again = [Timed(PORTEIRO, "apply", "-c", conf, "--state", state, netns=router.netns) for _ in range(ROUNDS)]
        text = subprocess.run([PORTEIRO, "plan", "-c", conf], capture_output=True, check=True).stdout
        ruleset = pathlib.Path(lab.dir, "plan.nft")
        ruleset.write_bytes(text)
        for _ in range(ROUNDS):
            router.run("nft", "flush", "ruleset")
            alone.append(Timed("nft", "-f", ruleset, netns=router.netns))
        line("apply, nothing before", f"{median([t.seconds for t in applies]):.2f} s", "under 2.5 s in all")
        line("apply, replacing the same", f"{median([t.seconds for t in again]):.2f} s", "under 2.5 s in all")
        line("apply, peak memory (the larger of porteiro and its nft)", f"{max(t.peak for t in applies + again) / 1024:.0f} MB", "under 400 MB")
        line("nft -f alone with the same text", f"{median([t.seconds for t in alone]):.2f} s, {max(t.peak for t in alone) / 1024:.0f} MB")


main()
