"""What a saved plan requests stands in `irsa show`: whoever changes it is refused, or seen."""

from __future__ import annotations

import difflib
import io
import json
import re
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.cli.main import run
from irsa_cli.core.binding.spec import BindingSpec
from irsa_cli.core.config.documents import parse
from irsa_cli.core.uses.ways import IdentitySource
from irsa_cli.usecases.command.connect import Target
from irsa_cli.usecases.files.delete_files import Request as DeleteRequest
from irsa_cli.usecases.files.targets import Request as ApplyRequest
from irsa_cli.usecases.plans.reading import COMMANDS
from irsa_cli.usecases.plans.saved_plan import converter, digest_of
from irsa_cli.usecases.write import create_sa
from irsa_cli.usecases.write.delete_sa import Extent
from irsa_cli.usecases.write.repoint import Phase
from tests.support.memory.playing import Play
from tests.unit.usecases.commands import CASES, FILE, bound
from tests.unit.usecases.test_saved_plans import REQUESTS, plan_text

_CONFIGS = tuple(parse(FILE, "f.yaml"))
_EXAMPLES: dict[str, Any] = {
    **REQUESTS,
    "apply": ApplyRequest(_CONFIGS, Target("demo"), prune=True),
    "delete": DeleteRequest(_CONFIGS, Target("demo")),
}
_CHOICES = [[item.value for item in choice] for choice in (IdentitySource, Phase, Extent)]
_OTHERS = ("x", "another", 7, True, {"x": "y"}, ["x"])
"""Values for a field that has none: each is one of another type's, is refused, or is seen."""


def test_each_command_has_an_example() -> None:
    assert {*_EXAMPLES} == {*COMMANDS}


