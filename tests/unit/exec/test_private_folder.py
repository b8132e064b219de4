"""The token's folder: for its user only, read whole or not at all, gone at the end, or swept later."""

import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from irsa_cli.usecases.exec.run import PrivateFolder, sweep

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_nobody_else_may_read_it(place: Path) -> None:
    before = os.umask(0)
    try:
        with PrivateFolder() as folder:
            folder.write("token", "secret")
            folder.write("sub/file", "secret")
            modes = {
                path.name: path.stat().st_mode & 0o777 for path in [folder.path, *folder.path.rglob("*")]
            }
    finally:
        os.umask(before)
    assert modes.pop(folder.path.name) == modes.pop("sub") == 0o700
    assert set(modes.values()) == {0o600}
    assert list(place.iterdir()) == []


def test_it_is_gone_after_an_error(place: Path) -> None:
    def fail() -> None:
        with PrivateFolder() as folder:
            folder.write("token", "secret")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(place.iterdir()) == []


def test_a_reader_sees_the_old_text_or_the_new_one() -> None:
    texts = [character * 100_000 for character in "ab"]
    with PrivateFolder() as folder:
        path = folder.write("token", texts[0])
        over = threading.Event()

        def write() -> None:
            while not over.is_set():
                for text in texts:
                    folder.write("token", text)

        writer = threading.Thread(target=write)
        writer.start()
        seen = {path.read_text() for _ in range(500)}
        over.set()
        writer.join()
    assert seen <= set(texts)


def test_a_late_write_does_not_bring_the_folder_back(place: Path) -> None:
    with PrivateFolder() as folder:
        folder.write("token", "secret")
    folder.write("token", "secret")
    assert list(place.iterdir()) == []


KILLED = """
import os, signal, sys, tempfile
tempfile.tempdir = sys.argv[1]
from irsa_cli.usecases.exec.run import PrivateFolder
with PrivateFolder() as folder:
    folder.write("token", "secret")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def left_behind(place: Path) -> Path:
    subprocess.run([sys.executable, "-c", KILLED, str(place)], cwd=ROOT, check=False, timeout=60)
    (found,) = place.glob("irsa-exec-*")
    return found


def age(folder: Path) -> None:
    os.utime(folder / "lock", (0, 0))


def test_a_folder_whose_process_was_killed_is_swept(place: Path) -> None:
    found = left_behind(place)
    assert (found / "token").exists()
    age(found)
    sweep()
    assert not found.exists()


def test_a_young_folder_is_left_alone(place: Path) -> None:
    found = left_behind(place)
    sweep()
    assert found.exists()


def test_a_folder_in_use_is_left_alone() -> None:
    with PrivateFolder() as folder:
        token = folder.write("token", "secret")
        age(folder.path)
        sweep()
        assert token.exists()


def test_what_only_has_the_name_is_left_alone(place: Path) -> None:
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "lock").write_text("")
    age(elsewhere)
    (place / "irsa-exec-link").symlink_to(elsewhere)
    (place / "irsa-exec-file").write_text("")
    (place / "irsa-exec-empty").mkdir()
    sweep()
    assert len(list(place.iterdir())) == 4
    assert (elsewhere / "lock").exists()
