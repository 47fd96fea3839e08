# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate follows people: sessions told by RADIUS, from a real radclient to the listener, the ledger and the kernel, and
from there to real packets."""
import shutil
import time

import pytest
from control import by_ledger, door, duties, policy  # noqa: F401
from lab import wait_for
from nas import Nas, radclient

MORE = """
feed bras {{ radius 10.0.0.1:1813  nas 10.0.0.2  secret-file {folder}/secret }}
feed cgn  {{ file {folder}/blocks.csv  format blocks-csv }}
"""
EVA = ("198.51.100.60", "2001:db8:100:6000::/56")
NEXT = ("198.51.100.61", "2001:db8:100:6100::/56")

pytestmark = pytest.mark.skipif(not shutil.which("radclient"), reason="radclient is not installed (freeradius-utils)")


@pytest.fixture
def gate(door, porteiro, tmp_path):  # noqa: F811
    """Keeper, gate and the duty for leases at work; home is open, and two customers are known by their user names."""
    porteiro = porteiro.at(door.router)
    (tmp_path / "secret").write_text("s3cret\n")
    porteiro.policy(policy("open", MORE.format(folder=tmp_path)))
    porteiro.run("apply")
    duties(porteiro, "keeper", "gate", "lease")
    for name in ("eva", "bob"):
        porteiro.run("subscriber", "add", name, "--line", f"user:{name}")
    return porteiro


class Bras:
    """Tells sessions; the clock of its reports runs ten seconds a report, up to now."""

    def __init__(self, door):  # noqa: F811
        self.nas = Nas("10.0.0.1", 1813, b"s3cret", "10.0.0.2", door.home.netns)
        self.at, self.began = int(time.time()) - 3600, {}

    def tell(self, status, user, addresses, session):
        self.at += 10
        began = self.began.setdefault(session, self.at)
        v4, v6 = addresses
        assert radclient(self.nas, Acct_Status_Type=status, User_Name=f'"{user}"', Acct_Session_Id=f'"{session}"',
                         NAS_Identifier='"bras0"', Framed_IP_Address=v4, Delegated_IPv6_Prefix=v6,
                         Event_Timestamp=self.at, Acct_Session_Time=self.at - began)


@pytest.fixture
def bras(door):  # noqa: F811
    bras = Bras(door)
    yield bras
    bras.nas.close()


def inside(addresses):
    return addresses[0], addresses[1].partition("::")[0] + "::1"


def meet(door, what, addresses):  # noqa: F811
    for source in inside(addresses):
        wait_for(lambda source=source: door.meets(source) == what, f"{source} to meet {what}", 20)


def quarantine(gate, name):
    gate.run("quarantine", "add", name, "--level", "mail", "--reason", "spam")


def test_a_quarantined_customer_reconnects_and_stays_quarantined(door, gate, bras):  # noqa: F811
    bras.tell("Start", "eva", EVA, "e1")
    meet(door, "open", EVA)
    quarantine(gate, "eva")
    meet(door, "block", EVA)
    bras.tell("Stop", "eva", EVA, "e1")
    bras.tell("Start", "eva", NEXT, "e2")
    meet(door, "block", NEXT)
    bras.tell("Start", "bob", EVA, "b1")
    meet(door, "open", EVA)
    meet(door, "block", NEXT)
    gate.run("quarantine", "release", "eva", "--reason", "clean")
    meet(door, "open", NEXT)


def test_where_the_stop_was_lost(door, gate, bras):  # noqa: F811
    """The next holder's start frees the address; whose session it was comes back elsewhere."""
    bras.tell("Start", "eva", EVA, "e1")
    quarantine(gate, "eva")
    meet(door, "block", EVA)
    bras.tell("Start", "bob", EVA, "b1")
    meet(door, "open", EVA)
    bras.tell("Start", "eva", NEXT, "e2")
    meet(door, "block", NEXT)
    assert {source: door.meets(source) for source in inside(EVA)} == dict.fromkeys(inside(EVA), "open")


def test_a_session_held_open_is_reset_where_he_comes_back(door, gate, bras):  # noqa: F811
    """Also what he began at an address that nobody had yet."""
    held = [door.session(source) for source in inside(NEXT)]
    assert [session.say("EHLO home.example.net")[:3] for session in held] == ["250", "250"]
    bras.tell("Start", "eva", EVA, "e1")
    quarantine(gate, "eva")
    bras.tell("Start", "eva", NEXT, "e2")
    meet(door, "block", NEXT)
    assert [session.probe().kind for session in held] == ["reset", "reset"]
    for session in held:
        session.close()


def test_who_shares_an_address_by_ports_is_not_in_the_kernel(door, gate, bras, tmp_path):  # noqa: F811
    """Behind a translator outside this gate an address is many customers': nobody is cut for one of them, and explain says why."""
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3600))
    (tmp_path / "blocks.csv").write_text("time,event,outside,low,high,line,proto,nas\n" + "".join(
        f"{at},alloc,198.51.100.70,{low},{low + 1023},user:{user},tcp,cgn1\n" for user, low in (("eva", 1024), ("bob", 2048))))
    wait_for(lambda: len(by_ledger(gate).json("lease", "list", "198.51.100.70")["leases"]) == 2, "both blocks", 20)
    quarantine(gate, "eva")
    bras.tell("Start", "eva", NEXT, "e2")
    meet(door, "block", NEXT)                                    # by now the gate has looked at all she holds
    assert door.meets("198.51.100.70") == "open"
    assert "place the gate inside the CGNAT" in by_ledger(gate).run("explain", "eva").stdout
