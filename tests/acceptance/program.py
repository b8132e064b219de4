"""irsa as a process of its own, with its own state folder."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.acceptance.place import Json, OutOfBudget, Place

ROOT = Path(__file__).resolve().parents[2]
WROTE = re.compile(r"\s*\+ Role ")
"""The line of progress that tells of a new role."""
PROGRAM = shlex.split(os.environ.get("ACCEPTANCE_PROGRAM", f"{shlex.quote(sys.executable)} -m irsa_cli"))
"""A test of the acceptance run has an irsa that starts sooner."""
_CODE = re.compile(r"[A-Za-z][A-Za-z.]{0,60}")
KEPT = ("IRSA_CALL_TIMEOUT", "IRSA_RETRY_TIMEOUT")
STOPPING_SECONDS = 60.0


@dataclass(frozen=True)
class Ran:
    """How a run of irsa ended."""

    code: int
    result: Json
    err: str

    @property
    def codes(self) -> list[str]:
        """The codes of its errors, and nothing else of them."""
        errors: Any = self.result.get("errors", [])
        return [found for error in errors if (found := str(error.get("code"))) and _CODE.fullmatch(found)]


def irsa(place: Place, *words: str, strike: int = 0) -> Ran:
    """Run irsa; with `strike`, send it that signal as soon as it has created a role."""
    place.budget.spend()
    env = {key: value for key, value in os.environ.items() if not key.startswith("IRSA_") or key in KEPT}
    env["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), env.get("PYTHONPATH"))))
    env["IRSA_STATE_DIR"] = str(place.folder / "state")
    if words[0] not in ("associate-oidc", "disassociate-oidc"):
        env["IRSA_LOCK_NAMESPACE"] = place.name
    out = place.folder / "out"
    with out.open("w") as sink:
        process = subprocess.Popen(
            [*PROGRAM, *words, *_target(place, words[0]), "-o", "json"],
            cwd=place.folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )
    late = threading.Timer(max(place.budget.left(), 0.0), process.kill)
    late.start()
    try:
        err = _listen(process, strike)
    except BaseException:
        _stop(process)
        raise
    finally:
        late.cancel()
    if place.budget.left() <= 0:
        raise OutOfBudget
    return Ran(process.returncode, _json(out), err)


def _target(place: Place, command: str) -> list[str]:
    args = place.args
    # With --cluster, irsa recover looks in the cluster, and leaves young runs alone.
    found = [] if command == "recover" else ["-c", args.cluster, "-r", place.region]
    if args.profile:
        found += ["-p", args.profile]
    if args.kubeconfig and command not in ("associate-oidc", "disassociate-oidc"):
        found += ["--kubeconfig", args.kubeconfig]
        found += ["--context", args.context] if args.context else []
    return found


def _listen(process: "subprocess.Popen[str]", strike: int) -> str:
    assert process.stderr is not None
    err, was_struck = "", False
    for line in process.stderr:
        err += line
        if strike and not was_struck and WROTE.match(line) and process.poll() is None:
            process.send_signal(strike)
            was_struck = True
    process.wait()
    return err


def _stop(process: "subprocess.Popen[str]") -> None:
    """Let a run roll back what it has done; no longer than a minute."""
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=STOPPING_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _json(file: Path) -> Json:
    try:
        found = json.loads(file.read_text())
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
