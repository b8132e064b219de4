"""What CONTRIBUTING.md says of a new cause is enough: added to a copy of the program, it is found."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import irsa_cli
from tests.scenarios.alone import stage_alone as stage_alone
from tests.scenarios.breaking import Binding
from tests.scenarios.doctoring import of
from tests.support.edited_program import put

PROGRAM = Path(irsa_cli.__file__).parent
CONTRIBUTING = PROGRAM.parent / "CONTRIBUTING.md"
TABLE = "core/doctor/data/causes.json"
FILE = "core/doctor/causes/attempts.py"
ROW = json.loads("""{"title": "The container's SDK tries each call once only.",
    "symptom": "Now and then: Throttling, or a connection that was reset, at the first call",
    "looks_at": "AWS_MAX_ATTEMPTS of the pods' containers",
    "remedy": "Take AWS_MAX_ATTEMPTS=1 out of the pod's template.",
    "source": "https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html"}""")
CAUSE = '''"""A cause in settings of a container: its SDK may try a call once only."""

from irsa_cli.core.doctor.finding import Group, check_of, ok, problem
from irsa_cli.core.doctor.subjects import injected_users, where
from irsa_cli.core.objects.kinds import variable

_ATTEMPTS = variable("AWS_MAX_ATTEMPTS")


@check_of("pod-no-retries", Group.PODS, weight=41)
def _attempts(facts):
    found = [(pod, item) for pod, item in injected_users(facts.named) if item.env.get(_ATTEMPTS) == "1"]
    if not found:
        return ok("SDKs try again")
    return problem("the exchange of the token is tried once", fix="kubectl edit", containers=where(found))
'''
UNDECLARED = CAUSE.replace('variable("AWS_MAX_ATTEMPTS")', '"AWS_MAX_ATTEMPTS"')
ALONE = """
import sys
import irsa_cli.cli.main
assert not [name for name in sys.modules if name.startswith("irsa_cli.core.doctor")]
from irsa_cli.core.doctor.causes import CAUSES
print(*CAUSES)
"""


def copied(to: Path, cause: str = "") -> Path:
    """The folder of a copy of the program, its files as links, with a row and a file more for a cause."""
    for path in PROGRAM.rglob("*"):
        if path.is_file() and path.suffix != ".pyc":
            target = to / "irsa_cli" / path.relative_to(PROGRAM)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(path)
    if cause:
        (to / "irsa_cli" / FILE).write_text(cause)
        (to / "irsa_cli" / TABLE).unlink()
        rows = json.loads((PROGRAM / TABLE).read_text(encoding="utf-8"))
        (to / "irsa_cli" / TABLE).write_text(json.dumps({**rows, "pod-no-retries": ROW}))
    return to


def doctored(binding: Binding, program: Path, attempts: str) -> subprocess.CompletedProcess[str]:
    """A run of the copy, as users run it, on a pod whose SDK makes so many attempts."""
    binding.new_pod(container={"env": [{"name": "AWS_MAX_ATTEMPTS", "value": attempts}]})
    command = [sys.executable, *["-m", "irsa_cli", "doctor", "-o", "json", "-q", "-c"], binding.stage.cluster]
    env = {**binding.stage.env(), "PYTHONPATH": str(program)}
    return subprocess.run(
        [*command, *of(binding)], cwd=program, env=env, capture_output=True, text=True, check=False
    )


def test_a_cause_is_added_by_the_files_that_are_listed_and_no_other(binding: Binding, tmp_path: Path) -> None:
    listed = re.search(r"^## A new cause\n(.*?)^## ", CONTRIBUTING.read_text(), re.M | re.S)
    assert listed is not None
    files = re.findall(r"(?m)^\d\. `irsa_cli/([\w/…]+\.(?:json|py))`", listed[1])
    assert [name.replace("…", "attempts") for name in files] == [TABLE, FILE]
    program = copied(tmp_path / "program", CAUSE)
    for number, problems in (("1", ["pod-no-retries"]), ("5", [])):
        items = json.loads(doctored(binding, program, number).stdout)["items"]
        assert [one["id"] for one in items[0]["findings"] if one["verdict"] == "problem"] == problems


COPIED = ("tests", "docs", "tools/docs", "pyproject.toml", "CONTRIBUTING.md")
WAY = """WAYS: dict[str, list[Change]] = {
    "pod-no-retries": [with_env("AWS_MAX_ATTEMPTS=1")],
"""
CONCERNED = (
    "tests/unit/doctor/test_table_of_causes.py",
    "tests/unit/doctor/test_diagnosis.py",
    "tests/unit/doctor/test_diagnosis_causes.py",
    "tests/docs/test_pages.py::test_what_is_generated_is_fresh[causes]",
)


def test_whoever_follows_the_list_has_green_tests(tmp_path: Path) -> None:
    project = copied(tmp_path / "project", CAUSE)
    for name in COPIED:
        if (PROGRAM.parent / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(PROGRAM.parent / name, project / name, ignore=ignored)
        else:
            shutil.copy(PROGRAM.parent / name, project / name)
    cases, breaks = project / "tests/unit/doctor/diagnosis_cases.py", project / "tests/scenarios/breaks.py"
    cases.write_text(put(cases.read_text(), "WAYS: dict[str, list[Change]] = {\n", WAY))
    breaks.write_text(put(breaks.read_text(), "ELSEWHERE = (\n", 'ELSEWHERE = (\n    "pod-no-retries",\n'))
    for words in (["tools/docs/causes.py"], ["-m", "pytest", "-q", "-p", "no:cacheprovider", *CONCERNED]):
        done = subprocess.run(
            [sys.executable, *words],
            cwd=project,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(project)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_cause_that_declares_no_variable_does_not_wait_for_it_in_silence(
    binding: Binding, tmp_path: Path
) -> None:
    program = copied(tmp_path / "program", UNDECLARED)
    ran = doctored(binding, program, "5")
    assert ran.returncode not in (0, 5)
    assert "declare it by variable" in ran.stdout + ran.stderr


def alone(program: Path) -> list[str]:
    """The causes of a program, in a process of its own; the command line alone has to load none of them."""
    ended = subprocess.run(
        [sys.executable, "-c", ALONE],
        cwd=program.parent,
        env={"PYTHONPATH": str(program)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.split()


def test_a_file_is_found_where_the_program_is_an_archive(tmp_path: Path) -> None:
    folder, archive = copied(tmp_path / "program", CAUSE), tmp_path / "irsa.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in folder.rglob("*"):
            if path.is_file():
                file.write(path, path.relative_to(folder))
    found = alone(archive)
    assert found == alone(folder)
    assert "pod-no-retries" in found


def test_the_order_of_causes_does_not_hang_on_their_files(tmp_path: Path) -> None:
    folder = copied(tmp_path / "program")
    before = alone(folder)
    causes = folder / "irsa_cli/core/doctor/causes"
    first = causes / "role.py"
    first.rename(causes / "a_role.py")
    assert alone(folder) == before
