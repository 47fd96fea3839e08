# SPDX-License-Identifier: GPL-3.0-or-later
"""What every whole-program test gets.

    LAB = {"postfix": True, "edge": True}               # how this module wants its lab; default: isp() as it is
    pytestmark = pytest.mark.needs("tproxy", "nflog")   # skipped, with the reason, where the machine lacks one

    def test_x(lab, porteiro):                          # one lab a module; a fresh policy and ledger a test
        porteiro = porteiro.at(lab.router)
        porteiro.policy('network "Lab" { ... }')
        porteiro.run("apply")
        assert knock(lab.home1, lab.mx_org.v4).kind == "reset"

`lab` is cleaned of rules before each test that asks for it. `porteiro` is skipped where it is not built; PORTEIRO
names another program than build/porteiro. The run ends with a line `pytest: N passed, N failed, N skipped`; with
PORTEIRO_TEST_COUNTS the same three numbers go to that file, for who adds up several suites.
"""
import os
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import lab as lab_package  # noqa: E402
from support import Porteiro, clean  # noqa: E402

# State folders of tests are reached by who runs them alone; tests/test_run.py has the duties' own users.
os.environ.setdefault("PORTEIRO_USERS", "same")
PROGRAM = pathlib.Path(os.environ.get("PORTEIRO") or ROOT / "build" / "porteiro").absolute()


def pytest_configure(config):
    config.addinivalue_line("markers", "needs(*names): skip where the machine lacks one; names as in lab/needs.py")


def pytest_runtest_setup(item):
    for mark in item.iter_markers("needs"):
        reason = lab_package.missing(*mark.args)
        if reason:
            pytest.skip(reason)


@pytest.fixture(scope="module")
def _module_lab(request):
    wanted = getattr(request.module, "LAB", {})
    reason = lab_package.missing(*(["postfix"] if wanted.get("postfix") else []))
    if reason:
        pytest.skip(reason)
    with lab_package.isp(**wanted) as built:
        yield built


@pytest.fixture
def lab(_module_lab):
    """The module's lab, with no rules in any host that routes."""
    clean(_module_lab)
    return _module_lab


@pytest.fixture
def porteiro(tmp_path):
    """The program, with a policy file and a state folder of its own; what it started is ended with the test."""
    if not os.access(PROGRAM, os.X_OK):
        pytest.skip(f"{PROGRAM} is not built: run make")
    program = Porteiro(PROGRAM, tmp_path)
    yield program
    program.close()


def _counts(config):
    stats = config.pluginmanager.get_plugin("terminalreporter").stats
    return {name: sum(len(stats.get(each, ())) for each in kinds) for name, kinds in
            {"passed": ("passed",), "failed": ("failed", "error"), "skipped": ("skipped",)}.items()}


def pytest_unconfigure(config):
    if hasattr(config, "workerinput") or config.option.collectonly:
        return
    counts = _counts(config)
    if os.environ.get("PORTEIRO_TEST_COUNTS"):
        pathlib.Path(os.environ["PORTEIRO_TEST_COUNTS"]).write_text("{passed} {failed} {skipped}\n".format(**counts))
    print("pytest: {passed} passed, {failed} failed, {skipped} skipped".format(**counts))
