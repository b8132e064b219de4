"""Reading configuration files and folders; all problems are reported together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from irsa_cli.core.config.documents import parse
from irsa_cli.core.config.model import Config, distinct
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.usecases.texts import STDIN, files_named, read_text

T = TypeVar("T")

_ENDINGS = (".yaml", ".yml", ".json")


def read_configs(paths: Sequence[str], *, deletes: bool = False) -> list[Config]:
    """The configurations in these files and folders, in order; `-` is standard input.

    Of a folder: .yaml, .yml and .json, not in subfolders. Raises `InvalidInput` with all problems.
    `deletes`: as for `parse`.
    """
    reader = _ConfigReader(deletes)
    for path in dict.fromkeys(paths):
        reader.read(path)
    configs = [config for documents in reader.documents.values() for config in documents]
    reader.attempt(lambda: distinct(configs))
    reader.check()
    return configs


@dataclass
class _ConfigReader:
    """The documents of each file, and the problems with them."""

    deletes: bool
    documents: dict[str, list[Config]] = field(default_factory=dict)
    problems: list[InvalidInput] = field(default_factory=list)

    def attempt(self, work: Callable[[], T]) -> T | None:
        """The result, or None and one more problem."""
        try:
            return work()
        except InvalidInput as error:
            self.problems.append(error)
            return None

    def read(self, path: str) -> None:
        """Read a file, or the files of a folder, that were not read before."""
        before = len(self.problems)
        files = self.attempt(lambda: files_named(path, _ENDINGS)) or []
        for file in files:
            if file not in self.documents:
                self.documents[file] = self.attempt(partial(self._parsed, file)) or []
        if len(self.problems) == before and not any(self.documents[file] for file in files):
            name = "standard input" if path == STDIN else path
            self.problems.append(InvalidInput(f"{name} holds no document"))

    def _parsed(self, file: str) -> list[Config]:
        name, folder = (file, Path(file).parent) if file != STDIN else ("standard input", Path())
        # A configuration names policy documents, as seen from its folder.
        return parse(read_text(file), name, lambda other: read_text(folder / other), deletes=self.deletes)

    def check(self) -> None:
        """Raise `InvalidInput` with all problems."""
        if len(self.problems) == 1:
            raise self.problems[0]
        if self.problems:
            lines = [line for error in self.problems for line in error.details or (str(error),)]
            raise InvalidInput(f"the files have {len(lines)} problems", details=lines)
