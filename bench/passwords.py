# SPDX-License-Identifier: GPL-3.0-or-later
"""What one check of a password costs; mail.db of 75,000 mailboxes, whole and after one change."""
import ctypes
import pathlib
import tempfile
import time

from common import PORTEIRO, ROUNDS, Timed, line, median, title

MAILBOXES = 75_000
HASH = "$1$abcdefgh$ZudLVuoYVVJqQvxPdfFIc0"


def crypt_ms(setting):
    """Of libcrypt itself, as auth/password.c calls it."""
    crypt = ctypes.CDLL("libcrypt.so.1").crypt
    crypt.restype = ctypes.c_char_p
    times = []
    for _ in range(10):
        start = time.perf_counter()
        crypt(b"trilho cebola quartzo", setting)
        times.append(time.perf_counter() - start)
    return median(times) * 1000


def main():
    title(f"passwords: {MAILBOXES:,} mailboxes, median of {ROUNDS}")
    line("one check, yescrypt at our cost", f"{crypt_ms(b'$y$j9T$abcdefghijklmnopqrstu.'):.1f} ms")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        state = folder / "state"
        where = ("--state", state)
        folder.joinpath("s.csv").write_text("id\n" + "".join(f"{i}\n" for i in range(MAILBOXES)))
        folder.joinpath("m.csv").write_text("address,subscriber,principal\n" + "".join(
            f"m{i}@example.net,{i},yes\n" for i in range(MAILBOXES)))
        folder.joinpath("p.csv").write_text("address,hash\n" + "".join(f"m{i}@example.net,{HASH}\n" for i in range(MAILBOXES)))
        Timed(PORTEIRO, "subscriber", "import", folder / "s.csv", *where)
        Timed(PORTEIRO, "domain", "add", "example.net", "--abuse", "desk@example.org", *where)
        Timed(PORTEIRO, "mailbox", "import", folder / "m.csv", *where)
        line("import of hashes, with mail.db", f"{Timed(PORTEIRO, 'mailbox', 'passwords', 'import', folder / 'p.csv', *where).seconds:.2f} s")
        runs = {"a command with one change": [], "the same, and mail.db made anew": []}
        for i in range(ROUNDS):
            for n, what in enumerate(runs):
                if n:
                    (state / "mail" / "mail.db").unlink()
                runs[what].append(Timed(PORTEIRO, "mailbox", "app-password", "add", "m7@example.net", f"label {i} {n}", *where).seconds)
        for what, times in runs.items():
            line(what, f"{median(times) * 1000:.0f} ms")
        line("mail.db", f"{(state / 'mail' / 'mail.db').stat().st_size / 1e6:.0f} MB")


main()
