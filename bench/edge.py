# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge beside HAProxy in TCP mode, nginx's mail proxy and Postfix's smtpd_proxy_filter, all from Debian: the same client, the same sink
(smtp-sink), the same machine, alternating rounds.

    bench/edge.py              all of it               bench/edge.py mail|submission|trap|logins      one part

Processor time is that of all processes of a server, user and system, as the scheduler counts it; the sink's and the client's are not in it."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

from common import PORTEIRO, ROUNDS, compiled, line, median, title
from lab import Lab, wait_for
from lab.core import stop

PACKAGES = {"haproxy": "haproxy", "nginx": "nginx-light libnginx-mod-mail", "postfix": "postfix"}
SINK = 10025
MESSAGES, SIZE, MANY, MANY_SIZE = 6000, 4096, 10, 10240
TRAP_PORT, TRAPPED, BOTS, IN_ONE, TRAP_WORKERS = 2526, 100_000, 6, 19_000, 6
LOGIN, MAILBOXES, RATE, LOGIN_SECONDS, NOOPERS = "bench@example.net", 50_000, 50, 20, 20
PASSWORD, HASH = "trilho cebola quartzo", "$y$j9T$abcdefghijklmnopqrstu.$yYm6qKH95YtTg4z3z1UNgPFEaqz5ndLwbnaK66vgHv/"
POLICY = """network "Bench" {{ domain example.net  timezone UTC }}
class home {{ port25 open }}
pool p {{ class home  prefix 198.51.100.0/24 }}
edge {{
    submission port 587, 465  listen 127.0.0.1  name mx.example.net
    certificate mx.example.net chain {folder}/chain.pem key {folder}/key.pem
    next-hop relay 127.0.0.1:10025  identify none
    connections 9000  connections-each 100000  {more}
}}
legacy bench {{ listen 127.0.0.1:2626  from 127.0.0.0/8  sender bench@example.net  until 2037-01-01  owner bench  messages-day 1000000 }}
"""


# ---- what it costs ----

def below(pid):
    """The process and all its children."""
    pids, todo = [], [pid]
    while todo:
        pids.append(todo.pop())
        for task in pathlib.Path(f"/proc/{pids[-1]}/task").glob("*/children"):
            todo += map(int, task.read_text().split())
    return pids


def processor(pids):
    """Seconds of these processes, all their threads, and their children, those that ended counted in (those in ticks)."""
    seconds = 0
    for pid in (p for root in pids for p in below(root)):
        for task in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
            seconds += int(task.read_text().split()[0]) / 1e9
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        seconds += (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
    return seconds


# ---- the servers ----

class Bench:
    def __init__(self, lab):
        self.host = lab.host("edge")
        self.host.sysctl("net.ipv4.ip_local_port_range", "12000 65000")
        self.host.sysctl("net.ipv4.tcp_tw_reuse", 1)
        self.folder = pathlib.Path(lab.dir)
        self.folder.chmod(0o755)
        self.client = compiled("submit", self.folder)
        self.log = open(self.folder / "log", "w", encoding="utf-8")
        self.start("smtp-sink", "-u", "nobody", f"127.0.0.1:{SINK}", "1000", port=SINK)

    def start(self, *argv, port=None, **named):
        process = self.host.popen(*argv, stdout=self.log, stderr=self.log, **named)
        if port:
            wait_for(lambda: self.listens(port) or process.poll() is not None, f"{argv[0]} on port {port}", 20)
        if process.poll() is not None:
            raise SystemExit(f"bench: {argv[0]} ended: " + (self.folder / "log").read_text()[-2000:])
        return process

    def listens(self, port):
        return any(f":{port:04X} " in row and " 0A " in row
                   for row in self.host.run("cat", "/proc/net/tcp").stdout.splitlines())

    def file(self, name, text):
        (self.folder / name).write_text(text)
        return self.folder / name

    def run(self, *argv):
        return self.host.run(self.client, *argv, timeout=600).stdout.split()


class Porteiro:
    """The duties that take part, each as `porteiro run` starts it."""

    def __init__(self, bench, more=""):
        self.bench, self.state = bench, bench.folder / "state"
        self.conf = bench.file("conf", POLICY.format(folder=bench.folder, more=more))
        self.state.mkdir(exist_ok=True)
        self.processes = {}

    def command(self, *words, **named):
        return self.bench.host.run(PORTEIRO, *words, "--state", self.state, "-c", self.conf, timeout=600, **named).stdout

    def duty(self, name, port=None):
        self.processes[name] = self.bench.start(PORTEIRO, "duty", name, "--state", self.state, port=port)

    def up(self, *duties):
        self.command("apply")
        for name in duties:
            self.duty(name, port=2626 if name == "edge" else None)
            if name != "edge":
                wait_for((self.state / f"{name}.sock").exists, name)

    def pids(self):
        return [self.processes["edge"].pid]

    def others(self):
        """The keeper, which writes one fact a conversation of a legacy listener, and auth."""
        return [process.pid for name, process in self.processes.items() if name != "edge"]

    def down(self):
        for process in reversed(self.processes.values()):
            stop(process)
        self.processes = {}


def certificate(bench):
    """ECDSA with P-256: what a new certificate from Let's Encrypt has."""
    chain, key = bench.folder / "chain.pem", bench.folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
                    "/CN=mx.example.net", "-keyout", key, "-out", chain], check=True, capture_output=True)
    bench.file("both.pem", chain.read_text() + key.read_text())


