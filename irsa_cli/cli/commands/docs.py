"""`irsa docs`: the documentation of this version, on this machine."""

from __future__ import annotations

import re
import signal
import sys
from pathlib import Path

import click

import irsa_cli
from irsa_cli.cli.help.helping import HelpedCommand, alike
from irsa_cli.cli.output.table import table_lines
from irsa_cli.cli.terminal.screen import has_colour, is_terminal

_INSTALLED = ("share", "doc", "irsa")
"""The folder of the pages in an installed wheel (pyproject.toml)."""


@click.command("docs", cls=HelpedCommand)
@click.argument("page", required=False)
def command(page: str | None) -> int:
    """Read the documentation of this version.

    Without PAGE, it lists the pages and their folder on this machine.

    Examples:
      irsa docs
      irsa docs how-to/recover
    """
    folder = _folder()
    pages = {
        path.relative_to(folder).with_suffix("").as_posix(): path for path in sorted(folder.rglob("*.md"))
    }
    if page is None:
        click.echo(f"Pages in {folder} (to read one: irsa docs PAGE):\n")
        for line in table_lines((), [[name, _title(path)] for name, path in pages.items()], None):
            click.echo(line)
        return 0
    name = page.removeprefix("docs/").removesuffix(".md").strip("/")
    names = {each.rpartition("/")[2]: each for each in pages} | {each: each for each in pages}
    if name not in names:
        near = alike(name, names, names.get) or "To list the pages: irsa docs"
        message = " ".join(filter(None, (f"there is no page '{page}'.", near)))
        raise click.BadParameter(message, param_hint="PAGE")
    _read(re.sub(r"<!--.*?-->\n?", "", pages[names[name]].read_text(encoding="utf-8"), flags=re.DOTALL))
    return 0


def _folder() -> Path:
    """The folder of the pages: next to the source, or of the installed wheel."""
    package = Path(irsa_cli.__file__).parent
    for place in (
        package.parent / "docs",
        *(up.joinpath(*_INSTALLED) for up in (Path(sys.prefix), *package.parents)),
    ):
        if (place / "index.md").is_file():
            return place
    raise click.ClickException("the documentation was not installed with irsa")


def _title(path: Path) -> str:
    with path.open(encoding="utf-8") as lines:
        return next((line[2:].strip() for line in lines if line.startswith("# ")), "")


def _read(text: str) -> None:
    """Print a page: on a terminal formatted and in a pager, otherwise as it is."""
    if not is_terminal(sys.stdout):
        click.echo(text, nl=False)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console(no_color=not has_colour(sys.stdout))
    with console.capture() as captured:
        console.print(Markdown(text))
    # The pager also gets Ctrl-C and continues, so irsa must outlive it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    click.echo_via_pager(captured.get(), color=has_colour(sys.stdout))
