"""Terraform's modules in other folders: each is checked as it is called, with its callers' values.

https://developer.hashicorp.com/terraform/language/modules/configuration#local-paths
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from irsa_cli.core.config.service_accounts import ReadFile
from irsa_cli.core.lint.hcl import Block, CallOfModule, Module, Names, Source, parse
from irsa_cli.core.values.errors import IrsaError

Texts = Mapping[str, str]
"""The Terraform files of a folder, by their paths."""
_SOURCE = re.compile(r'^\s*source\s*=\s*"(\.{1,2}(?:/[^"]*)?)"', re.MULTILINE)
_MOST_CALLS = 50
"""So many calls of a folder bring budget."""
_DEEPEST = 10
"""The most modules in each other."""


@dataclass
class LocalModules:
    """The folders of a run, each read and parsed once; `files` reads the Terraform files of one."""

    files: Callable[[Path], Texts]
    reader: Callable[[Path], ReadFile]
    called: set[Path] = field(default_factory=set)
    """The folders that were checked as they are called."""
    _texts: dict[Path, Texts] = field(default_factory=dict)
    _blocks: dict[Path, tuple[Block, ...] | None] = field(default_factory=dict)
    _calls: dict[Path, int] = field(default_factory=dict)
    _children: dict[tuple[int, str, str], Module | None] = field(default_factory=dict)
    _alive: list[Module] = field(default_factory=list)
    """The modules whose identity is a key of `_children`."""

    def texts(self, folder: Path) -> Texts:
        if folder not in self._texts:
            self._texts[folder] = self.files(folder)
        return self._texts[folder]

    def is_readable(self, folder: Path) -> bool:
        """Whether a folder has Terraform files, and they are valid."""
        return bool(self._parsed(folder))

    def sources(self, folder: Path) -> set[Path]:
        """The folders that the files of a folder may call."""
        return {
            _resolved(folder, source)
            for text in self.texts(folder).values()
            for source in _SOURCE.findall(text)
        }

    def instances(self, module: Module, block: Block, folder: Path) -> Iterator[Module]:
        """The modules that a block calls: one, or one for each element of a known `for_each`."""
        for key, names in _elements(module, block):
            child = self._child(module, block, folder, names, key)
            if child is not None:
                yield child

    def _child(
        self, module: Module, block: Block, folder: Path, names: Names, key: str = ""
    ) -> Module | None:
        identity = (id(module), block.labels[-1], key)
        if identity not in self._children:
            self._alive.append(module)
            self._children[identity] = None  # In case it calls itself.
            self._children[identity] = self._made(module, block, folder, names, key)
        return self._children[identity]

    def _made(self, module: Module, block: Block, folder: Path, names: Names, key: str) -> Module | None:
        blocks = self._parsed(folder)
        prefix = f"{module.prefix}module.{block.labels[-1]}{key}."
        if not blocks or prefix.count("module.") > _DEEPEST:
            return None
        self._calls[folder] = self._calls.get(folder, 0) + 1
        module.budget.spend_instances(1)
        if self._calls[folder] <= _MOST_CALLS:
            for text in self.texts(folder).values():
                module.budget.add(text)
        child = Module(
            self.reader(folder),
            module.gaps,
            module.budget,
            marks=module.marks,
            call=CallOfModule(module, block, names),
            prefix=prefix,
            child=self.only,
        )
        child.use(blocks)
        self.called.add(folder)
        return child

    def only(self, module: Module, block: Block) -> Module | None:
        """The module that a block calls once; None if it calls several, or none of a folder."""
        folder = folder_of(module, block)
        if folder is None or "for_each" in block.attributes:
            return None
        return next(self.instances(module, block, folder), None)

    def _parsed(self, folder: Path) -> tuple[Block, ...] | None:
        """The blocks of a folder; None if a file of it is not valid, or there is none."""
        if folder not in self._blocks:
            self._blocks[folder] = None
            blocks: list[Block] = []
            try:
                for name, text in self.texts(folder).items():
                    blocks += parse(Source(name, text)).blocks
            except IrsaError:
                return None
            self._blocks[folder] = tuple(blocks)
        return self._blocks[folder]


def folder_of(module: Module, block: Block) -> Path | None:
    """The folder of a module's source; None if it is elsewhere."""
    source = module.get(block, "source")
    if not isinstance(source, str) or (not source.startswith(("./", "../")) and source not in (".", "..")):
        return None
    return _resolved(Path(block.source.name).parent, source)


def _resolved(folder: Path, source: str) -> Path:
    return Path(os.path.normpath(folder / source))


def _elements(module: Module, block: Block) -> Iterator[tuple[str, Names]]:
    """The key in the address and the names of each instance; one with unknown names if they are unknown."""
    elements: Any = module.get(block, "for_each")
    if module.get(block, "count") == 0:
        return
    if not isinstance(elements, dict | list):
        yield "", {}
        return
    pairs = elements.items() if isinstance(elements, dict) else zip(elements, elements, strict=True)
    for key, value in pairs:
        yield f'["{key}"]', {"each": {"key": key, "value": value}}
