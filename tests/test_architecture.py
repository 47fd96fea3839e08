# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/architecture.md against the sources: floors, files, duties."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs" / "architecture.md").read_text()


def test_includes_go_down_or_stay():
    line, = re.findall(r"^`base` · .*`main`$", TEXT, re.M)
    floors = {room: floor for floor, rooms in enumerate(line.split("·")) for room in re.findall(r"`(\w+)`", rooms)}
    wrong = []
    for path in sorted((ROOT / "src").glob("**/*.[ch]")):
        room = path.parent.name if path.parent.name != "src" else path.stem
        for other in re.findall(r'^#include "(\w+)/', path.read_text(), re.M):
            if other != room and floors[other] >= floors[room]:
                wrong.append(f"{path.relative_to(ROOT)} includes {other}/")
    assert not wrong


def test_every_room_is_described():
    for room in (path.name for path in (ROOT / "src").iterdir() if path.is_dir() and list(path.glob("*.c"))):
        assert f"`src/{room}/" in TEXT, room


def test_files_named_are_there():
    for name in re.findall(r"`((?:src|tests|docs|man|packaging|fuzz)/[\w./]+\.\w+)`", TEXT):
        assert (ROOT / name).exists(), name


def test_every_duty_is_described():
    duties = re.findall(r'^        \{ "(\w+)",', (ROOT / "src" / "run" / "duties.c").read_text(), re.M)
    assert len(duties) == 9
    for duty in duties:
        assert re.search(rf"^\| `{duty}` \|", TEXT, re.M), duty
