# SPDX-License-Identifier: GPL-3.0-or-later
"""What the demo prints with: scenes, what somebody tried, what happened and why; and whether it was as the story says.

    story = Story()
    story.scene("Ana, at home")
    story.row("tried", "...")
    story.happened(outcome.kind == "sent", "✓ delivered", otherwise=str(outcome))
    story.differs                                   # [] when everything that was told is what happened

Colours only on a terminal, and not with NO_COLOR; nothing is wider than WIDTH but a word that is.
"""
import os
import re
import sys
import textwrap

WIDTH = 100
_LABEL = 11
_COLOURS = {"bold": "1", "dim": "2", "red": "1;31", "green": "32", "yellow": "33", "cyan": "1;36"}
_SIGNS = {"✓": "green", "✗": "yellow"}


class Story:
    def __init__(self, out=None):
        self.out = out or sys.stdout
        self.differs = []
        self._scenes = 0
        self._colours = self.out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def paint(self, text, colour):
        return f"\033[{_COLOURS[colour]}m{text}\033[0m" if self._colours else text

    def line(self, text=""):
        print(text, file=self.out, flush=True)

    def scene(self, title):
        self._scenes += 1
        head = f"{self._scenes}. {title} "
        self.line()
        self.line(self.paint(head + "-" * (WIDTH - len(head)), "cyan"))

    def text(self, words):
        """A paragraph."""
        for line in _wrapped(words, WIDTH - 2):
            self.line(f"  {line}")

    def block(self, text, colour=None):
        """Lines as they are, cut where they are too long."""
        for line in text.rstrip("\n").splitlines():
            cut = line if len(line) <= WIDTH - 4 else line[:WIDTH - 5] + "…"
            self.line(("    " + (self.paint(cut, colour) if colour and cut else cut)).rstrip())

    def table(self, text, leave_out=()):
        """The output of a command, without some columns of its table, so that the others are not cut."""
        self.block("\n".join(_without_columns(text.splitlines(), leave_out)))
        if leave_out:
            self.block(f"(left out here: {', '.join(leave_out)})", "dim")

    def command(self, words):
        self.line("  " + self.paint(f"$ {words}", "bold"))

    def row(self, label, words, colour=None):
        """A labelled paragraph: tried, happened, why."""
        colour = colour or _SIGNS.get(words[:1])
        for count, line in enumerate(_wrapped(words, WIDTH - 2 - _LABEL)):
            self.line("  " + self.paint(f"{label if count == 0 else '':{_LABEL}}", "dim")
                      + (self.paint(line, colour) if colour else line))

    def happened(self, right, words, otherwise="", label="happened"):
        """Tell what happened; where it is not what this story says, say so instead. Returns whether it is."""
        if right:
            self.row(label, words)
        else:
            self.differ(f"the story goes: {words.lstrip('✓✗ ')} What happened: {otherwise or 'not that'}", label)
        return bool(right)

    def differ(self, words, label="happened"):
        self.differs.append(words)
        self.row(label, f"NOT AS IT SHOULD BE. {words}", "red")


def _without_columns(lines, leave_out):
    """A table begins with the line that has these titles; its rows have two blanks before each column."""
    starts, cells = [], []
    for line in lines:
        titles = list(re.finditer(r"\S+(?: \S+)*", line))
        if not cells and titles and set(leave_out) <= {title[0] for title in titles}:
            starts = [title.start() for title in titles]
            cells = [slice(start, end) for start, end, title in zip(starts, [*starts[1:], None], titles)
                     if title[0] not in leave_out]
        row = all(not line[start - 2:start].strip() for start in starts[1:])
        yield "".join(line[cell] for cell in cells).rstrip() if cells and row else line


def _wrapped(words, width):
    return textwrap.wrap(words, width, break_long_words=False, break_on_hyphens=False)
