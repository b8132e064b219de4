"""A spinner with a text on a terminal. Imports rich, so it is imported for a terminal only."""

from __future__ import annotations

import sys
import time

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner as Turning
from rich.text import Text

from irsa_cli.cli.terminal.screen import has_colour, is_unicode


class Spinner:
    """A spinner with a text on standard error, and lines above it; it leaves nothing when it stops."""

    def __init__(self, text: str) -> None:
        coloured = has_colour(sys.stderr)
        self._console = Console(
            file=sys.stderr,
            force_terminal=True,
            no_color=not coloured,
            color_system="standard" if coloured else None,
            highlight=False,
        )
        name = "dots" if is_unicode(sys.stderr) else "line"
        self._turning = Turning(name, style="green")
        self._text = text
        self._started = time.monotonic()
        self._live = Live(
            get_renderable=self._drawn, console=self._console, refresh_per_second=12.5, transient=True
        )

    def start(self) -> None:
        self._live.start(refresh=True)

    def stop(self) -> None:
        self._live.stop()

    def update(self, text: str) -> None:
        self._text = text

    def _drawn(self) -> Turning:
        """Return one line with the time so far; rich could not clear a line that wraps."""
        seconds = int(time.monotonic() - self._started)
        text = f"{self._text} ({seconds} s)" if seconds else self._text
        self._turning.update(text=Text(text, no_wrap=True, overflow="ellipsis"))
        return self._turning

    def print(self, text: str) -> None:
        """Print a line above it; the line may have colours."""
        self._console.print(Text.from_ansi(text), soft_wrap=True)
