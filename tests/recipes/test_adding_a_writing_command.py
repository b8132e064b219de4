"""The recipe of CONTRIBUTING.md for a writing command: followed in a copy, the concerned tests pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.support.edited_program import put
from tests.support.recipes import files_of, followed, generate, run_tests

PLAN = '''"""The plan that changes tags of a role. Pure."""

from collections.abc import Mapping

from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.plan.states import RoleState, TagsState


def plan(name: str, role: RoleState, tags: Mapping[str, str]) -> Plan:
    """The plan that sets these tags; without changes if the role has them."""
    before = {key: role.tags.get(key) for key in tags}
    if before == tags:
        return Plan.of([])
    return Plan.of([Change(Kind.ROLE_TAGS, (name,), TagsState(before), TagsState(dict(tags)))])
'''
USE_CASE = '''"""`irsa tag-role`: set tags of a role."""

from __future__ import annotations

from dataclasses import dataclass

from irsa_cli.aws import iam
from irsa_cli.core.planning.tag_role import plan
from irsa_cli.core.results.result import Command, Result
from irsa_cli.core.values import checked
from irsa_cli.core.values.errors import Refused
from irsa_cli.transaction.reading import everything
from irsa_cli.usecases.command.connect import Target, WireLog, connect
from irsa_cli.usecases.command.execute import RunContext, begin, going_on
from irsa_cli.usecases.command.loop import Draft, Loop
from irsa_cli.usecases.command.settings import Settings


@dataclass(frozen=True)
class Request:
    """The request, with checked values."""

    target: Target
    role_name: checked.RoleName
    tags: checked.Tags


def tag_role(request: Request, settings: Settings, log: WireLog) -> Result:
    """Set the tags; raises `Refused` if there is no such role."""
    connection = connect(request.target, kube=False, log=log)
    begin(connection, settings)
    context = RunContext.of(Command.TAG_ROLE, connection, None)

    def draft() -> Draft:
        role = iam.read_role(connection.iam, request.role_name)
        if role is None:
            raise Refused(f"role {request.role_name} does not exist")
        return Draft(plan(request.role_name, role.state, request.tags), [role])

    return Loop(connection, settings, context, going_on(settings, context, everything)).run(draft)
'''
COMMAND = '''"""`irsa tag-role`: its options; the work is in `irsa_cli.usecases.write.tag_role`."""

from __future__ import annotations

from dataclasses import dataclass

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options.fields import argument, bound, group, many
from irsa_cli.cli.options.kinds import ROLE_NAME, TEXT
from irsa_cli.cli.options.outputs import ReportedOutputFlags
from irsa_cli.cli.options.reach import ClusterFlags, Destination, RoleAccountFlags
from irsa_cli.cli.options.running import RunFlags
from irsa_cli.cli.options.values import pairs, wrong_usage
from irsa_cli.cli.session import Writing
from irsa_cli.core.values import names


@dataclass(frozen=True, kw_only=True)
class TagRoleOptions:
    """The role, and its new tags."""

    role_name: str = argument(metavar="ROLE", kind=ROLE_NAME)
    cluster: ClusterFlags = group(ClusterFlags)
    role_account: RoleAccountFlags = group(RoleAccountFlags)
    tags: tuple[str, ...] = many(
        "--tags", kind=TEXT, metavar="K=V,...", help="Tags of the role (repeat, or comma-separated)."
    )
    run: RunFlags = group(RunFlags)
    output: ReportedOutputFlags = group(ReportedOutputFlags)


@click.command("tag-role", cls=HelpedCommand)
@bound(TagRoleOptions)
def command(options: TagRoleOptions) -> int:
    """Set tags of a role.

    Examples:
      irsa tag-role app --tags team=a -c prod
    """
    from irsa_cli.usecases.write.tag_role import Request, tag_role

    run = Writing(options.run, options.output)
    with wrong_usage("--tags"):
        tags = names.tags(pairs("--tags", options.tags, split=True))
    target = Destination(options.cluster, options.role_account).target()
    return run.one("tag-role", Request(target, options.role_name, tags), tag_role)
'''
PLANNED = """    "tag-role": PlannedCommand(tag_role.Request, _one(tag_role.tag_role)),
    "apply": PlannedCommand("""
CASE = """    "tag-role": _case("tag-role shared --tags team=a -c demo", shared),
    "disassociate-oidc": _case("""
FAULTS = """        Command("tag role", ("tag-role", "shared", "--tags", "team=a"), (shared,)),
"""
ROW = "| `tag-role` | `tag_role.py` | `write/tag_role.py` | `tag_role.py` |\n"
EDITS: dict[str, Callable[[str], str]] = {
    "irsa_cli/core/planning/tag_role.py": lambda _: PLAN,
    "irsa_cli/usecases/write/tag_role.py": lambda _: USE_CASE,
    "irsa_cli/core/results/result.py": lambda text: put(
        text, '    RECOVER = "recover"\n', '    RECOVER = "recover"\n    TAG_ROLE = "tag-role"\n'
    ),
    "irsa_cli/cli/commands/tag_role.py": lambda _: COMMAND,
    "irsa_cli/cli/commands.json": lambda text: put(
        put(text, '    "verify": ', '    "tag-role": "Set tags of a role.",\n    "verify": '),
        '"disassociate-oidc", "retire"]',
        '"disassociate-oidc", "retire", "tag-role"]',
    ),
    "irsa_cli/cli/help/options.txt": lambda text: put(
        text, "retire: everything", "tag-role: cluster region profile tags dry_run output\nretire: everything"
    ),
    "irsa_cli/usecases/plans/reading.py": lambda text: put(
        put(text, '    "apply": PlannedCommand(', PLANNED), "    retire,\n", "    retire,\n    tag_role,\n"
    ),
    "pyproject.toml": lambda text: put(
        text,
        '    "irsa_cli.cli.commands.unlock",\n',
        '    "irsa_cli.cli.commands.tag_role",\n    "irsa_cli.cli.commands.unlock",\n',
    ),
    "tools/house/measure.py": lambda text: put(text, '    "retire",\n', '    "retire",\n    "tag_role",\n'),
    "tests/unit/usecases/commands.py": lambda text: put(text, '    "disassociate-oidc": _case(', CASE),
    "tests/unit/usecases/test_saved_plans.py": lambda text: put(
        put(text, "    retire,\n", "    retire,\n    tag_role,\n"),
        '    "disassociate-oidc": disassociate_oidc.Request(',
        '    "tag-role": tag_role.Request(WHO, "shared", {"team": "a"}),\n'
        '    "disassociate-oidc": disassociate_oidc.Request(',
    ),
    "CONTRIBUTING.md": lambda text: put(text, "| `verify` | `verify.py`", f"{ROW}| `verify` | `verify.py`"),
}


def test_the_recipe_of_a_writing_command_leaves_the_tests_green(tmp_path: Path) -> None:
    assert [name.replace("…", "tag_role") for name in files_of("A new writing command")] == list(EDITS)
    project = followed(tmp_path, EDITS)
    generate(project, "commands", "man", "saved_plan_schema")
    saved = ("plans", "texts", "plan_schema", "requests")
    run_tests(
        project,
        "tests/unit/house",
        "tests/unit/command/test_perform.py",
        "tests/unit/cli/test_help.py",
        *(f"tests/unit/usecases/test_saved_{name}.py" for name in saved),
    )
