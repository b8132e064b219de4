"""Configuration files: which there are, and what they say together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from irsa_cli.core.config.documents import parse
from irsa_cli.core.config.model import Config, distinct
from irsa_cli.core.values.errors import InvalidInput, IrsaError
from irsa_cli.usecases.texts import STDIN, files_in, read_text

T = TypeVar("T")

_ENDINGS = (".yaml", ".yml", ".json")


def read_configs(paths: Sequence[str]) -> list[Config]:
    """The configurations in these files and folders, in order; `-` is standard input.

    Of a folder: .yaml, .yml and .json, not in subfolders. Raises `InvalidInput` with all problems.
    """
    found: dict[str, list[Config]] = {}
    problems: list[InvalidInput] = []
    for path in dict.fromkeys(paths):
        before = len(problems)
        files = _tried(_files, path, problems)
        found |= {file: _tried(_configs, file, problems) for file in files if file not in found}
        if len(problems) == before and not any(found[file] for file in files):
            what = "standard input" if path == STDIN else path
            problems.append(InvalidInput(f"{what} holds no document"))
    configs = [config for part in found.values() for config in part]
    try:
        distinct(configs)
    except InvalidInput as error:
        problems.append(error)
    if len(problems) == 1:
        raise problems[0]
    if problems:
        lines = [line for error in problems for line in error.details or (str(error),)]
        raise InvalidInput(f"the files have {len(lines)} problems", details=lines)
    return configs


def _tried(read: Callable[[str], list[T]], path: str, problems: list[InvalidInput]) -> list[T]:
    """The result of a reader, or nothing and one more problem."""
    try:
        return read(path)
    except InvalidInput as error:
        problems.append(error)
        return []


def _configs(file: str) -> list[Config]:
    if file == STDIN:
        return parse(read_text(STDIN), "standard input", partial(_from_folder, Path()))
    return parse(read_text(file), file, partial(_from_folder, Path(file).parent))


def _files(path: str) -> list[str]:
    if path == STDIN or not Path(path).is_dir():
        return [path]
    problems: list[IrsaError] = []
    inside = files_in(Path(path), _ENDINGS, problems, deep=False)
    if problems:
        raise problems[0]
    if not inside:
        raise InvalidInput(f"{path} has no file that ends in {', '.join(_ENDINGS)}")
    return [str(item) for item in inside]


def _from_folder(folder: Path, name: str) -> str:
    """The text of a policy document that a configuration in this folder names."""
    return read_text(folder / name)
