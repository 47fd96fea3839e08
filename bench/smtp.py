# SPDX-License-Identifier: GPL-3.0-or-later
"""The protocol without sockets: bytes a second of a message, time a command, memory of an idle conversation."""
import pathlib
import subprocess
import tempfile

from common import compiled, line, title

WANTED = {"data in": "over 1 GB/s", "data out": "over 1 GB/s", "idle server": "under 512 bytes with the driver's"}

with tempfile.TemporaryDirectory(prefix="porteiro-smtp-") as name:
    title("SMTP without sockets")
    for row in subprocess.run([compiled("smtp", pathlib.Path(name))], capture_output=True, text=True, check=True).stdout.splitlines():
        line(row[:12].strip(), row[12:].strip(), WANTED.get(row[:12].strip()))
