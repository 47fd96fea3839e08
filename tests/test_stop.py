# SPDX-License-Identifier: GPL-3.0-or-later
"""porteiro run, told to stop while it is still starting: a SIGTERM that a duty gets between fork and exec is not lost."""
import time

import pytest

from lab import Lab


@pytest.mark.needs("nft")
def test_told_to_stop_while_it_starts_it_stops_at_once(porteiro):
    with Lab() as lab:
        porteiro = porteiro.at(lab.host("router"))
        for count in range(40):
            run = porteiro.start("run")
            time.sleep(count % 20 * 0.002)
            run.terminate()
            run.wait(3)     # the supervisor's own patience with a duty is longer
