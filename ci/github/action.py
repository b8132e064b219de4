"""The steps of action.yml: install irsa, run it, wait for a rollback, comment on the pull request.

Each is called by its name and told everything by environment variables, so that tests run them without
GitHub. No shell takes part, and nothing that irsa or others have said is written where GitHub reads commands.
Standard library only, since it runs before anything is installed. How a comment is written is in
`comments.py`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import comments

try:
    import fcntl
except ImportError:
    sys.exit("::error title=irsa::irsa runs on Linux and macOS")

ROOT = Path(__file__).resolve().parents[2]
FILES = ("apply", "diff", "delete")
LISTED = ("lint", "report")
"""Commands that take their files as arguments."""
ONE = ("create-sa", "update-sa", "delete-sa", "adopt", "release")
MANY = ("migrate", "repoint", "retire")
"""Commands for many ServiceAccounts or clusters at once, often on a schedule."""
CLUSTERS = ("associate-oidc", "disassociate-oidc")
PLANNING = (*FILES, *ONE, *MANY, *CLUSTERS)
"""Commands that save a plan with --dry-run; `diff` always does."""
FOUND = ("audit", "lint")
"""Commands that also write their findings as SARIF."""
DOCUMENTS = ("history", "get-sa", "describe-sa", "who-can", "unlock", "preflight")
"""Commands that have a JSON document, and no Markdown."""
TEXTS = ("export",)
"""Commands that print the text of files, if they write none."""
OF_CLUSTER = (*PLANNING, "verify", "doctor", "recover", "get-sa", "describe-sa", "export", "unlock")
GUARDED = {"expect-account": (*OF_CLUSTER, "preflight"), "expect-cluster-arn": OF_CLUSTER}
"""Commands that take each of these flags."""
RENAMED = {"unlock": ["recover", "--unlock"], "report": ["report", "merge"]}
"""Commands that irsa has under another name than the action."""
COMMANDS = tuple(
    dict.fromkeys((*PLANNING, *FOUND, "verify", "doctor", "recover", "report", *DOCUMENTS, *TEXTS))
)
"""What the action runs. Not exec, token and credentials: what they print is secret, and a log is not."""
FAIL_ON = ("error", "changes", "never")
USAGE, PENDING, INTERRUPTED, KILLED = 2, 6, (130, 143), 137
SETTLED = (0, USAGE, 4, PENDING)
"""After these nothing is left to recover: nothing was begun, or all is done."""
OUTCOMES = {0: "ok", 3: "incomplete", 4: "refused", PENDING: "planned"}
"""How a run ended that has written no document."""
GRANTED = {"committed", "unchanged"}
"""Outcomes of items after which a role exists as the item says."""
ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+", re.ASCII)
CHANGING = {"committed", "planned", "incomplete", "unfinished"}
"""Outcomes of items that are, or would be, no longer as they were."""
PATIENCE = 5.0
"""Seconds from a signal until a rollback is left to the next step; GitHub kills all of a step after ten."""
ROLLBACK = 240
"""Seconds for which the next step waits; of a job that was cancelled GitHub ends the steps after 300."""
MARKDOWN = 60_000
"""Characters of a result: a comment may have 65,536, and some are its frame."""
COMMAND_FILES = ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STATE", "GITHUB_STEP_SUMMARY")
SECRET = re.compile(
    r"AWS_|ACTIONS_|IRSA_|GITHUB_(ENV|OUTPUT|PATH|STATE|STEP_SUMMARY)$"
    r"|.*(TOKEN|SECRET|PASSWORD|CREDENTIAL|JWT|KUBE_?CONFIG|(?<![A-Z])(KEY|AUTH)(?![A-Z]))",
    re.IGNORECASE,
)
Env = Mapping[str, str]


class Wrong(Exception):
    """What is wrong with the inputs, or with the machine."""


def install(env: Env) -> int:
    """Install irsa from the action's own checkout, each dependency by its hash; output its path."""
    home = Path(tempfile.mkdtemp(prefix="irsa-run-", dir=_base(env)))
    folders = {"plan-dir": home / "plan", "kept-dir": home / "kept", "state-dir": home / "kept" / "journals"}
    for folder in folders.values():
        folder.mkdir(mode=0o700)
    wanted = env.get("IRSA_ACTION_VERSION", "")
    program = "irsa" if wanted == "installed" else str(_installed(env, wanted))
    output(env, {"program": program, "folder": home, **folders})
    return 0


