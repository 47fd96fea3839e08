# SPDX-License-Identifier: GPL-3.0-or-later
"""Lab and Host: namespaces with links between them, and the programs that run in them.

    with Lab() as lab:
        router, home = lab.host("router", forward=True), lab.host("home")
        lab.link(router, home)                       # interface `home` in router, `eth0` in home
        home.ip("addr add 198.51.100.10/24 dev eth0")
        home.run("ping", "-c1", "198.51.100.1")

The Lab owns its hosts, their processes and its folder (lab.dir); close() ends all of them, and runs also at exit, after
an exception, ^C and SIGTERM. A program started by run() or popen() sees its namespace as under `ip netns exec`.
"""
import atexit
import contextlib
import itertools
import os
import signal
import socket
import subprocess
import threading
import time

from . import netns

_count = itertools.count(1)
# Duplicate address detection would make every IPv6 address wait a second; ICMP errors are limited to one a second
# for each peer, and a test wants to see each one.
_SYSCTLS = {"net.ipv6.conf.all.accept_dad": 0, "net.ipv6.conf.default.accept_dad": 0,
            "net.ipv6.conf.default.accept_ra": 0, "net.ipv6.ip_nonlocal_bind": 1, "net.ipv4.ip_nonlocal_bind": 1,
            "net.ipv4.conf.all.rp_filter": 0, "net.ipv4.conf.default.rp_filter": 0,
            "net.ipv4.icmp_ratelimit": 0, "net.ipv6.icmp.ratelimit": 0}
_FORWARD = {"net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1, "net.ipv4.conf.all.send_redirects": 0}


class LabError(Exception):
    """The lab could not do what it was asked: the machine or the caller is at fault, not the program under test."""


def wait_for(condition, what, timeout=5.0):
    """Poll until condition() is true and return its value; LabError naming `what` when it does not become true."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise LabError(f"waited {timeout:g} s in vain for {what}")
        time.sleep(0.005)


class Host:
    """One namespace. v4 and v6 are the addresses it speaks from; the drawing that made it sets them."""

    def __init__(self, lab, name):
        self.lab, self.name, self.netns = lab, name, f"{lab.prefix}-{name}"
        self.v4 = self.v6 = self.delegated = None

    def __repr__(self):
        return self.name

    def on(self, family):
        """The host's address of a family, "v4" or "v6"."""
        return getattr(self, family)

    def ip(self, *lines, family=None):
        """Run `ip` commands, one a string; family -4 or -6 where the command itself does not tell."""
        netns.batch(lines, "-n", self.netns, *([family] if family else []))

    def sysctl(self, key, value):
        with self.inside(), open("/proc/sys/" + key.replace(".", "/"), "w", encoding="ascii") as file:
            file.write(str(value))

    def nft(self, text):
        """Load nft text in one transaction."""
        self.run("nft", "-f", "-", input=text)

    def inside(self):
        """with host.inside(): this thread stands in the namespace; sockets made there stay there."""
        return netns.inside(self.netns)

    def socket(self, family, kind, proto=0):
        with self.inside():
            return socket.socket(family, kind, proto)

    def python(self, function, *args, **named):
        """Call a Python function that stands in this namespace."""
        with self.inside():
            return function(*args, **named)

    def run(self, *argv, check=True, input=None, timeout=60, **named):
        """Run a program to its end; text in and out. LabError with its stderr if it fails and check is set."""
        done = subprocess.run(self._command(argv), input=input, timeout=timeout, text=True,
                              stdin=None if input is not None else subprocess.DEVNULL, capture_output=True, **named)
        if check and done.returncode != 0:
            raise LabError(f"{self.name}: {' '.join(map(str, argv))}: exit {done.returncode}: {done.stderr.strip()}")
        return done

    def popen(self, *argv, **named):
        """Start a program in a session of its own; the lab ends it (SIGTERM, then SIGKILL) if the caller did not."""
        named.setdefault("stdin", subprocess.DEVNULL)
        process = subprocess.Popen(self._command(argv), start_new_session=True, **named)
        self.lab.on_close(lambda: stop(process))
        return process

    def _command(self, argv):
        return ["ip", "netns", "exec", self.netns, *map(str, argv)]


def stop(process, patience=5.0):
    """End a child by its pid, politely first, and reap it."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


class Lab:
    """A set of hosts, reached as lab.NAME. Several labs stand side by side, also in one process."""

    def __init__(self):
        self.hosts = {}
        self._closers = []
        self._pid = os.getpid()
        self.prefix = f"po{self._pid}.{next(_count)}"
        self.dir = f"{netns.STATE}/{self.prefix}"
        netns.sweep()
        os.makedirs(self.dir)
        with open(f"{self.dir}/owner", "w", encoding="ascii") as owner:
            owner.write(netns.start_time(self._pid))
        atexit.register(self.close)
        _terminate_by_exception()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __getattr__(self, name):
        try:
            return self.__dict__["hosts"][name]
        except KeyError:
            raise AttributeError(f"this lab has no {name!r}") from None

    def host(self, name, forward=False):
        """A new namespace; with `forward` it routes, both families."""
        host = Host(self, name)
        netns.batch([f"netns add {host.netns}"])
        self.hosts[name] = host
        for key, value in (_SYSCTLS | (_FORWARD if forward else {})).items():
            host.sysctl(key, value)
        host.ip("link set lo up")
        return host

    def link(self, a, b, at_a=None, at_b="eth0"):
        """A cable: interface at_a (by default the name of b) in a, at_b in b; both up."""
        at_a = at_a or b.name
        netns.batch([f"link add name {at_a} netns {a.netns} type veth peer name {at_b} netns {b.netns}"])
        a.ip(f"link set {at_a} up")
        b.ip(f"link set {at_b} up")

    def on_close(self, closer):
        """Have closer() called when the lab ends, last come first."""
        self._closers.append(closer)

    def close(self):
        """End and remove everything. Harmless when repeated, and in a forked child."""
        if os.getpid() != self._pid or not os.path.isdir(self.dir):
            return
        with _undisturbed():
            while self._closers:
                with contextlib.suppress(OSError):
                    self._closers.pop()()
            netns.remove(self.prefix, [host.netns for host in self.hosts.values()])
        atexit.unregister(self.close)


@contextlib.contextmanager
def _undisturbed():
    """A second ^C must not leave half a lab."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _terminate_by_exception():
    """SIGTERM and SIGHUP unwind like ^C, so that every `with` and atexit runs; handlers set by others stay."""
    def interrupt(number, _):
        raise KeyboardInterrupt(signal.Signals(number).name)

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, interrupt)