def flips(value: Any) -> Iterator[Any]:
    """The value changed in one place, in every way that its type allows."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield value + 1
    elif isinstance(value, str):
        yield from (f"{value}x", f"{value}1", "")
        yield from (other for choice in _CHOICES if value in choice for other in choice if other != value)
    elif value is None:
        yield from _OTHERS
    elif isinstance(value, list):
        yield from ([*value, other] for other in [*value[:1], *_OTHERS])
        yield from (value[:place] + value[place + 1 :] for place in range(len(value)))
        for place, part in enumerate(value):
            yield from ([*value[:place], other, *value[place + 1 :]] for other in flips(part))
    else:
        assert isinstance(value, dict)
        yield from ({**value, "another": other} for other in _OTHERS)
        for key, part in value.items():
            yield {name: other for name, other in value.items() if name != key}
            yield from ({**value, key: other} for other in flips(part))


def plan_of(command: str, request: Any) -> dict[str, Any]:
    """A saved plan of a command that changes nothing."""
    plan = plan_text()
    plan["metadata"]["command"] = command
    return {**plan, "request": json.loads(json.dumps(converter().unstructure(request)))}


def saved(play: Play, name: str) -> Any:
    """The plan of a case."""
    words = [word for word in CASES[name].begin(play) if word != "--yes"]
    play.irsa(*words, "--dry-run", "--out", str(play.folder / "saved.json"))
    return json.loads((play.folder / "saved.json").read_text(encoding="utf-8"))


def shown(folder: Path, plan: dict[str, Any], *arguments: str) -> tuple[int, str]:
    """What `irsa show` ends with and prints of a plan with its own digest, but for that digest."""
    path = folder / "plan.json"
    path.write_text(json.dumps({**plan, "digest": digest_of(plan)}))
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run(["show", str(path), *arguments])
    return code, re.sub("sha256:[0-9a-f]{64}", "", out.getvalue())


def silent(folder: Path, plan: dict[str, Any], *arguments: str) -> list[str]:
    """The changes of a request that `irsa show` neither refuses nor shows."""
    code, before = shown(folder, plan, *arguments)
    assert code == 0
    found, same = [], json.dumps(meaning(plan["request"], plan))
    for request in flips(plan["request"]):
        code, after = shown(folder, {**plan, "request": request}, *arguments)
        assert code in (0, 2), after
        if code == 0 and after == before and json.dumps(meaning(request, plan)) != same:
            found.append(json.dumps(request))
    return found


def meaning(request: Any, plan: dict[str, Any]) -> Any:
    """The request with its defaults; a field that is left out has its default."""
    made = converter().structure(request, COMMANDS[plan["metadata"]["command"]].request)
    return converter().unstructure(made)


@pytest.mark.parametrize(
    ("command", "output"),
    [*((command, "text") for command in COMMANDS), ("migrate", "json"), ("migrate", "markdown")],
)
def test_a_changed_request_is_refused_or_seen(tmp_path: Path, command: str, output: str) -> None:
    assert silent(tmp_path, plan_of(command, _EXAMPLES[command]), "-o", output) == []


@pytest.mark.parametrize("name", CASES)
def test_a_changed_request_of_a_saved_plan_is_refused_or_seen(play: Play, tmp_path: Path, name: str) -> None:
    assert silent(tmp_path, saved(play, name)) == []


def test_a_restart_that_is_switched_on_in_a_reviewed_plan_is_seen(play: Play, tmp_path: Path) -> None:
    plan = saved(play, "migrate")
    plan["request"]["restart"] = True
    for arguments in ((), ("-o", "json"), ("-o", "markdown")):
        code, text = shown(tmp_path, plan, *arguments)
        assert (code, bool(re.search("restart\\W+true", text))) == (0, True), text


@pytest.mark.parametrize("output", ["text", "json", "yaml", "markdown"])
def test_a_free_text_of_a_request_hides_nothing(tmp_path: Path, output: str) -> None:
    """Kubernetes takes any annotation: it is shown with its code points."""
    spec = BindingSpec("backend", "app", annotations={"note": "x\u202egnp\x1b[2J\n::error::y"})
    plan = plan_of("create-sa", create_sa.Request(Target("demo"), spec))
    code, text = shown(tmp_path, plan, "-o", output)
    assert code == 0
    assert all(line.isprintable() for line in text.split("\n"))
    assert "\n::error::" not in text
    assert re.search("u202e", text, re.IGNORECASE)


@pytest.mark.parametrize("arguments", [(), ("-v",), ("-o", "markdown"), ("-o", "github")])
def test_show_prints_a_plan_as_diff_has_printed_it(play: Play, arguments: tuple[str, ...]) -> None:
    """`show` adds the request. The command, its exit code and its time differ."""
    bound(play)
    file, plan = play.file(FILE), str(play.folder / "saved.json")
    diffed = play.irsa("diff", "-f", file, "--out", plan, *arguments, code=6).out
    printed = play.irsa("show", plan, "--detailed-exitcode", *arguments, code=6).out
    before = [re.sub(r" \(\d\.\d s\)|irsa diff", "", line) for line in diffed.splitlines()]
    after = [re.sub(r" \(\d\.\d s\)|irsa show", "", line) for line in printed.splitlines()]
    added = [text[2:] for text in difflib.ndiff(before, after) if text.startswith("+ ")]
    assert [text[2:] for text in difflib.ndiff(before, after) if text.startswith("- ")] == []
    assert all(
        re.match(r"Request of irsa apply:|### request: `irsa apply`|[ -] ?\S+: |$", line) for line in added
    )
    assert bool(added) == (arguments != ("-o", "github"))


def test_show_prints_the_changes_that_diff_has_printed_as_json(play: Play) -> None:
    bound(play)
    file, plan = play.file(FILE), str(play.folder / "saved.json")
    diffed = play.irsa("diff", "-f", file, "--out", plan, "-o", "json", code=6).json
    printed = play.irsa("show", plan, "-o", "json").json
    for name in ("changes", "access", "serviceAccount", "outcome", "where"):
        assert [item[name] for item in printed["items"]] == [item[name] for item in diffed["items"]]
    assert printed["metadata"]["byCluster"] == diffed["metadata"]["byCluster"]
