"""Reports as files: whole or not at all, whoever else writes, and wherever the name leads."""

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Thread

import pytest

from cache.errors import BadInput
from recommender.reports.files import write_whole

posix = pytest.mark.skipif(os.name != "posix", reason="FIFOs, links and permissions of POSIX")


def test_writers_of_one_file_do_not_tear_it(tmp_path: Path) -> None:
    """Each reading finds one whole text, and no writer fails; nothing else is left."""
    target, together, n = tmp_path / "index.html", Barrier(5), 40
    texts = [f"{writer}" * 200_000 for writer in range(4)]
    write_whole(target, texts[0])

    def write(text: str) -> None:
        together.wait()
        for _ in range(n):
            write_whole(target, text)

    with ThreadPoolExecutor(4) as pool:
        written = [pool.submit(write, text) for text in texts]
        together.wait()
        while not all(each.done() for each in written):
            assert target.read_text() in [f"{text}\n" for text in texts]
        for each in written:
            each.result()
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]


@posix
def test_a_new_file_has_the_usual_permissions_and_an_old_one_keeps_its_own(tmp_path: Path) -> None:
    """A report for others stays readable to them, a private one private."""
    target, plain = tmp_path / "report.md", tmp_path / "plain"
    plain.write_text("")
    write_whole(target, "one")
    assert target.stat().st_mode == plain.stat().st_mode
    target.chmod(0o640)
    write_whole(target, "two")
    assert (stat.S_IMODE(target.stat().st_mode), target.read_text()) == (0o640, "two\n")


@posix
def test_a_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    """Also where the target is not there yet, and in another folder."""
    (tmp_path / "there").mkdir()
    for name in ("old.md", "new.md"):
        link, target = tmp_path / name, tmp_path / "there" / name
        link.symlink_to(target)
        if name == "old.md":
            target.write_text("before")
        write_whole(link, "text")
        assert link.is_symlink()
        assert target.read_text() == "text\n"
    assert len(list((tmp_path / "there").iterdir())) == 2


@posix
def test_links_in_a_circle_are_told(tmp_path: Path) -> None:
    """One line, and the link stays."""
    link = tmp_path / "report.md"
    link.symlink_to(link)
    with pytest.raises(BadInput, match="symbolic links; name another file"):
        write_whole(link, "text")
    assert link.is_symlink()


@posix
def test_a_fifo_is_written_into(tmp_path: Path) -> None:
    """Its reader gets the text, and it stays a FIFO."""
    pipe = tmp_path / "report.md"
    os.mkfifo(pipe)
    writer = Thread(target=write_whole, args=(pipe, "text"))
    writer.start()
    assert pipe.read_text() == "text\n"
    writer.join()
    assert pipe.is_fifo()


@posix
@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="no /dev here")
def test_a_stream_of_the_shell_is_written_into(tmp_path: Path) -> None:
    """A pipe, and a file to which the shell appends; a device stays a device."""
    write_whole(Path("/dev/null"), "text")
    assert Path("/dev/null").is_char_device()
    code = (
        "from pathlib import Path; from recommender.reports.files import write_whole; "
        "write_whole(Path('/dev/stdout'), 'text')"
    )
    said = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True).stdout
    assert said == b"text\n"
    log = tmp_path / "log"
    log.write_text("before\n")
    with log.open("a") as appended:
        subprocess.run([sys.executable, "-c", code], stdout=appended, check=True)
    assert log.read_text() == "before\ntext\n"
