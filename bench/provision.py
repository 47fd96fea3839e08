# SPDX-License-Identifier: GPL-3.0-or-later
"""50,000 subscribers with 75,000 mailboxes by the file: in, in again, tried, out; one page of them."""
import pathlib
import tempfile

from common import HEAD, PORTEIRO, ROUNDS, Timed, line, median, title

SUBSCRIBERS, MAILBOXES = 50_000, 75_000


def files(folder):
    """A policy, and the two files: every tenth mailbox forwards, every seventh has a limit of its own."""
    folder.joinpath("p.conf").write_text(HEAD + "class home { port25 block  quota 2G }\npool p { class home prefix 192.0.2.0/24 }\n")
    folder.joinpath("s.csv").write_text("id,name,class,language,lines\n" + "".join(
        f"{i},Customer {i},home,pt-BR,user:u{i}@example.net\n" for i in range(SUBSCRIBERS)))
    folder.joinpath("m.csv").write_text("address,subscriber,principal,name,forward,limits\n" + "".join(
        f"m{i}@example.net,{i % SUBSCRIBERS},{'yes' if i < SUBSCRIBERS else 'no'},Customer {i},"
        f"{f'x{i}@example.org' if i % 10 == 0 else ''},{'quota=5G' if i % 7 == 0 else ''}\n" for i in range(MAILBOXES)))


def main():
    runs = {}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        files(folder)
        for i in range(ROUNDS):
            where = ("-c", folder / "p.conf", "--state", folder / f"state{i}")
            Timed(PORTEIRO, "domain", "add", "example.net", "--abuse", "desk@example.org", *where)
            for what, words in (("subscriber import", ("subscriber", "import", folder / "s.csv")),
                                ("mailbox import", ("mailbox", "import", folder / "m.csv")),
                                ("mailbox import, the same again", ("mailbox", "import", folder / "m.csv")),
                                ("mailbox import --dry-run", ("mailbox", "import", folder / "m.csv", "--dry-run")),
                                ("mailbox export", ("mailbox", "export")),
                                ("mailbox list, a page of 50", ("mailbox", "list", "--after", "m5", "--most", "50"))):
                runs.setdefault(what, []).append(Timed(PORTEIRO, *words, *where))
    title(f"{SUBSCRIBERS:,} subscribers, {MAILBOXES:,} mailboxes, median of {ROUNDS}")
    for what, times in runs.items():
        line(what, f"{median([t.seconds for t in times]):.2f} s, {max(t.peak for t in times) / 1024:.0f} MB")


main()