def _base(env: Env) -> Path:
    """Where journals may lie: irsa refuses a folder of another user's, as the runner's is in a container."""
    given = Path(env["RUNNER_TEMP"]).resolve()
    others = [path for path in (given, *given.parents) if path.stat().st_uid not in (0, os.geteuid())]
    return Path(tempfile.gettempdir()) if others else given


def _installed(env: Env, wanted: str) -> Path:
    """The program in a virtual environment, which further uses of the action in a job share."""
    found = re.search(r'__version__ = "(.+)"', (ROOT / "irsa_cli" / "__init__.py").read_text("utf-8"))
    version = found[1] if found else ""
    if wanted not in ("", version):
        raise Wrong(
            f"version {wanted!r} is not what this action has ({version}). irsa is not published yet: name "
            "the commit that you want (uses: OWNER/irsa@COMMIT), or `installed` for the irsa on PATH"
        )
    if sys.version_info < (3, 10):  # noqa: UP036 - this is the runner's Python, whatever that is.
        raise Wrong("irsa needs Python 3.10 or later: use actions/setup-python before this step")
    lock = ROOT / "requirements.lock"
    digest = hashlib.sha256(lock.read_bytes() + str(ROOT).encode()).hexdigest()[:16]
    folder = Path(env["RUNNER_TEMP"]) / f"irsa-installed-{digest}"
    whole = folder / "whole"
    # Whatever is installed, no credentials are there for it to take.
    without = {name: value for name, value in env.items() if not SECRET.match(name)}
    if not whole.exists():
        pip = [str(folder / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
        for command in (
            [sys.executable, "-m", "venv", str(folder)],
            [*pip, "install", "--no-deps", "--require-hashes", "-r", str(lock)],
            [*pip, "install", "--no-deps", "--no-build-isolation", str(ROOT)],
        ):
            if subprocess.run(command, env=without, check=False, stdin=subprocess.DEVNULL).returncode:
                raise Wrong(f"this failed: {shlex.join(command)}")
        whole.touch()
    if env.get("GITHUB_PATH"):
        with open(env["GITHUB_PATH"], "a", encoding="utf-8") as file:
            file.write(f"{folder / 'bin'}\n")
    return folder / "bin" / "irsa"


def words(env: Env, home: Path) -> list[str]:
    """The command line of irsa, without its program; raises `Wrong` for inputs that can't be meant."""
    command = env.get("IRSA_ACTION_COMMAND", "")
    if command not in COMMANDS:
        raise Wrong(f"command {command!r} is none that this action runs: {', '.join(COMMANDS)}")
    if env.get("IRSA_ACTION_FAIL_ON", "error") not in FAIL_ON:
        raise Wrong(f"fail-on {env['IRSA_ACTION_FAIL_ON']!r} is none of {', '.join(FAIL_ON)}")
    try:
        more = shlex.split(env.get("IRSA_ACTION_ARGS", ""))
    except ValueError as error:
        raise Wrong(f"args can't be split into words: {error}") from None
    own: list[str] = []
    if command in DOCUMENTS:
        own = ["--output=json"]
    elif command not in TEXTS:
        form = ["--output=sarif", f"--summary-file={home / 'result.md'}"]
        own = form if command in FOUND else ["--output=markdown"]
        own += [f"--json-file={home / 'result.json'}", f"--max-length={MARKDOWN}"]
    carries_out = command == "apply" and env.get("IRSA_ACTION_PLAN_ARTIFACT", "")
    if command == "diff" or (command in PLANNING and "--dry-run" in more and not carries_out):
        own.append(f"--out={home / 'plan.json'}")
    guards = {
        flag: value
        for flag in GUARDED
        if (value := env.get(f"IRSA_ACTION_{flag.upper().replace('-', '_')}", ""))
    }
    missing = [flag for flag in guards if command not in GUARDED[flag]]
    if missing:
        raise Wrong(f"{command} has no {' and no '.join(missing)}")
    own += [f"--{flag}={value}" for flag, value in guards.items()]
    return [*RENAMED.get(command, [command]), *own, *more, *_files(command, env, home)]


def _files(command: str, env: Env, home: Path) -> list[str]:
    """The files as the command wants them; of an `apply` with an artifact, the plan in it."""
    files = [line.strip() for line in env.get("IRSA_ACTION_FILES", "").splitlines() if line.strip()]
    artifact = env.get("IRSA_ACTION_PLAN_ARTIFACT", "")
    if command == "apply" and artifact:
        plans = sorted((home / "plan").iterdir())
        if files:
            raise Wrong("apply takes files or a plan-artifact, not both: a plan knows what it is about")
        if len(plans) != 1:
            raise Wrong(f"the artifact {artifact!r} does not hold exactly one plan")
        wanted = env.get("IRSA_ACTION_PLAN_DIGEST", "")
        # That the plan is what its digest says is checked by irsa.
        if wanted and wanted != _digest(plans[0]):
            raise Wrong(f"the plan in {artifact!r} is not the one of plan-digest: nothing was begun")
        return [str(plans[0])]
    if command in LISTED:
        return ["--", *files]
    if files and command not in (*FILES, *TEXTS):
        raise Wrong(f"{command} takes no files")
    return [f"--filename={name}" for name in files]


def run(env: Env) -> int:
    """Run irsa, show what it says, and tell the next steps how it ended."""
    home = Path(env["IRSA_ACTION_FOLDER"])
    kept = {name: env.get(f"IRSA_ACTION_{name}", "") for name in ("COMMAND", "FAIL_ON", "SUMMARY")}
    (home / "run.json").write_text(json.dumps(kept), encoding="utf-8")
    line = words(env, home)
    command = env["IRSA_ACTION_COMMAND"]
    if command == "recover":
        _make_own(home / "kept")
    inherited = {
        name: value
        for name, value in env.items()
        # What irsa starts (a kubeconfig's program) has no business in them.
        if name not in COMMAND_FILES and not name.startswith("IRSA_ACTION_")
    }
    directory = env.get("IRSA_ACTION_DIRECTORY") or "."
    if not Path(directory).is_dir():
        raise Wrong(f"working-directory {directory!r} is no folder")
    names = {
        **dict.fromkeys(FOUND, "sarif"),
        **dict.fromkeys(DOCUMENTS, "json"),
        **dict.fromkeys(TEXTS, "txt"),
    }
    name = names.get(command, "md")
    with (
        open(home / f"result.{name}", "wb") as result,
        open(home / "log", "wb") as log,
        open(home / "alive", "wb") as alive,
    ):
        fcntl.flock(alive, fcntl.LOCK_EX)
        child = subprocess.Popen(
            [env["IRSA_ACTION_PROGRAM"], *line],
            cwd=directory,
            env={**inherited, "IRSA_STATE_DIR": str(home / "kept" / "journals")},
            stdin=subprocess.DEVNULL,
            stdout=result,
            stderr=log,
            pass_fds=(alive.fileno(),),
            # In a session of its own only the signals reach it that are passed on, and it outlives this step.
            start_new_session=True,
        )
    (home / "pid").write_text(str(child.pid), encoding="utf-8")
    with _passing_signals_to(child, home) as began:
        code = _watched(child, home, began)
    if code is None:
        print("The rollback continues; the next step waits for it.", flush=True)
        return INTERRUPTED[0]
    return report(env, home, code)


@contextmanager
def _passing_signals_to(child: subprocess.Popen[bytes], home: Path) -> Iterator[Callable[[], float | None]]:
    """Pass the first signal on, and no other: a second one tells irsa to leave all as it is.

    Yields what tells when it came; a file says that it was passed on.
    """
    came: list[float] = []

    def pass_on(number: int, _frame: FrameType | None) -> None:
        if not came:
            came.append(time.monotonic())
            with suppress(ProcessLookupError):
                child.send_signal(number)
            (home / "signalled").touch()

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: came[0] if came else None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _watched(child: subprocess.Popen[bytes], home: Path, began: Callable[[], float | None]) -> int | None:
    """Show the log while it is written; the exit code, None when the rollback is left to the next step."""
    patience = float(os.environ.get("IRSA_ACTION_PATIENCE", PATIENCE))
    with _plain() as show, open(home / "log", "rb") as log:
        while True:
            code: int | None = None
            with suppress(subprocess.TimeoutExpired):
                code = child.wait(timeout=0.1)
            show(log.read())
            at = began()
            if code is not None or (at is not None and time.monotonic() - at > patience):
                (home / "shown").write_text(str(log.tell()), encoding="utf-8")
                return None if code is None else (code if code >= 0 else 128 - code)


def wait(env: Env) -> int:
    """Wait for an irsa that a cancelled step has left behind, and tell how it ended."""
    home = Path(env["IRSA_ACTION_FOLDER"])
    if not (home / "alive").exists():
        output(env, {"keep-journal": "false"})
        return 0  # It was never started.

    def too_long(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(ROLLBACK)
    try:
        with open(home / "alive", "rb") as alive:
            # irsa holds it while it lives, and nothing takes it over.
            fcntl.flock(alive, fcntl.LOCK_EX)
    except TimeoutError:
        print(f"irsa has not ended after {ROLLBACK} seconds.", flush=True)
    signal.alarm(0)
    with _plain() as show, open(home / "log", "rb") as log:
        with suppress(OSError, ValueError):
            log.seek(int((home / "shown").read_text("utf-8")))
        show(log.read())
    code = _document(home).get("metadata", {}).get("exitCode")
    report(env, home, code if isinstance(code, int) else None)
    return 0


def report(env: Env, home: Path, code: int | None) -> int:
    """Write outputs, summary and annotation; the exit code of the step. No code: irsa was killed."""
    kept = json.loads((home / "run.json").read_text("utf-8"))
    command, document = kept["COMMAND"], _document(home)
    found = str(document.get("metadata", {}).get("outcome", ""))
    outcome = "killed" if code in (None, KILLED) else OUTCOMES.get(code or 0, "failed")
    if re.fullmatch("[a-z-]+", found) and outcome != "killed":
        outcome = found
    items = [item for item in document.get("items", ()) if isinstance(item, dict)]
    changed = code == PENDING or not CHANGING.isdisjoint(str(item.get("outcome")) for item in items)
    journals = any((home / "kept" / "journals").iterdir())
    files = {"json-file": "result.json", "sarif-file": "result.sarif", "markdown-file": "result.md"}
    if code in (0, PENDING):
        files["plan-file"] = "plan.json"
    there = {name: home / file for name, file in files.items() if _has_text(home / file)}
    roles = _roles(items)
    said = {
        "exit-code": "" if code is None else code,
        "outcome": outcome,
        "changed": "true" if changed else "false",
        "keep-journal": "true" if journals and code not in SETTLED else "false",
        "plan-digest": _digest(there["plan-file"]) if "plan-file" in there else "",
        "role-arn": next(iter(roles.values())) if len(set(roles.values())) == 1 else "",
        "role-arns": json.dumps(roles, sort_keys=True),
        **there,
    }
    texts = {name: str(value) for name, value in said.items()}
    (home / "ended.json").write_text(json.dumps(texts), encoding="utf-8")
    output(env, said)
    text = _markdown(home)
    if kept["SUMMARY"] == "true" and env.get("GITHUB_STEP_SUMMARY"):
        with open(env["GITHUB_STEP_SUMMARY"], "a", encoding="utf-8") as file:
            file.write(comments.framed(command, outcome, text, env, texts["plan-digest"]))
    with _plain() as show:
        show(text.encode())
    fails = code not in (0, PENDING)
    if fails:
        annotate("error", f"irsa {command}", f"{outcome} (exit code {'unknown' if code is None else code})")
    ignored = kept["FAIL_ON"] == "never" and code is not None and code not in (USAGE, *INTERRUPTED, KILLED)
    wanted = kept["FAIL_ON"] == "changes" and code == PENDING
    if ignored or not (fails or wanted):
        return 0
    return code or 1


def comment(env: Env) -> int:
    """Write the result as one comment of the pull request. Unasked, no failure of that is one of the job."""
    home = Path(env["IRSA_ACTION_FOLDER"])
    wanted = env.get("IRSA_ACTION_COMMENT", "auto")
    try:
        if wanted not in ("auto", "always", "required"):
            raise comments.NoComment(f"comment {wanted!r} is none of auto, always, required, never")
        if not (home / "ended.json").exists():
            raise comments.NoComment("irsa was not run: there is nothing to tell")
        ended = json.loads((home / "ended.json").read_text("utf-8"))
        kept = json.loads((home / "run.json").read_text("utf-8"))
        text = _markdown(home)
        body = comments.framed(kept["COMMAND"], ended["outcome"], text, env, ended.get("plan-digest", ""))
        # With nothing to do, only what an earlier run has said is put right.
        quiet = wanted == "auto" and ended["changed"] == "false" and ended["exit-code"] == "0"
        print(comments.publish(env, body, only_update=quiet), flush=True)
    except comments.NoPullRequest as error:
        print(f"No comment: {error}.", flush=True)
        return 1 if wanted == "required" else 0
    except comments.NoComment as error:
        annotate("error" if wanted == "required" else "notice", "irsa: no comment", str(error))
        return 1 if wanted == "required" else 0
    return 0


def output(env: Env, values: Mapping[str, object]) -> None:
    """Write outputs of the step, each with a delimiter that nobody can know."""
    with open(env["GITHUB_OUTPUT"], "a", encoding="utf-8") as file:
        for name, value in values.items():
            end = f"irsa-{secrets.token_hex(16)}"
            file.write(f"{name}<<{end}\n{value}\n{end}\n")


def annotate(level: str, title: str, text: str) -> None:
    """An annotation. GitHub reads a command to the line's end, and %0A in it as a line's end."""
    data = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    name = re.sub("[^a-z -]", lambda found: f"%{ord(found[0]):02X}", title)
    print(f"::{level} title={name}::{data}", flush=True)


@contextmanager
def _plain() -> Iterator[Callable[[bytes], None]]:
    """What is shown in between is text: GitHub takes no line of it for a command."""
    word = secrets.token_hex(16)

    def show(text: bytes) -> None:
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()

    show(f"::stop-commands::{word}\n".encode())
    try:
        yield show
    finally:
        show(f"\n::{word}::\n".encode())


def _make_own(folder: Path) -> None:
    """Give what was taken from an artifact the modes that it had: an archive does not keep them.

    The folder belongs to the user alone, so nobody else has written into it.
    """
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o700 if path.is_dir() else 0o600)


def _document(home: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        found = json.loads((home / "result.json").read_text("utf-8"))
        if isinstance(found, dict) and isinstance(found.get("metadata"), dict):
            return found
    return {}


def _roles(items: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The ARN of the role of each ServiceAccount (`namespace/name`), if the role exists after this run.

    An annotation is a text that others can write: only what is a role's ARN is an output.
    """
    roles: dict[str, str] = {}
    for item in items:
        account, role = item.get("serviceAccount"), item.get("role")
        if not (isinstance(account, dict) and isinstance(role, dict)):
            continue
        if item.get("outcome", "unchanged") not in GRANTED or role.get("deleted"):
            continue
        arn = str(role.get("arn"))
        if ROLE_ARN.fullmatch(arn):
            roles[f"{account.get('namespace')}/{account.get('name')}"] = arn
    return roles


def _digest(plan: Path) -> str:
    """The digest that a saved plan names."""
    with suppress(OSError, ValueError):
        found = json.loads(plan.read_text("utf-8"))
        digest = str(found.get("digest", "")) if isinstance(found, dict) else ""
        return digest if re.fullmatch("sha256:[0-9a-f]{64}", digest) else ""
    return ""


def _markdown(home: Path) -> str:
    """The result as Markdown; of commands without it, their text, or how many items have which outcome."""
    with suppress(OSError):
        lines = (home / "result.txt").read_text("utf-8", errors="replace").splitlines()
        # Indented, it is text to Markdown whatever it holds.
        return comments.shortened("".join(f"    {line}\n" for line in lines), MARKDOWN)
    with suppress(OSError):
        return comments.shortened((home / "result.md").read_text("utf-8", errors="replace"), MARKDOWN)
    found = _document(home).get("metadata", {}).get("summary", {})
    counts = found.items() if isinstance(found, dict) else ()
    return "".join(f"- {number} {name}\n" for name, number in counts if re.fullmatch("[a-zA-Z-]+", str(name)))


def _has_text(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


STEPS: Mapping[str, Callable[[Env], int]] = {"install": install, "run": run, "wait": wait, "comment": comment}


def main(arguments: Sequence[str]) -> int:
    """Run one step."""
    try:
        return STEPS[arguments[0]](os.environ)
    except Wrong as error:
        return _refused(os.environ, str(error), USAGE)
    except Exception as error:
        # The lines of a traceback may have texts of others in them.
        return _refused(os.environ, f"a bug in the action, or a machine that fails: {error!r}", 1)


def _refused(env: Env, text: str, code: int) -> int:
    """Say why a step did not do its work: as an annotation, and in the summary; the exit code of the step."""
    annotate("error", "irsa", text)
    if env.get("IRSA_ACTION_SUMMARY", "true") == "true" and env.get("GITHUB_STEP_SUMMARY"):
        # Indented, it is text to Markdown whatever it holds.
        shown = "".join(f"    {line}\n" for line in text.splitlines())
        with open(env["GITHUB_STEP_SUMMARY"], "a", encoding="utf-8", errors="replace") as file:
            file.write(comments.framed(env.get("IRSA_ACTION_COMMAND", ""), "failed", shown, env))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
