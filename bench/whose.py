# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose was it: one question in the program itself, and a thousand of them on the command line, each recorded."""
import os
import pathlib
import subprocess
import tempfile
import time

from common import PORTEIRO, compiled, line, median, title

LEASES = int(os.environ.get("BENCH_LEASES", "1000000"))
QUESTIONS, MANY = 20_000, 1000
POLICY = """network "Bench" { timezone UTC }
class home { port25 open }
pool all { class home prefix 100.64.0.0/10 }
cgnat n { inside 100.64.0.0/16 outside 203.0.113.0/24 block 128 }
"""

with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    program, state, conf = compiled("whose", folder), folder / "state", folder / "porteiro.conf"
    conf.write_text(POLICY, encoding="ascii")
    began = time.perf_counter()
    subprocess.run([program, state, "fill", "0", str(LEASES)], check=True)
    title(f"whose it was, of {LEASES:,} leases (stored in {time.perf_counter() - began:.0f} s)")
    for row in subprocess.run([program, state, "ask", str(QUESTIONS), str(LEASES)], check=True, capture_output=True, text=True).stdout.splitlines():
        side, asked, _, exact, _, p50, _, p99, _, most, _ = row.split()
        assert asked == exact, row
        line(f"by {side} address{' and port' if side == 'outside' else ''}: median, 99th percentile, slowest of {QUESTIONS:,}", f"{p50}, {p99}, {most} µs",
             "99th under 100 µs" if side == "inside" else None)
    questions = folder / "questions.csv"
    questions.write_bytes(subprocess.run([program, state, "csv", str(MANY), str(LEASES)], check=True, capture_output=True).stdout)
    took = []
    for _ in range(3):
        began = time.perf_counter()
        done = subprocess.run([PORTEIRO, "lease", "whose", "--from", questions, "--reason", "bench", "-c", conf, "--state", state], check=True,
                              capture_output=True, text=True)
        took.append(time.perf_counter() - began)
        assert done.stdout.count(",exact,") == MANY
    line(f"{MANY:,} questions by lease whose --from, each on disk before its answer", f"{median(took):.2f} s")
