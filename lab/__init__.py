# SPDX-License-Identifier: GPL-3.0-or-later
"""An ISP in miniature, in network namespaces: for the whole-program tests and for the demo.

    from lab import isp, knock, mail
    with isp(postfix=True) as lab:
        print(knock(lab.home1, lab.mx_org.v4))       # banner 220 mx.example.org ESMTP
        print(mail(lab.home1, lab.mx_org.v6, recipient="ana@example.org"))

netns     enter, name and sweep namespaces            core      Lab and Host: build, run, clean up
topology  the drawings: isp, screened, dmz, edge box  needs     what this machine can and cannot do
postfix   real MTAs                                   listener  what stands behind divert and trap
smtp      probes: what became of a conversation       packets   tunnels, spoofed and odd packets
capture   what arrived at a host

Everything belongs to the Lab, and goes when the Lab goes; whatever a killed process left, `lab/lab sweep` removes.
Root is needed. Python 3.11 standard library only; `packets` and parsed captures want python3-scapy.
"""
from .capture import Capture
from .core import Host, Lab, LabError, wait_for
from .listener import Conversation, Listener, report_sightings
from .needs import missing
from .netns import sweep
from .postfix import Message, Postfix
from .smtp import Outcome, Session, knock, mail
from .topology import Place, isp

__all__ = ["Capture", "Conversation", "Host", "Lab", "LabError", "Listener", "Message", "Outcome", "Place", "Postfix",
           "Session", "isp", "knock", "mail", "missing", "report_sightings", "sweep", "wait_for"]
