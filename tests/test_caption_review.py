"""``caption --review`` in a real terminal, key by key."""

from __future__ import annotations

import hashlib
import os
import re
import select
import struct
import sys
import time
from pathlib import Path
from typing import ClassVar

import pytest
from caption_runs import Looking, captions, run, unfinished
from conftest import write_picture
from PIL import Image
from rich.color import Color

from albumkit.captioning import caption_album
from albumkit.ledger import Ledger
from albumkit.report.picture import picture_lines, side_by_side

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs a pseudo terminal")

ROOT = Path(__file__).parent.parent
CALL = "from albumkit.cli.main import run; run()"
#: What a walk ends with.
END = re.compile(r"looked at \d+ of \d+: accepted \d+, written \d+")


class Terminal:
    """A process with a terminal of 80 columns and 30 lines."""

    #: What it answers to questions of the program.
    replies: ClassVar[dict[bytes, bytes]] = {}

    def __init__(self, folder: Path, *words: str, editor: str = "true") -> None:
        import fcntl
        import pty
        import termios

        environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "EDITOR": editor}
        environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), *sys.path])
        environment.pop("VISUAL", None)
        self.text = ""
        self.pid, self.handle = pty.fork()
        if not self.pid:
            os.chdir(folder)
            os.execve(sys.executable, [sys.executable, "-c", CALL, *words], environment)
        fcntl.ioctl(self.handle, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 80, 0, 0))

    def until(self, words: str, seconds: float = 60.0) -> str:
        """What came since the last call, when these words have been printed."""
        end, new = time.monotonic() + seconds, ""
        while words not in plain(new):
            assert time.monotonic() < end, f"{words!r} never came: {plain(new)[-2000:]}"
            if select.select([self.handle], [], [], 0.2)[0]:
                try:
                    data = os.read(self.handle, 1 << 16)
                except OSError:  # it has ended
                    data = b""
                for query, reply in self.replies.items():
                    if query in data:
                        os.write(self.handle, reply)
                assert data, f"it ended before {words!r}: {plain(new)[-2000:]}"
                new += data.decode("utf-8", "replace")
        self.text += new
        return new

    def press(self, key: str, words: str) -> str:
        os.write(self.handle, key.encode())
        return self.until(words)

    def ends(self) -> int:
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.handle)
        return code


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "")


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Four pictures: two captioned by the machine, one by a person (well), one without."""
    album = unfinished(tmp_path / "cat", 4)
    (album / "IMG_02.txt").write_text("TOK ceramic cat in the garden at noon, close-up")
    run(album, Looking(), only=["IMG_00.*", "IMG_01.*"])
    return album


def test_a_walk_accepts_edits_writes_and_skips(album):
    before = captions(album)
    terminal = Terminal(album.parent, "caption", "cat", "--review", editor="sed -i s/wooden/oak/")
    first = terminal.until("q  quit")
    assert "\u2580" in first, "the picture"
    assert "IMG_00.png   1 of 3   by the machine" in plain(first)
    assert "a photo of TOK ceramic cat on a wooden shelf" in plain(first)
    edited = terminal.press("e", "written")
    assert "a photo of TOK ceramic cat on a oak shelf" in plain(edited)
    assert "IMG_00.png   1 of 3   yours" in plain(edited)
    terminal.press("s", "IMG_01.png   2 of 3   by the machine")
    terminal.press("a", "IMG_03.png   3 of 3   no caption yet")
    terminal.press("b", "IMG_01.png   2 of 3")
    terminal.press("s", "IMG_03.png   3 of 3")
    ended = terminal.press("s", "takes the last one back")
    assert "looked at 3 of 3: accepted 1, written 1" in plain(ended)
    assert terminal.ends() == 0
    now = captions(album)
    assert now.pop("IMG_00.txt") == before.pop("IMG_00.txt").replace("wooden", "oak")
    assert now == before
    redo = caption_album(album, Looking, which="redo", fresh=True, dry=True)
    assert [one.path for one in redo.outcomes] == ["IMG_03.png"], "edited and accepted ones are the person's"


def test_a_caption_is_written_where_there_is_none(album, tmp_path):
    text = tmp_path / "text"
    text.write_text("TOK ceramic cat in a drawer with spoons, dim light, from above")
    terminal = Terminal(
        album.parent, "caption", "cat", "--review", "--files", "IMG_03.*", editor=f"cp {text}"
    )
    terminal.until("e  write one")
    terminal.press("e", "IMG_03.png   1 of 1   yours")
    terminal.press("q", "looked at 0 of 1")
    assert terminal.ends() == 0
    assert captions(album)["IMG_03.txt"] == text.read_text()


def test_what_changes_nothing_writes_nothing(album, tmp_path):
    (tmp_path / "blank").write_text(" \n")
    before = captions(album)
    for editor, words in (
        ("true", "nothing was changed"),
        (f"cp {tmp_path / 'blank'}", "blank: left as it was"),
    ):
        terminal = Terminal(album.parent, "caption", "cat", "--review", editor=editor)
        terminal.until("q  quit")
        terminal.press("e", words)
        terminal.press("q", "looked at 0 of 3: accepted 0, written 0")
        assert terminal.ends() == 0
    assert captions(album) == before


def test_only_what_a_rule_finds(album):
    (album / "IMG_01.txt").write_text("a beautiful cat on a wooden shelf in soft light")
    terminal = Terminal(album.parent, "caption", "cat", "--review", "--only", "policy/never_say")
    shown = plain(terminal.until("q  quit"))
    assert "IMG_01.png   1 of 1   yours" in shown
    assert 'policy/never_say: It says "beautiful"' in shown
    assert "trigger-absent" not in shown
    terminal.press("q", "looked at 0 of 1")
    assert terminal.ends() == 0


def test_a_picture_that_cannot_be_shown_does_not_end_the_walk(album):
    (album / "IMG_03.png").write_bytes(b"no picture")
    terminal = Terminal(album.parent, "caption", "cat", "--review", "--files", "IMG_03.*")
    assert "IMG_03.png: not a picture that can be read." in plain(terminal.until("q  quit"))
    terminal.press("q", "looked at 0 of 1")
    assert terminal.ends() == 0


def test_when_all_is_looked_at_it_says_so(album):
    (album / "IMG_03.png").unlink()
    terminal = Terminal(album.parent, "caption", "cat", "--review")
    terminal.until("q  quit")
    terminal.press("a", "2 of 2")
    terminal.press("a", "accepted 2")
    assert terminal.ends() == 0
    terminal = Terminal(album.parent, "caption", "cat", "--review")
    terminal.until("nothing to look at: 3 captions are yours or accepted")
    assert terminal.ends() == 0
    terminal = Terminal(album.parent, "caption", "cat", "--review", "--all")
    assert "IMG_00.png   1 of 3   by the machine, accepted" in plain(terminal.until("q  quit"))
    terminal.press("q", "looked at 0 of 3")
    assert terminal.ends() == 0


def test_an_accepted_caption_is_in_the_ledger(album):
    terminal = Terminal(album.parent, "caption", "cat", "--review", "--files", "IMG_00.*")
    terminal.until("q  quit")
    terminal.press("a", "accepted 1")
    assert terminal.ends() == 0
    files = [album / "IMG_00.png", album / "IMG_00.txt"]
    media, sidecar = (hashlib.sha256(file.read_bytes()).hexdigest() for file in files)
    with Ledger() as ledger:
        found = ledger.find("caption", media, sidecar)
    assert found is not None
    assert found.note == {"what": "review", "accepted": True}


def test_a_terminal_that_can_draw_gets_pixels(album, monkeypatch):
    """One that says it knows Sixel (DA1 with 4) and how large its cells are."""
    pytest.importorskip("textual_image")
    monkeypatch.setattr(Terminal, "replies", {b"\x1b[c": b"\x1b[?62;4c", b"\x1b[16t": b"\x1b[6;20;10t"})
    terminal = Terminal(album.parent, "caption", "cat", "--review")
    first = terminal.until("q  quit")
    assert "\x1bP" in first, "a picture in Sixel"
    assert "\u2580" not in first
    terminal.press("s", "2 of 3")
    terminal.press("q", "looked at 1 of 3")
    assert terminal.ends() == 0


# The picture itself


def test_a_picture_is_drawn_whole_with_square_pixels():
    image = Image.new("RGB", (200, 100), (10, 20, 30))
    image.paste((200, 100, 0), (0, 50, 200, 100))
    lines = picture_lines([image], 40, 30)
    assert (len(lines), {len(line) for line in lines}) == (10, {40})
    top, bottom = lines[0].spans[0].style, lines[-1].spans[0].style
    assert top.color == top.bgcolor == Color.from_rgb(10, 20, 30)
    assert bottom.color == bottom.bgcolor == Color.from_rgb(200, 100, 0)
    assert {line.plain for line in lines} == {"\u2580" * 40}


@pytest.mark.parametrize("size", [(10, 1000), (1000, 10), (1, 1), (333, 777)])
def test_a_picture_never_leaves_its_room(size):
    lines = picture_lines([Image.new("RGB", size)], 33, 12)
    assert 1 <= len(lines) <= 12
    assert all(len(line) <= 33 for line in lines)


def test_the_sides_of_a_pair_stand_beside_each_other():
    lines = picture_lines([Image.new("RGB", (10, 10)), Image.new("RGB", (10, 20))], 42, 10)
    assert len(lines) == 10
    assert {line.plain for line in lines} == {"\u2580" * 20 + "  " + "\u2580" * 10}


def test_a_stream_of_ascii_gets_coloured_blanks():
    lines = picture_lines([Image.new("RGB", (20, 20), (9, 9, 9))], 20, 20, ascii_only=True)
    assert {line.plain for line in lines} == {" " * 20}
    assert lines[0].spans[0].style.bgcolor == Color.from_rgb(9, 9, 9)
    assert len(lines) == 10


def test_a_pair_is_reviewed_with_both_sides(tmp_path):
    from caption_runs import EDIT

    album = unfinished(tmp_path / "pairs", 1, EDIT)
    write_picture(album / "IMG_00_start.png", shade=200)
    terminal = Terminal(tmp_path, "caption", "pairs", "--review")
    shown = terminal.until("q  quit")
    assert re.search("\u2580  ", plain(shown)), "a gap between the sides"
    terminal.press("q", "looked at 0 of 1")
    assert terminal.ends() == 0


def test_pictures_become_one_for_terminals_that_draw():
    whole = side_by_side([Image.new("RGB", (40, 20), (9, 0, 0)), Image.new("RGB", (100, 200), (0, 9, 0))])
    assert whole.size == (40 + 1 + 10, 20)
    assert (whole.getpixel((0, 0)), whole.getpixel((50, 19))) == ((9, 0, 0), (0, 9, 0))