def haproxy(bench):
    conf = bench.file("haproxy.conf", f"""global
    maxconn 9000
    tune.ssl.default-dh-param 2048
defaults
    mode tcp
    timeout connect 10s
    timeout client 300s
    timeout server 300s
listen plain
    bind 127.0.0.1:3626
    server sink 127.0.0.1:{SINK}
listen tls
    bind 127.0.0.1:3465 ssl crt {bench.folder}/both.pem ssl-min-ver TLSv1.2
    server sink 127.0.0.1:{SINK}
""")
    return [bench.start("haproxy", "-f", conf, "-db", port=3465).pid]


def nginx(bench):
    """auth_http is asked of a second nginx, whose time is not counted."""
    if not (modules := next(iter(pathlib.Path("/usr/lib/nginx/modules").glob("ngx_mail_module.so")), None)):
        raise FileNotFoundError("nginx has no mail module")
    common = f"user nobody nogroup;\nworker_processes auto;\ndaemon off;\nworker_rlimit_nofile 20000;\nevents {{ worker_connections 8000; }}\n"
    answerer = bench.file("answerer.conf", f"""{common}pid {bench.folder}/answerer.pid;
error_log {bench.folder}/answerer.log;
http {{ access_log off; server {{ listen 127.0.0.1:4000; location / {{
    add_header Auth-Status OK; add_header Auth-Server 127.0.0.1; add_header Auth-Port {SINK}; return 204; }} }} }}
""")
    proxy = bench.file("nginx.conf", f"""load_module {modules};
{common}pid {bench.folder}/nginx.pid;
error_log {bench.folder}/nginx.log;
mail {{
    server_name mx.example.net;
    auth_http 127.0.0.1:4000/;
    xclient off;
    proxy_smtp_auth off;
    smtp_capabilities PIPELINING 8BITMIME SIZE;
    ssl_certificate {bench.folder}/chain.pem;
    ssl_certificate_key {bench.folder}/key.pem;
    ssl_protocols TLSv1.2 TLSv1.3;
    server {{ listen 127.0.0.1:4626; protocol smtp; smtp_auth none; }}
    server {{ listen 127.0.0.1:4587; protocol smtp; smtp_auth plain login; starttls only; }}
}}
""")
    bench.start("nginx", "-c", answerer, port=4000)
    return [bench.start("nginx", "-c", proxy, port=4587).pid]


def postfix(bench):
    folder = bench.folder / "postfix"
    for name in ("data", "queue", *(f"queue/{q}" for q in ("pid", "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming",
                                                           "maildrop", "private", "public", "saved", "trace"))):
        (folder / name).mkdir(parents=True)
        if name not in ("queue", "queue/pid"):
            shutil.chown(folder / name, "postfix")
    (folder / "main.cf").write_text(f"""compatibility_level = 3.7
maillog_file = /dev/stdout
queue_directory = {folder}/queue
data_directory = {folder}/data
myhostname = mx.example.net
mydestination =
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
default_process_limit = 300
smtpd_peername_lookup = no
smtp_dns_support_level = disabled
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_client_connection_count_limit = 0
alias_maps =
""")
    (folder / "master.cf").write_text(f"""127.0.0.1:5626 inet n - n - 300 smtpd
    -o smtpd_proxy_filter=127.0.0.1:{SINK}
rewrite  unix - - n - - trivial-rewrite
cleanup  unix n - n - 0 cleanup
anvil    unix - - n - 1 anvil
proxymap unix - - n - - proxymap
tlsmgr   unix - - n 1000? 1 tlsmgr
postlog  unix-dgram n - n - 1 postlogd
""")
    return [bench.start("/usr/lib/postfix/sbin/master", "-c", folder, "-s", port=5626).pid]


