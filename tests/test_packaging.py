# SPDX-License-Identifier: GPL-3.0-or-later
"""What make install puts on a machine: units that systemd accepts, users, folders, and a restore that really restores."""
import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import time

import pytest

from support import Namespace

ROOT = pathlib.Path(__file__).resolve().parent.parent
UNITS = sorted((ROOT / "packaging").glob("*.service"))


def need(program):
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")


def test_there_is_a_unit_for_every_duty():
    duties = re.findall(r'"porteiro-(\w+)"', (ROOT / "src" / "run" / "duties.c").read_text())
    duties += re.findall(r'_USER "porteiro-(\w+)"', (ROOT / "src" / "run" / "duties.h").read_text())
    names = {unit.stem for unit in UNITS}
    assert names == {"porteiro", "porteiro-restore", "porteiro-graph", *(f"porteiro-{duty}" for duty in duties)}
    users = re.findall(r"^u (\S+)", (ROOT / "packaging" / "sysusers.d" / "porteiro.conf").read_text(), re.M)
    assert sorted(users) == sorted(f"porteiro-{duty}" for duty in duties)


def test_systemd_accepts_the_units(tmp_path, porteiro):
    need("systemd-analyze")
    for unit in UNITS:
        (tmp_path / unit.name).write_text(unit.read_text().replace("/usr/sbin/porteiro", porteiro.program))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *sorted(tmp_path.glob("*.service"))], capture_output=True,
                          text=True, stdin=subprocess.DEVNULL)
    said = [line for line in done.stderr.splitlines() if "porteiro" in line]
    assert done.returncode == 0 and said == [], done.stderr


def test_users_and_folder(tmp_path):
    need("systemd-sysusers")
    need("systemd-tmpfiles")
    (tmp_path / "etc").mkdir()
    for name in ("passwd", "group", "shadow", "gshadow"):
        (tmp_path / "etc" / name).write_text("root:x:0:\n" if name == "group" else "")
    (tmp_path / "etc" / "passwd").write_text("root:x:0:0::/:/bin/sh\n")
    for tool in ("sysusers", "tmpfiles"):
        done = subprocess.run([f"systemd-{tool}", f"--root={tmp_path}", *(["--create"] if tool == "tmpfiles" else []),
                               ROOT / "packaging" / f"{tool}.d" / "porteiro.conf"], capture_output=True, text=True)
        if os.geteuid() != 0:
            pytest.skip("needs root: folders of other users")
        assert done.returncode == 0, done.stderr
    folder = (tmp_path / "var" / "lib" / "porteiro").stat()
    assert oct(folder.st_mode) == "0o41771"
    assert re.search(rf"^porteiro-keeper:x:{folder.st_uid}:{folder.st_gid}:", (tmp_path / "etc" / "passwd").read_text(), re.M)


def test_install(tmp_path, porteiro):
    build = pathlib.Path(porteiro.program).parent
    done = subprocess.run(["make", "-C", ROOT, "-o", "all", "install", f"BUILD={build}", f"DESTDIR={tmp_path}",
                           "PREFIX=/opt/porteiro"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    installed = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    prefix = "opt/porteiro"
    assert {f"{prefix}/sbin/porteiro", f"{prefix}/share/man/man1/porteiro.1", f"{prefix}/share/man/man5/porteiro.conf.5",
            f"{prefix}/share/doc/porteiro/porteiro.conf", f"{prefix}/share/porteiro/lab/demo", "usr/lib/sysusers.d/porteiro.conf",
            "usr/lib/tmpfiles.d/porteiro.conf", *(f"lib/systemd/system/{unit.name}" for unit in UNITS)} <= installed
    assert "ExecStart=/opt/porteiro/sbin/porteiro run\n" in (tmp_path / "lib/systemd/system/porteiro.service").read_text()


def directives(unit, name):
    return re.findall(rf"^{name}=(.*)$", (ROOT / "packaging" / unit).read_text(), re.M)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: rules in a name space")
def test_the_restore_unit_restores(porteiro, tmp_path):
    """Its own command line, with the capabilities it leaves, against rules that were gone."""
    need("setpriv")
    with contextlib.closing(Namespace()) as namespace:
        porteiro = porteiro.at(namespace)
        porteiro.policy('network "N" { timezone UTC }\nclass home { port25 block }\n'
                        "pool city { class home prefix 198.51.100.0/24, 2001:db8::/48 }\n")
        porteiro.run("apply")
        before = namespace.nft("-s", "list", "table", "inet", "porteiro")
        namespace.nft("flush", "ruleset")
        command, = directives("porteiro-restore.service", "ExecStart")
        kept = directives("porteiro-restore.service", "CapabilityBoundingSet")[0].lower().replace("cap_", "+").replace(" ", ",")
        command = command.replace("/var/lib/porteiro", str(porteiro.state)).split()
        for _ in range(2):  # a second time makes nothing double
            done = subprocess.run(["ip", "netns", "exec", namespace.netns, "setpriv", "--no-new-privs", "--bounding-set", f"-all,{kept}",
                                   *command], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
        after = namespace.nft("-s", "list", "table", "inet", "porteiro")
        assert "198.51.100.0" in after and len(after) == len(before)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: duties drop rights")
def test_the_capabilities_of_the_unit_are_enough(porteiro):
    need("setpriv")
    kept = directives("porteiro.service", "CapabilityBoundingSet")[0].lower().replace("cap_", "+").replace(" ", ",")
    with contextlib.closing(Namespace()) as namespace:
        porteiro = porteiro.at(namespace)
        porteiro.policy('network "N" { timezone UTC }\nclass home { port25 block }\npool city { class home prefix 198.51.100.0/24 }\n')
        porteiro.prefix = ("setpriv", "--no-new-privs", "--bounding-set", f"-all,{kept}")
        run = porteiro.start("run")
        porteiro.prefix = ()
        deadline = time.monotonic() + 10
        while "event=run-ready" not in run.log.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        porteiro.run("apply")
        assert "198.51.100.0" in namespace.nft("list", "table", "inet", "porteiro")
        assert "duty-died" not in run.log.read_text()
