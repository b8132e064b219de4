"""A label for the identity in the prompt of an interactive shell: one without arguments or with `-i`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

_BASH = """\
[ -f ~/.bashrc ] && . ~/.bashrc
__irsa_prompt() {{ case "$PS1" in {label}*) ;; *) PS1={label}"$PS1" ;; esac; }}
__irsa_prompt
# Whatever sets the prompt again before each line has done so by then.
if [[ $(declare -p PROMPT_COMMAND 2>/dev/null) == "declare -a"* ]]; then
  PROMPT_COMMAND+=(__irsa_prompt)
else
  PROMPT_COMMAND="${{PROMPT_COMMAND:+$PROMPT_COMMAND$'\\n'}}__irsa_prompt"
fi
"""
_ZSH = """\
{restore}
[[ -f "${{ZDOTDIR:-$HOME}}/.zshenv" ]] && source "${{ZDOTDIR:-$HOME}}/.zshenv"
__irsa_prompt() {{ [[ "$PROMPT" == {label}* ]] || PROMPT={label}"$PROMPT"; }}
typeset -ga precmd_functions
precmd_functions+=(__irsa_prompt)
"""
_SH = """\
{restore}
[ -n "${{ENV:-}}" ] && eval "__irsa_env=\\"$ENV\\"" && [ -r "$__irsa_env" ] && . "$__irsa_env"
case "${{PS1:-}}" in {label}*) ;; *) PS1={label}"${{PS1:-$ }}" ;; esac
"""


@dataclass(frozen=True)
class Start:
    """How a shell is started: its command, variables to add, and files (name, text) to put into a folder."""

    command: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


def labelled(command: Sequence[str], caller: Mapping[str, str], folder: str, label: str) -> Start | None:
    """How to start this shell with a label in its prompt, None for a command that is no interactive shell.

    `folder` will hold the files; `caller` is the environment with the user's own locations.
    """
    shell = PurePath(command[0]).name.lstrip("-")
    if list(command[1:]) not in ([], ["-i"]):
        return None
    text = shlex.quote(f"[{label}] ")
    if shell == "bash":
        file = f"{folder}/bashrc"
        started = (command[0], "--rcfile", file, *command[1:])
        return Start(started, files={"bashrc": _BASH.format(label=text)})
    if shell == "zsh":
        rc = _ZSH.format(label=text, restore=_restore("ZDOTDIR", caller))
        return Start(tuple(command), {"ZDOTDIR": f"{folder}/zsh"}, {"zsh/.zshenv": rc})
    if shell in ("sh", "dash", "ash", "ksh"):
        rc = _SH.format(label=text, restore=_restore("ENV", caller))
        return Start(tuple(command), {"ENV": f"{folder}/shrc"}, {"shrc": rc})
    return None


def _restore(name: str, caller: Mapping[str, str]) -> str:
    return f"export {name}={shlex.quote(caller[name])}" if name in caller else f"unset {name}"
