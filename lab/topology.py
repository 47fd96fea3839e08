# SPDX-License-Identifier: GPL-3.0-or-later
"""The drawings: which hosts there are, who is cabled to whom, and their addresses.

                     +-- home1, home2, infected   198.51.100.10 .11 .66, a /56 each out of 2001:db8:100::/40
    outside -- router +-- legacy (on vlan120)      198.51.100.20, likewise
   the Internet      +-- business                 192.0.2.10, 2001:db8:200:10::10
                     +-- servers                  203.0.113.25 and .26, 2001:db8:b01a:70da::25 and ::26
                     +-- edge (if asked for)      203.0.113.34, 2001:db8:b01a:e::34

Customers hang on /32 routes, as behind an access concentrator: each is alone on its wire, and customer to customer
passes the router. Their IPv6 link is a /64 out of 2001:db8:201::/48; the /56 is routed to them over it, and all of it
is theirs: `source=` any address in it works. Drawings: "isp" as above; "screened", the servers numbered out of the
customers' own prefixes; "dmz", the servers on a segment between the router and a second one, `outer`.
"""
import dataclasses
import ipaddress

from .core import Lab
from .postfix import Postfix


@dataclasses.dataclass(frozen=True)
class Place:
    """A service's two addresses."""

    v4: str
    v6: str

    def on(self, family):
        return getattr(self, family)


@dataclasses.dataclass(frozen=True)
class Customer:
    """name, IPv4 address, /64 of the link, delegated /56 if any, and the router's interface (default: the name)."""

    name: str
    v4: str
    link6: str
    delegated: str = None
    interface: str = None


CUSTOMERS = (
    Customer("home1", "198.51.100.10", "2001:db8:201:10::/64", "2001:db8:100:1000::/56"),
    Customer("home2", "198.51.100.11", "2001:db8:201:11::/64", "2001:db8:100:1100::/56"),
    Customer("infected", "198.51.100.66", "2001:db8:201:66::/64", "2001:db8:100:6600::/56"),
    Customer("legacy", "198.51.100.20", "2001:db8:201:20::/64", "2001:db8:100:2000::/56", "vlan120"),
    Customer("business", "192.0.2.10", "2001:db8:200:10::/64"),
)
OWN_SERVERS = (Place("203.0.113.25", "2001:db8:b01a:70da::25"), Place("203.0.113.26", "2001:db8:b01a:70da::26"))
SCREENED = (Place("198.51.100.25", "2001:db8:100:ff00::25"), Place("198.51.100.26", "2001:db8:100:ff00::26"))
MX_ORG = Place("203.0.113.130", "2001:db8:ffff::130")
MX_COM = Place("203.0.113.140", "2001:db8:ffff::140")
# Hosts of the Internet where nothing listens: all of 203.0.113.192/26 and 2001:db8:fffe::/48 answers with a reset.
NOBODY = Place("203.0.113.200", "2001:db8:fffe::200")


def isp(drawing="isp", edge=False, postfix=False):
    """Build a drawing. With `postfix` the real MTAs run: lab.mta_isp and lab.mta_outside."""
    lab = Lab()
    try:
        router = lab.host("router", forward=True)
        for customer in CUSTOMERS:
            add_customer(lab, router, customer)
        border = add_dmz(lab, router) if drawing == "dmz" else router
        lab.mx, lab.submission = SCREENED if drawing == "screened" else OWN_SERVERS
        if drawing != "dmz":
            add_servers(lab, router)
        add_outside(lab, border)
        if edge:
            add_edge(lab, router)
        if postfix:
            start_postfix(lab)
    except BaseException:
        lab.close()
        raise
    return lab


def add_customer(lab, router, customer):
    """One customer on a wire of its own; lab.NAME.delegated is its /56."""
    host, wire = lab.host(customer.name), customer.interface or customer.name
    link6 = ipaddress.ip_network(customer.link6)
    gateway = ipaddress.ip_network(customer.v4 + "/24", strict=False)[1]
    host.v4, host.v6, host.wan6 = customer.v4, str(link6[0x10]), str(link6[2])
    lab.link(router, host, wire)
    router.ip(f"addr add {gateway}/32 dev {wire}", f"route add {host.v4}/32 dev {wire}",
              f"addr add {link6[1]}/64 dev {wire} nodad", f"addr add fe80::1/64 dev {wire} nodad")
    if customer.delegated:
        host.delegated = ipaddress.ip_network(customer.delegated)
        host.v6 = str(host.delegated[0x10])
        router.ip(f"route add {host.delegated} via {host.wan6} dev {wire}")
        host.ip(f"addr add {host.wan6}/64 dev eth0 nodad", f"route add local {host.delegated} dev lo")
    host.ip(f"addr add {host.v4}/32 dev eth0", f"addr add {host.v6}/128 dev eth0 nodad",
            f"route add {gateway}/32 dev eth0", f"route add default via {gateway} src {host.v4}",
            f"route add default via fe80::1 dev eth0 src {host.v6}")
    return host


