# SPDX-License-Identifier: GPL-3.0-or-later
"""The duty auth: checks a second with as many waiting as may, and how long one waits for its answer at 50 a second."""
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import threading
import time

from common import PORTEIRO, ROOT, line, median, title

sys.path.insert(0, str(ROOT / "tests"))
from auth_client import Client  # noqa: E402

LOGIN, PASSWORD, SECONDS, RATE, AT_ONCE = "m@example.net", "trilho cebola quartzo", 10, 50, 64
POLICY = 'network "Bench" { domain example.net  timezone UTC }\nclass home { port25 open }\npool p { class home  prefix 198.51.100.0/24 }\n'


def ready(state):
    for _ in range(300):
        try:
            return Client(state)
        except OSError:
            time.sleep(0.1)
    raise SystemExit("bench: the duty does not listen")


def processor_ms(pid):
    """Of a process and all below it."""
    text = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    below = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return (int(text[11]) + int(text[12])) * 1000 / os.sysconf("SC_CLK_TCK") + sum(map(processor_ms, below))


def saturated(state, pid):
    """Checks a second, right and wrong ones, always AT_ONCE on their way; and processor time of one."""
    client, done, before, end = ready(state), 0, processor_ms(pid), time.perf_counter() + SECONDS
    for i in range(AT_ONCE):
        client.ask(LOGIN, PASSWORD if i % 2 else "wrong")
    while time.perf_counter() < end:
        assert client.answer()[1] != "unavailable"
        client.ask(LOGIN, PASSWORD if done % 2 else "wrong")
        done += 1
    client.close()
    return done / SECONDS, (processor_ms(pid) - before) / done


def paced(state):
    """Milliseconds from question to answer: RATE a second, at random instants, whether or not the one before was answered. Without those
    that were given up: how many is the second result."""
    client, asked, times, pick = ready(state), {}, [], random.Random(1)
    count = RATE * SECONDS

    def read():
        for _ in range(count):
            number, verdict, _ = client.answer()
            if verdict == "yes":
                times.append((time.perf_counter() - asked[number]) * 1000)

    reader = threading.Thread(target=read)
    reader.start()
    at = time.perf_counter()
    for i in range(1, count + 1):
        at += pick.expovariate(RATE)
        time.sleep(max(0, at - time.perf_counter()))
        asked[i] = time.perf_counter()
        client.ask(LOGIN, PASSWORD)
    reader.join()
    client.close()
    return sorted(times), count - len(times)


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        state, where = folder / "state", ("--state", folder / "state", "-c", folder / "conf")
        folder.joinpath("conf").write_text(POLICY)
        for words in (["subscriber", "add", "1"], ["domain", "add", "example.net", "--abuse", "d@example.org"],
                      ["mailbox", "add", LOGIN, "--subscriber", "1"]):
            subprocess.run([PORTEIRO, *words, *where], check=True)
        subprocess.run([PORTEIRO, "mailbox", "password", LOGIN, "--stdin", *where], input=PASSWORD, text=True, check=True)
        subprocess.run(["unshare", "-n", PORTEIRO, "apply", *where], check=True, stdout=subprocess.DEVNULL)
        duty = subprocess.Popen([PORTEIRO, "duty", "auth", "--state", state], stderr=subprocess.DEVNULL)
        try:
            title(f"auth: yescrypt, one checker a core, {SECONDS} s each")
            rate, cost = saturated(state, duty.pid)
            line(f"checks a second, {AT_ONCE} always on their way; processor time of one", f"{rate:.0f}; {cost:.1f} ms")
            times, lost = paced(state)
            line(f"at {RATE} a second: median, 99th percentile, given up",
                 f"{median(times):.1f} ms, {times[len(times) * 99 // 100]:.1f} ms, {lost}")
            client, took = ready(state), []
            for _ in range(2000):
                start = time.perf_counter()
                client.domain("example.org")
                took.append((time.perf_counter() - start) * 1e6)
            line("whether a domain is ours: median", f"{median(took):.0f} µs")
            client.close()
        finally:
            duty.terminate()
            duty.wait()


main()