def peers(bench):
    """Those that are here; the others are said to be missing."""
    found = {}
    for name, make in (("HAProxy, TCP", haproxy), ("nginx mail", nginx), ("Postfix, smtpd_proxy_filter", postfix)):
        try:
            if not shutil.which(make.__name__):
                raise FileNotFoundError("not installed")
            found[name] = make(bench)
        except FileNotFoundError as missing:
            line(name, f"{missing}: apt-get install {PACKAGES[make.__name__]}")
    return found


# ---- mail in the clear, mail under TLS ----

def compare(bench, what, roads, argv, beside):
    """roads: name → (port, how, pids). Alternating rounds; messages a second, and processor time a message. beside: processes that serve
    Porteiro's edge, told apart."""
    rates, costs, more = {name: [] for name in roads}, {name: [] for name in roads}, []
    for i in range(ROUNDS + 1):
        for name, (port, how, pids) in roads.items():
            before, others = processor(pids), processor(beside)
            seconds, done, failed = bench.run("mail", "127.0.0.1", port, how, *argv)
            used = processor(pids) - before
            if name == "Porteiro" and i:
                more.append((processor(beside) - others) / int(done))
            if int(failed):
                raise SystemExit(f"bench: {name}: {failed} conversations failed")
            if i:  # the first warms up
                rates[name].append(int(done) / float(seconds))
                costs[name].append(used / int(done))
    title(f"{what}: {ROUNDS} alternating rounds")
    for name in roads:
        line(name, f"{median(rates[name]):6.0f}/s" + (f"  {median(costs[name]) * 1e6:5.0f} µs" if roads[name][2] else "") +
             (f"  (its other duties {median(more) * 1e6:.0f} µs)" if name == "Porteiro" else ""))
    return {name: median(r) for name, r in rates.items()}