def add_servers(lab, router):
    """The ISP's servers on their own interface of the router."""
    servers = _servers(lab)
    lab.link(router, servers)
    for place in (lab.mx, lab.submission):
        servers.ip(f"addr add {place.v4}/32 dev eth0", f"addr add {place.v6}/64 dev eth0 nodad")
        router.ip(f"route add {place.v4}/32 dev servers")
    gateway4 = ipaddress.ip_network(lab.mx.v4 + "/24", strict=False)[30]
    gateway6 = ipaddress.ip_network(lab.mx.v6 + "/64", strict=False)[1]
    router.ip(f"addr add {gateway4}/32 dev servers", f"addr add {gateway6}/64 dev servers nodad")
    servers.ip(f"route add {gateway4}/32 dev eth0", f"route add default via {gateway4} src {lab.mx.v4}",
               f"route add default via {gateway6} src {lab.mx.v6}")


def add_dmz(lab, router):
    """Inner router, servers and outer router on one segment, a bridge in `outer`; returns outer."""
    outer = lab.host("outer", forward=True)
    lab.mx, lab.submission = OWN_SERVERS
    servers = _servers(lab)
    outer.ip("link add name dmz type bridge", "link set dmz up")
    lab.link(outer, router, "to-router", "dmz")
    lab.link(outer, servers, "to-servers", "eth0")
    outer.ip("link set to-router master dmz", "link set to-servers master dmz")
    for host, wire, last in ((outer, "dmz", "30"), (router, "dmz", "29"), (servers, "eth0", "25"),
                             (servers, "eth0", "26")):
        host.ip(f"addr add 203.0.113.{last}/29 dev {wire}", f"addr add 2001:db8:b01a:70da::{last}/64 dev {wire} nodad")
    for host in (router, servers):
        host.ip("route add default via 203.0.113.30", "route add default via 2001:db8:b01a:70da::30")
    for host in (outer, servers):
        for behind in ("198.51.100.0/24", "192.0.2.0/24", "203.0.113.32/29"):
            host.ip(f"route add {behind} via 203.0.113.29")
        for behind in ("2001:db8:100::/40", "2001:db8:200::/48", "2001:db8:201::/48", "2001:db8:b01a:e::/64"):
            host.ip(f"route add {behind} via 2001:db8:b01a:70da::29")
    return outer


def add_outside(lab, border):
    """The Internet: two MX hosts in one namespace, and a range of hosts that serve nothing."""
    outside = lab.host("outside")
    outside.v4, outside.v6 = MX_ORG.v4, MX_ORG.v6
    lab.mx_org, lab.mx_com, lab.nobody = MX_ORG, MX_COM, NOBODY
    lab.link(border, outside, "upstream")
    border.ip("addr add 203.0.113.129/28 dev upstream", "addr add 2001:db8:ffff::1/64 dev upstream nodad",
              f"route add default via {MX_ORG.v4}", f"route add default via {MX_ORG.v6}")
    for place in (MX_ORG, MX_COM):
        outside.ip(f"addr add {place.v4}/28 dev eth0", f"addr add {place.v6}/64 dev eth0 nodad")
    outside.ip("route add local 203.0.113.192/26 dev lo", "route add local 2001:db8:fffe::/48 dev lo",
               "route add default via 203.0.113.129", "route add default via 2001:db8:ffff::1")


def add_edge(lab, router):
    """A second box beside the router, for an edge that is reached by route or DNAT."""
    edge = lab.host("edge")
    edge.v4, edge.v6 = "203.0.113.34", "2001:db8:b01a:e::34"
    lab.link(router, edge)
    router.ip("addr add 203.0.113.33/29 dev edge", "addr add 2001:db8:b01a:e::1/64 dev edge nodad")
    edge.ip(f"addr add {edge.v4}/29 dev eth0", f"addr add {edge.v6}/64 dev eth0 nodad",
            "route add default via 203.0.113.33", "route add default via 2001:db8:b01a:e::1")
    return edge


def start_postfix(lab):
    """The ISP's MX and submission host, and the two MX hosts outside; each message is kept where it ends."""
    lab.mta_outside = Postfix(lab.outside, domains=["example.org", "example.com"])
    lab.mta_outside.serve("mx.example.org", MX_ORG, 25)
    lab.mta_outside.serve("mx.example.org", MX_ORG, 587, submission=True)
    lab.mta_outside.serve("mx2.example.com", MX_COM, 25)
    lab.mta_isp = Postfix(lab.servers, domains=["example.net.br"], relay_to=MX_ORG.v4, bind=lab.mx)
    lab.mta_isp.serve("mx.example.net.br", lab.mx, 25)
    lab.mta_isp.serve("smtps.example.net.br", lab.submission, 587, submission=True)
    lab.mta_isp.serve_edge("out.example.net.br", lab.mx, 10025)
    lab.mta_isp.serve_proxied("proxied.example.net.br", lab.mx, 10026, "198.51.100.0/24,[2001:db8:100::]/40")
    for mta in (lab.mta_outside, lab.mta_isp):
        mta.start()
    for mta in (lab.mta_outside, lab.mta_isp):
        mta.wait_ready()


def _servers(lab):
    servers = lab.host("servers")
    servers.v4, servers.v6 = lab.mx.v4, lab.mx.v6
    return servers
