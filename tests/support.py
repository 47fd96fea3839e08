# SPDX-License-Identifier: GPL-3.0-or-later
"""Porteiro as a test runs it: with its own policy file and state folder, in a namespace if need be."""
import copy
import json
import os
import pathlib
import subprocess
import uuid

import pytest

from lab.core import stop


def lease_file(name):
    """A file of leases that another program wrote; the test is skipped where there is none (make says where they are)."""
    folder = os.environ.get("PORTEIRO_DATA")
    if not folder:
        pytest.skip("PORTEIRO_DATA is not set")
    path = pathlib.Path(folder, "leases", name)
    if not path.exists():
        pytest.skip(f"PORTEIRO_DATA has no leases/{name}")
    return path


class Porteiro:
    """Owns folder/porteiro.conf, folder/state and the processes it starts; at(host) is the same one, run in a host.

    `prefix` is a command that runs the program, such as unshare."""

    prefix = ()

    def __init__(self, program, folder, host=None):
        self.program, self.folder, self.host = str(program), folder, host
        self.conf, self.state = folder / "porteiro.conf", folder / "state"
        self._started = []

    def at(self, host):
        """The same policy and state, run in this host of a lab."""
        twin = copy.copy(self)
        twin.host = host
        return twin

    def policy(self, text):
        """Write the policy file."""
        self.conf.write_text(text, encoding="utf-8")
        return self.conf

    def run(self, *words, status=0, input=None, timeout=60):
        """Run to the end; a test failure, with all it printed, unless the exit status is as said (None: any)."""
        done = subprocess.run(self._command(words), input=input, text=True, capture_output=True, timeout=timeout,
                              stdin=None if input is not None else subprocess.DEVNULL)
        assert status in (None, done.returncode), \
            f"{' '.join(done.args)}\nexit {done.returncode}, wanted {status}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *words):
        """What a read-only command answers with --json."""
        return json.loads(self.run(*words, "--json").stdout)

    def start(self, *words):
        """Start a duty; its output is in process.log (a path). close(), stop() or the test's end ends it."""
        log = self.folder / f"{'-'.join(words[:2])}-{len(self._started)}.log"
        with open(log, "wb") as output:
            process = subprocess.Popen(self._command(words), stdin=subprocess.DEVNULL, stdout=output,
                                       stderr=subprocess.STDOUT, start_new_session=True)
        process.log = log
        self._started.append(process)
        return process

    def close(self):
        """End all that was started, last come first."""
        while self._started:
            stop(self._started.pop())

    def _command(self, words):
        """Where `-c` or `--state` is among the words, the test's own choice stands."""
        where = ["ip", "netns", "exec", self.host.netns] if self.host else []
        words = list(map(str, words))
        conf = ["-c", str(self.conf)] if "-c" not in words and self.conf.exists() else []
        state = ["--state", str(self.state)] if "--state" not in words else []
        return [*where, *self.prefix, self.program, *words, *conf, *state]


class Namespace:
    """An empty network name space: where a test needs rules, and no lab. Porteiro.at() takes it as it takes a host."""

    def __init__(self):
        self.netns = "porteiro-test-" + uuid.uuid4().hex[:8]
        done = subprocess.run(["ip", "netns", "add", self.netns], capture_output=True, text=True)
        if done.returncode:
            pytest.skip("network name spaces: " + done.stderr.strip())

    def nft(self, *words):
        return subprocess.run(["ip", "netns", "exec", self.netns, "nft", *words], capture_output=True, text=True).stdout

    def close(self):
        subprocess.run(["ip", "netns", "del", self.netns], check=True)


def clean(lab):
    """Take every rule, and every policy route of a gate, out of the hosts of a lab that may run one."""
    for host in (lab.hosts[name] for name in ("router", "outer", "edge") if name in lab.hosts):
        host.nft("flush ruleset")
        for family in ("-4", "-6"):
            rules = json.loads(host.run("ip", family, "-json", "rule", "list").stdout)
            for rule in rules:
                if rule["table"] not in ("local", "main", "default"):
                    host.ip(f"rule del pref {rule['priority']}", f"route flush table {rule['table']}", family=family)


def keys(value):
    """Every key of a JSON answer, and of what stands within."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner)