def mail(bench):
    p = Porteiro(bench)
    p.up("keeper", "edge")
    found = peers(bench)
    ports = {"HAProxy, TCP": 3626, "nginx mail": 4626, "Postfix, smtpd_proxy_filter": 5626}
    roads = {"direct to the sink": (SINK, "plain", []), "Porteiro": (2626, "plain", p.pids())}
    roads |= {name: (ports[name], "plain", pids) for name, pids in found.items()}
    for at_once in (50, 200):
        compare(bench, f"1 message of 4 KB a connection, {at_once} at once, in the clear", roads, (at_once, MESSAGES, 1, SIZE, "", ""),
                p.others())
    compare(bench, f"{MANY} messages of 10 KB a connection, 50 at once, in the clear", roads, (50, MESSAGES // MANY * 2, MANY, MANY_SIZE, "", ""),
            p.others())
    p.down()


# ---- the trap ----

def memory(pids):
    """Bytes: resident and proportional, of these processes and their children."""
    rss = pss = 0
    for pid in (p for root in pids for p in below(root)):
        for row in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            rss += int(row.split()[1]) * 1024 if row.startswith("Rss:") else 0
            pss += int(row.split()[1]) * 1024 if row.startswith("Pss:") else 0
    return rss, pss


def kernel_memory():
    """Bytes in slabs, of the whole machine."""
    return next(int(row.split()[1]) for row in pathlib.Path("/proc/meminfo").read_text().splitlines() if row.startswith("Slab:")) * 1024


def trap(bench):
    bots = compiled("trap", bench.folder)
    p = Porteiro(bench, f"trap-connections {IN_ONE}  workers {TRAP_WORKERS}")
    p.up("keeper", "edge")
    wait_for(lambda: bench.listens(TRAP_PORT) and (bench.folder / "log").read_text().count("event=edge-ready") == TRAP_WORKERS, "the trap", 20)
    edge, each = [p.processes["edge"].pid], TRAPPED // BOTS
    before, slab, clients = memory(edge), kernel_memory(), []
    start = time.monotonic()
    for i in range(BOTS):
        clients.append(bench.host.popen(bots, "127.0.0.1", TRAP_PORT, each, i * each, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    held = sum(int(client.stdout.readline().split()[1]) for client in clients)
    seconds = time.monotonic() - start
    time.sleep(3)  # facts on their way
    after, slab = memory(edge), kernel_memory() - slab
    used = processor(edge)
    time.sleep(30)
    used = processor(edge) - used
    for client in clients:
        client.stdin.close()
    ends = [list(map(int, client.stdout.readline().split())) for client in clients]
    left = sum(end[0] for end in ends)
    title(f"{held:,} conversations stutter in the trap, {TRAP_WORKERS} workers with a limit of 20,000 descriptors each")
    line("until all had said RCPT; still there after 33 s more", f"{seconds:.0f} s; {left:,}")
    line("our memory of one: resident, proportional", f"{(after[0] - before[0]) / held:.0f}, {(after[1] - before[1]) / held:.0f} bytes",
         "under 512 bytes")
    line("the kernel's memory of one, both ends (slabs)", f"{slab / held:.0f} bytes")
    line("processor time of all of them, of one core, over 30 s", f"{used / 30 * 100:.1f} %", "under 10 %")
    line("bytes that each was told in a minute", f"{sum(end[1] for end in ends) / max(left, 1) / 33 * 60:.1f}")
    p.down()


# ---- submission ----

def csv(p, name, head, rows, *words):
    path = p.bench.file(name, head + "\n" + "".join(row + "\n" for row in rows))
    p.command(*words, "import", path)


def submission(bench):
    """One login, by an application's password: what the handshake costs, not the hash. The sink takes any password."""
    p = Porteiro(bench)
    p.command("subscriber", "add", "1")
    p.command("domain", "add", "example.net", "--abuse", "desk@example.org")
    p.command("mailbox", "add", LOGIN, "--subscriber", "1")
    p.command("mailbox", "set", LOGIN, *(f"--limit={a}-{b}=none" for a in ("messages", "recipients") for b in ("hour", "day")))
    password = re.search(r"number 1: (\S+)", p.command("mailbox", "app-password", "add", LOGIN, "bench"))[1]
    p.up("keeper", "auth", "edge")
    found = peers(bench)
    roads = {"Porteiro": (465, "tls", p.pids()), "Porteiro, 587": (587, "starttls", p.pids())}
    roads |= {name: {"HAProxy, TCP": (3465, "tls", pids), "nginx mail": (4587, "starttls", pids)}[name]
              for name, pids in found.items() if not name.startswith("Postfix")}
    compare(bench, "TLS (ECDSA P-256, full handshakes), AUTH PLAIN and 1 message of 4 KB a connection, 50 at once", roads,
            (50, MESSAGES // 2, 1, SIZE, LOGIN, password), p.others())
    p.down()


def logins(bench):
    """All mailboxes have the same hash, for 50,000 different ones take a quarter of an hour; each is checked all the same."""
    p = Porteiro(bench)
    p.command("domain", "add", "example.net", "--abuse", "desk@example.org")
    csv(p, "s.csv", "id", map(str, range(MAILBOXES)), "subscriber")
    csv(p, "m.csv", "address,subscriber,principal", (f"m{i}@example.net,{i},yes" for i in range(MAILBOXES)), "mailbox")
    csv(p, "p.csv", "address,hash", (f"m{i}@example.net,{HASH}" for i in range(MAILBOXES)), "mailbox", "passwords")
    p.up("keeper", "auth", "edge")
    title(f"replies to NOOP while {RATE} logins a second are hashed (yescrypt), {MAILBOXES:,} mailboxes, {LOGIN_SECONDS} s")
    for name, port, how in (("587, under TLS", 587, "starttls"), ("legacy, in the clear", 2626, "plain")):
        quiet = bench.run("noop", "127.0.0.1", port, how, NOOPERS, 5)
        crowd = bench.host.popen(bench.client, "logins", "127.0.0.1", 587, "starttls", RATE, LOGIN_SECONDS + 2, "m%d@example.net", PASSWORD,
                                 stdout=subprocess.PIPE, text=True)
        time.sleep(1)
        busy = bench.run("noop", "127.0.0.1", port, how, NOOPERS, LOGIN_SECONDS)
        came, failed, half, last = crowd.communicate()[0].split()
        line(f"{name}, nobody logs in: median, 99th percentile, longest", f"{quiet[1]}, {quiet[2]}, {quiet[3]} ms")
        line(f"{name}, with the logins", f"{busy[1]}, {busy[2]}, {busy[3]} ms", "99th percentile under 20 ms")
        line(f"{came} logins meanwhile, {failed} failed: median, 99th percentile", f"{half}, {last} ms")
    p.down()


PARTS = {"mail": mail, "submission": submission, "trap": trap, "logins": logins}


def main():
    for name in sys.argv[1:] or PARTS:
        with Lab() as lab:
            bench = Bench(lab)
            certificate(bench)
            PARTS[name](bench)


main()
