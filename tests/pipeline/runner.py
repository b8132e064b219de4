"""A small runner for composite actions of GitHub: what this repository's action.yml uses of it, and no more.

Expressions, `if:` with its functions of the job's state, the files by which steps tell each other something,
signals of a job that is cancelled, artifacts (without modes and hidden files, as they are). What it does not
know fails.
https://docs.github.com/en/actions/reference/workflows-and-actions/expressions
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.pipeline.tools import ROOT

TOKEN = re.compile(r"\s*('(?:[^']|'')*'|[\w.-]+(?:\(\))?|==|!=|&&|\|\||!|\(|\))")
STATUS = ("always()", "success()", "failure()", "cancelled()")
SECONDS = 400


class Expression:
    """One expression, evaluated by recursive descent; unknown names are an error, missing outputs are ''."""

    def __init__(self, text: str, look_up: Callable[[str], str | bool]) -> None:
        self._words = self._split(text)
        self._look_up = look_up

    @staticmethod
    def _split(text: str) -> list[str]:
        words = [word for word in re.split(TOKEN, text.strip()) if word.strip()]
        assert all(TOKEN.fullmatch(word) for word in words), f"the runner can't read this expression: {text}"
        return words

    def value(self) -> str | bool:
        """The value; `||` and `&&` give one of their sides, as in JavaScript."""
        found = self._either()
        assert not self._words, f"what is this: {self._words}"
        return found

    def _next(self, *wanted: str) -> str:
        return self._words.pop(0) if self._words and self._words[0] in wanted else ""

    def _either(self) -> str | bool:
        left = self._both()
        while self._next("||"):
            right = self._both()
            left = left or right
        return left

    def _both(self) -> str | bool:
        left = self._compared()
        while self._next("&&"):
            right = self._compared()
            left = left and right
        return left

    def _compared(self) -> str | bool:
        left = self._one()
        if sign := self._next("==", "!="):
            return (str(left).lower() == str(self._one()).lower()) is (sign == "==")
        return left

    def _one(self) -> str | bool:
        if self._next("!"):
            return not self._one()
        if self._next("("):
            found = self._either()
            assert self._next(")")
            return found
        word = self._words.pop(0)
        return word[1:-1].replace("''", "'") if word.startswith("'") else self._look_up(word)


@dataclass
class Step:
    """How a step ended."""

    name: str
    outcome: str = "skipped"
    outputs: dict[str, str] = field(default_factory=dict)
    log: str = ""


@dataclass
class Used:
    """How a use of the action ended."""

    outputs: Mapping[str, str]
    steps: list[Step]
    summary: str

    @property
    def failed(self) -> bool:
        """Whether a step failed."""
        return any(step.outcome == "failure" for step in self.steps)

    @property
    def log(self) -> str:
        """All that is in the log of the job."""
        return "".join(step.log for step in self.steps)

    def step(self, name: str) -> Step:
        """A step by its name."""
        return next(step for step in self.steps if step.name == name)


class Job:
    """A job: a folder of its own, an environment, and the artifacts of its workflow."""

    def __init__(
        self, folder: Path, env: Mapping[str, str], artifacts: Path, action: Path = ROOT / "action.yml"
    ) -> None:
        self.workspace = folder / "workspace"
        self.temp = folder / "temp"
        for path in (self.workspace, self.temp, artifacts):
            path.mkdir(parents=True, exist_ok=True)
        self.env = {**env, "RUNNER_TEMP": str(self.temp), "GITHUB_ACTION_PATH": str(action.parent)}
        self._artifacts = artifacts
        self._action: dict[str, Any] = yaml.safe_load(action.read_text("utf-8"))
        self.cancelled = False
        self.before: dict[str, Callable[[], None]] = {}
        """What happens when a step, by its name, is about to begin."""
        self._process: subprocess.Popen[str] | None = None

    def use(self, **given: str) -> Used:
        """Use the action with these inputs, `-` written as `_`."""
        inputs = {
            name: self._text(about.get("default", ""), {}, [])
            for name, about in self._action["inputs"].items()
        }
        for name, value in given.items():
            key = name.replace("_", "-")
            assert key in inputs, f"there is no input {key}"
            inputs[key] = value
        steps: list[Step] = []
        summary = self.temp / "summary"
        summary.unlink(missing_ok=True)
        ids: dict[str, Step] = {}
        for described in self._action["runs"]["steps"]:
            step = Step(described["name"])
            steps.append(step)
            ids[described.get("id", described["name"])] = step
            if self._wanted(str(described.get("if", "success()")), inputs, ids, steps):
                self.before.get(step.name, lambda: None)()
                self._run(described, step, inputs, ids)
        told = self._action["outputs"].items()
        return Used(
            {name: self._text(about["value"], inputs, ids) for name, about in told},
            steps,
            summary.read_text("utf-8") if summary.exists() else "",
        )

    def cancel(self) -> None:
        """Cancel the job, as a person does: the step gets SIGINT, 7.5 s later SIGTERM, then it is killed."""
        self.cancelled = True
        process = self._process
        assert process is not None
        process.send_signal(signal.SIGINT)
        for seconds, what in ((7.5, signal.SIGTERM), (10.0, signal.SIGKILL)):
            timer = threading.Timer(seconds, self._signal, (process, what))
            timer.daemon = True
            timer.start()

    @staticmethod
    def _signal(process: subprocess.Popen[str], number: int) -> None:
        if process.poll() is None:
            process.send_signal(number)

    def _wanted(self, text: str, inputs: Mapping[str, str], ids: dict[str, Step], steps: list[Step]) -> bool:
        if not any(name in text for name in STATUS):
            text = f"success() && ({text})"
        failed = any(step.outcome == "failure" for step in steps)
        status = {
            "always()": True,
            "success()": not failed and not self.cancelled,
            "failure()": failed,
            "cancelled()": self.cancelled,
        }

        def look_up(name: str) -> str | bool:
            return status[name] if name in status else self._of(name, inputs, ids)

        return bool(Expression(text, look_up).value())

    def _of(self, name: str, inputs: Mapping[str, str], ids: Any) -> str:
        """The value of a name in the contexts."""
        first, _, rest = name.partition(".")
        if first == "inputs":
            return inputs[rest]
        if first == "github":
            return self.env.get({"token": "TEST_TOKEN", "run_id": "GITHUB_RUN_ID"}[rest], "")
        assert first == "steps", f"the runner does not know {name}"
        name, kind, *output = rest.split(".")
        step = ids.get(name, Step(name, outcome=""))
        return str(step.outcome if kind in ("outcome", "conclusion") else step.outputs.get(output[0], ""))

    def _text(self, text: object, inputs: Mapping[str, str], ids: Any) -> str:
        """A text with its expressions replaced, by values that are not read again."""

        def value(found: re.Match[str]) -> str:
            got = Expression(found[1], lambda name: self._of(name, inputs, ids)).value()
            return {True: "true", False: "false"}[got] if isinstance(got, bool) else got

        return re.sub(r"\$\{\{(.*?)\}\}", value, str(text))

    def _run(
        self, described: Mapping[str, Any], step: Step, inputs: Mapping[str, str], ids: dict[str, Step]
    ) -> None:
        if "uses" in described:
            assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", described["uses"])
            given = {name: self._text(value, inputs, ids) for name, value in described["with"].items()}
            action = described["uses"].partition("@")[0]
            assert action in ("actions/upload-artifact", "actions/download-artifact"), action
            work = self._upload if action.endswith("upload-artifact") else self._download
            step.log = work(given)
            step.outcome = "failure" if step.log.startswith("Error") else "success"
            return
        assert described["shell"] == "bash"
        files = {name: self.temp / name.lower() for name in ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH")}
        for file in files.values():
            file.write_text("", "utf-8")
        files["GITHUB_STEP_SUMMARY"] = self.temp / "summary"
        own = {name: self._text(value, inputs, ids) for name, value in described.get("env", {}).items()}
        script = self.temp / "script.sh"
        script.write_text(self._text(described["run"], inputs, ids), "utf-8")
        log = self.temp / "log"
        with open(log, "w", encoding="utf-8") as out:
            self._process = subprocess.Popen(
                ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)],
                cwd=self.workspace,
                env={**self.env, **{name: str(path) for name, path in files.items()}, **own},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                text=True,
            )
        code = self._process.wait(SECONDS)
        step.log = log.read_text("utf-8")
        step.outputs = dict(read_file(files["GITHUB_OUTPUT"].read_text("utf-8")))
        assert files["GITHUB_ENV"].read_text("utf-8") == "", (
            "steps of the action leave nothing in the environment"
        )
        self.env["PATH"] = ":".join([*files["GITHUB_PATH"].read_text("utf-8").split(), self.env["PATH"]])
        step.outcome = "success" if code == 0 else "failure"

    def _upload(self, given: Mapping[str, str]) -> str:
        """Keep files as an artifact: without hidden ones, and without modes."""
        source, there = Path(given["path"]), self._artifacts / given["name"]
        assert re.fullmatch(r"[^\":<>|*?\r\n\\/]+", given["name"]), "no name of an artifact"
        found = [source] if source.is_file() else [path for path in source.rglob("*") if path.is_file()]
        base = source.parent if source.is_file() else source
        shown = [
            path for path in found if not any(part.startswith(".") for part in path.relative_to(base).parts)
        ]
        if not shown:
            return "Error: no files" if given.get("if-no-files-found") == "error" else "No files were found\n"
        shutil.rmtree(there, ignore_errors=True)
        for path in shown:
            to = there / path.relative_to(base)
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(path.read_bytes())
            to.chmod(0o644)
        return f"{len(shown)} files\n"

    def _download(self, given: Mapping[str, str]) -> str:
        name = given.get("name") or given["pattern"]
        assert "name" in given or given["merge-multiple"] == "True", "else it is a folder of its own"
        there = self._artifacts / name
        if not there.exists():
            return f"Error: no artifact {name}" if "name" in given else "Filtered to 0 artifacts\n"
        shutil.copytree(there, given["path"], dirs_exist_ok=True)
        return "downloaded\n"


def read_file(text: str) -> Iterator[tuple[str, str]]:
    """The values in a file as GITHUB_OUTPUT is one: `name=value`, or a name with a delimiter."""
    lines = iter(text.split("\n"))
    for line in lines:
        name, sign, end = line.partition("<<")
        if sign and "=" not in name:
            value = []
            while (each := next(lines)) != end:
                value.append(each)
            yield name, "\n".join(value)
        elif line:
            name, _, single = line.partition("=")
            yield name, single


def event(folder: Path, **about: Any) -> str:
    """The file of an event."""
    path = folder / "event.json"
    path.write_text(json.dumps(about), "utf-8")
    return str(path)
