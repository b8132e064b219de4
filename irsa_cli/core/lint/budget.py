"""How much work the Terraform files of a folder may cause, whatever they say."""

from __future__ import annotations

from dataclasses import dataclass


class TooMuch(Exception):
    """The files of a folder need more than their budget; the text says what."""


@dataclass
class Budget:
    """The work that the files of a folder may cause, in steps: about one for each value.

    Each file adds to it, so a large file has enough, and a small one that repeats itself has not.
    """

    steps: int = 300_000
    instances: int = 10_000
    """Elements of all `for_each`; each of them is an object to check."""

    def add(self, text: str) -> None:
        """Add what a file that says everything once needs at most."""
        self.steps += len(text)

    def spend(self, steps: int) -> None:
        """Raises `TooMuch`."""
        self.steps -= steps
        if self.steps < 0:
            raise TooMuch("its loops and references stand for too many values")

    def spend_instances(self, count: int) -> None:
        """Raises `TooMuch`."""
        self.instances -= count
        if self.instances < 0:
            raise TooMuch("its for_each stand for too many objects")
