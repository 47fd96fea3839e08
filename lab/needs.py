# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lab needs of the machine. missing("netns", "tproxy") is None, or the reason why not, for a test to skip with."""
import functools
import os
import shutil
import subprocess

from . import netns

_NFT = {
    "tproxy": "tcp dport 25 tproxy to :2525",
    "nflog": "tcp dport 25 log group 25",
    "reject": "tcp dport 25 reject with tcp reset",
    "fib": "fib saddr . iif oif missing drop",
    "nat": "tcp dport 25 dnat to :587",
}
_TOOLS = {"postfix": "postfix", "nft": "nft", "fail2ban": "fail2ban-client", "iptables": "iptables",
          "radclient": "radclient"}


def missing(*needs):
    """The first need the machine cannot meet, in words; None when all are met."""
    return next(filter(None, map(_reason, ("netns", *needs))), None)


@functools.cache
def _reason(need):
    if os.geteuid() != 0:
        return "not root: network namespaces cannot be made"
    if need == "netns":
        return _netns_reason()
    if need in _TOOLS:
        return None if shutil.which(_TOOLS[need], path="/usr/sbin:/usr/bin:/sbin:/bin") else f"{need} is not installed"
    if need == "scapy":
        return _scapy_reason()
    return _nft_reason(need, _NFT[need])


def _netns_reason():
    name = f"po{os.getpid()}.0-needs"
    try:
        netns.batch([f"netns add {name}", f"link add name need netns {name} type veth peer name other netns {name}"])
        return None
    except OSError as error:
        return f"no network namespaces or veth here: {error}"
    finally:
        if os.path.exists(f"{netns.RUN}/{name}"):
            netns.batch([f"netns del {name}"])


def _scapy_reason():
    try:
        import scapy  # noqa: F401
        return None
    except ImportError:
        return "python3-scapy is not installed"


def _nft_reason(need, rule):
    name = f"po{os.getpid()}.0-needs"
    kind = "nat" if need == "nat" else "filter"
    text = f"table inet t {{ chain c {{ type {kind} hook prerouting priority -150; {rule}; }}\n}}\n"
    netns.batch([f"netns add {name}"])
    try:
        done = subprocess.run(["ip", "netns", "exec", name, "nft", "-f", "-"], input=text, text=True,
                              capture_output=True)
    finally:
        netns.batch([f"netns del {name}"])
    return None if done.returncode == 0 else f"the kernel or nft lacks {need}: {done.stderr.strip().splitlines()[0]}"
