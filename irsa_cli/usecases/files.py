"""Configuration files: which there are, and their text.

What they say is `irsa_cli.core.config`'s business.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from irsa_cli.core.config import Config, distinct, parse
from irsa_cli.core.errors import InvalidInput

STDIN = "-"
_ENDINGS = (".yaml", ".yml", ".json")


def read_configs(paths: Sequence[str]) -> list[Config]:
    """The configurations in these files and folders, in order; `-` is standard input.

    Of a folder, the files that end in .yaml, .yml and .json are read, by their names; not those in folders
    below it. Raises `InvalidInput` for what can't be read, and for a ServiceAccount given in two places.
    """
    found: list[Config] = []
    for file in dict.fromkeys(file for path in paths for file in _files(path)):
        if file == STDIN:
            found += parse(_stdin(), "standard input", partial(_beside, Path()))
        else:
            found += parse(_text(Path(file)), file, partial(_beside, Path(file).parent))
    distinct(found)
    return found


def _files(path: str) -> Iterator[str]:
    if path == STDIN or not Path(path).is_dir():
        yield path
        return
    try:
        inside = sorted(item for item in Path(path).iterdir() if item.suffix in _ENDINGS and item.is_file())
    except OSError as error:
        raise InvalidInput(f"{path} can't be read", reason=error.strerror or str(error)) from error
    if not inside:
        raise InvalidInput(f"{path} has no file that ends in {', '.join(_ENDINGS)}")
    yield from map(str, inside)


def _beside(folder: Path, name: str) -> str:
    """The text of a policy document that a configuration in this folder names."""
    return _text(folder / name)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InvalidInput(f"{path} can't be read", reason=error.strerror or str(error)) from error
    except ValueError as error:  # not UTF-8, or a NUL in the name
        raise InvalidInput(f"{path} can't be read", reason=str(error)) from error


def _stdin() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput("standard input can't be read", reason=str(error)) from error
