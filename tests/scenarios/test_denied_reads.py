"""An answer from which one read is withheld: what differs is not complete, and names what was not read.

Each world is played without a refusal, then with each of its reads refused. A quick run tries a few of them;
the thorough one tries all: every world, every command, every call.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from irsa_cli.core.results.unread import OPTIONAL
from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.breaking import NAME, Binding, Break, make
from tests.scenarios.breaks import BREAKS, annotated, associate, associated, each, trust
from tests.scenarios.conftest import sandbox_stage
from tests.support.documents import policy
from tests.support.stage import ROLE_ARN, Ran, Stage
from tests.support.thoroughness import THOROUGH

COMMANDS: Sequence[str] = (
    f"get-sa {NAME} -n back",
    "get-sa -A",
    f"describe-sa {NAME} -n back",
    f"describe-sa {NAME} -n back --policies",
    f"verify {NAME} -n back",
    "verify -A",
    f"doctor {NAME} -n back",
    "doctor",
    "audit --reach --fail-on low",
    "audit --reach --fail-on never",
    "who-can s3:ListBucket",
    "retire --list",
)
FEW = 3
"""Refusals of a command in a world that a quick run tries."""
ANSWERS = {("sts", "AssumeRoleWithWebIdentity"), ("eks-auth", "AssumeRoleForPodIdentity")}
"""Calls whose refusal is the answer of a command."""
NOT_THE_ANSWER = ("scope", "notes", "complete", "exitCode", "caller")
"""Facts about a run that tell of the refusal, or of who calls."""


def nothing(binding: Binding) -> None:
    """All is well."""


def by_pod_identity(binding: Binding) -> None:
    """An association gives the role, and nothing else does."""
    each(annotated(None), associated)(binding)
    binding.new_pod()


def overridden(binding: Binding) -> None:
    """The role of an association takes precedence over the one of the annotation."""
    associate(binding)
    binding.new_pod()


def broad(binding: Binding) -> None:
    """Every ServiceAccount of the cluster may have the role, which may do everything."""
    document = json.dumps(policy("Allow * on *"))
    binding.stage.iam().put_role_policy(RoleName=binding.role, PolicyName="all", PolicyDocument=document)
    pattern = '{"Condition": {"StringLike": {"$prefix:sub": "system:serviceaccount:*", "$prefix:aud": "*"}}}'
    trust(pattern)(binding)


def shared(binding: Binding) -> None:
    """Another ServiceAccount names the same role, which does not trust it."""
    binding.stage.make_account("back", "second", annotations={ROLE_ARN: binding.role_arn})


def role_only(binding: Binding) -> None:
    """A role of irsa without its ServiceAccount."""
    binding.stage.run("create-sa later -n back --role-only --no-policy")


def role_gone(binding: Binding) -> None:
    """The annotation names a role that nobody has."""
    annotated(f"{binding.role_arn}-gone")(binding)


OWN: dict[str, Break] = {
    function.__name__: function
    for function in (nothing, by_pod_identity, overridden, broad, shared, role_only, role_gone)
}
BROKEN = (
    *("no_provider", "annotation_of_another_role", "boundary_that_leaves_nothing", "no_webhook"),
    *("pod_identity_role_without_session_tags", "no_agent_of_pod_identity", "pod_that_pod_identity_missed"),
    *(
        "association_for_another_name",
        "service_account_in_another_namespace",
        "pod_of_another_service_account",
    ),
)
WORLDS = {**OWN, **{name: BREAKS[name][1] for name in (sorted(BREAKS) if THOROUGH else BROKEN)}}


OPTIONAL_NAMES = {(optional.service, optional.operation.rpartition(" ")[2]) for optional in OPTIONAL}


@dataclass(frozen=True)
class Refusal:
    """A read that is refused."""

    service: str
    operation: str

    @property
    def fault(self) -> Fault:
        code = "Forbidden" if self.service == "kubernetes" else "AccessDenied"
        status = 403
        if self.service == "issuer":
            status = 503  # It is public: its refusal is the answer that STS also gets, its silence is none.
        elif self.operation.startswith("POST "):
            status = 401  # A refusal to an administrator is that of admission: an answer.
        return Fault(self.service, self.operation, "error", status=status, code=code, times=None)

    @property
    def name(self) -> str:
        """What an answer calls it: the operation of AWS, or the resource."""
        word = self.operation.rpartition(" ")[2]
        return word if word.startswith("/") else word.partition("/")[0]

    @property
    def is_optional(self) -> bool:
        return (self.service, self.name) in OPTIONAL_NAMES


def leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Each value of a document by its path."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if path != "metadata" or key not in NOT_THE_ANSWER:
                yield from leaves(inner, f"{path}.{key}".strip("."))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, f"{path}[{index}]")
        yield f"{path}[]", len(value)
    else:
        yield path, value


def answer(ran: Ran) -> dict[str, object]:
    """All that a document says but how the run went."""
    return dict(leaves(ran.json))


@dataclass
class Trial:
    """A command in a world: its whole answer, what of it every run changes, and the refusals to try."""

    stage: Stage
    words: tuple[str, ...]

    def __post_init__(self) -> None:
        self.stage.sandbox.calls.clear()
        self.whole = self.run()
        calls = dict.fromkeys((call.service, call.operation) for call in self.stage.sandbox.calls)
        self.refusals = [Refusal(*call) for call in calls if call not in ANSWERS]
        first = answer(self.whole)
        second = answer(self.run())
        self.steady = {path for path in first.keys() & second.keys() if first[path] == second[path]}
        self.said = {path: first[path] for path in self.steady}

    def run(self) -> Ran:
        return self.stage.irsa(*self.words)

    def wrong(self, refusal: Refusal) -> str:
        """Why the answer with a refusal is silent about it; '' if it is not."""
        self.stage.sandbox.faults.add(refusal.fault)
        try:
            less = self.run()
        finally:
            self.stage.sandbox.faults.clear()
        if self.whole.code and not less.code:
            return "exit 0 of a world that fails"
        said = answer(less)
        changed = sorted(path for path, value in self.said.items() if said.get(path, self) != value)
        more = sorted(path for path in said if path not in answer(self.whole))
        if not changed and not more:
            return ""
        differs = f"differs at {(changed or more)[0]}"
        scope = less.metadata.get("scope", {"complete": False, "notExamined": []})
        if scope["complete"]:
            return f"complete, and {differs}"
        gaps = [gap["what"] for gap in scope["notExamined"] if gap["couldChangeAnswer"]]
        if refusal.name.lower() not in json.dumps([gaps, less.json.get("errors")]).lower():
            return f"{differs} without a word about it"
        return ""


def tried(stage: Stage, world: str, commands: Sequence[str], few: int | None) -> tuple[int, list[str]]:
    """How many refusals were tried, and the silent ones."""
    number = 0
    silent = []
    for line in commands:
        trial = Trial(stage, (*line.split(), "-c", stage.cluster, "-o", "json"))
        refusals = trial.refusals
        if few is not None and len(refusals) > few:
            refusals = random.Random(f"{world} {line}").sample(refusals, few)
        for refusal in refusals:
            number += 1
            why = trial.wrong(refusal)
            if why:
                silent.append(f"{world}: {line}: without {refusal.service} {refusal.operation}: {why}")
    return number, silent


@pytest.mark.parametrize("world", WORLDS)
def test_no_answer_is_silent_about_a_read(world: str, sandbox: Sandbox, tmp_path: Path) -> None:
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    stage.words["ns"] = "back"
    stage.make_namespace("back")
    WORLDS[world](make(stage, "back"))
    commands = COMMANDS if THOROUGH else random.Random(world).sample(COMMANDS, FEW)
    number, silent = tried(stage, world, commands, None if THOROUGH else FEW)
    assert number
    assert silent == [], f"{len(silent)} of {number}:\n" + "\n".join(silent)


# What was found: each of these was called complete, or right.
KNOWN: tuple[tuple[str, str, str], ...] = (
    ("overridden", f"verify {NAME} -n back", "eks ListPodIdentityAssociations"),
    ("overridden", "verify -A", "eks ListPodIdentityAssociations"),
    ("overridden", f"verify {NAME} -n back", "eks DescribePodIdentityAssociation"),
    ("no_agent_of_pod_identity", f"verify {NAME} -n back", "eks ListAddons"),
    ("no_agent_of_pod_identity", f"doctor {NAME} -n back", "eks ListAddons"),
    (
        "pod_identity_role_without_session_tags",
        f"doctor {NAME} -n back",
        "eks DescribePodIdentityAssociation",
    ),
    ("broad", "audit --fail-on never", "eks ListPodIdentityAssociations"),
    ("broad", f"get-sa {NAME} -n back", "iam GetRolePolicy"),
)


@pytest.mark.parametrize(("world", "line", "call"), KNOWN)
def test_what_was_found(world: str, line: str, call: str, sandbox: Sandbox, tmp_path: Path) -> None:
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    stage.words["ns"] = "back"
    stage.make_namespace("back")
    WORLDS[world](make(stage, "back"))
    trial = Trial(stage, (*line.split(), "-c", stage.cluster, "-o", "json"))
    assert Refusal(*call.split()) in trial.refusals
    assert trial.wrong(Refusal(*call.split())) == ""


def test_a_broad_trust_has_one_severity_however_it_is_read(sandbox: Sandbox, tmp_path: Path) -> None:
    """Many roles are read by pages, with their inline policies; one role by itself."""
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    stage.words["ns"] = "back"
    stage.make_namespace("back")
    binding = make(stage, "back")
    broad(binding)
    one = stage.run(f"get-sa {NAME} -n back -o json").item["warnings"]
    assert "critical" in [warning["severity"] for warning in one]
    for number in range(6):
        stage.make_account("back", f"more-{number}", annotations={ROLE_ARN: f"{binding.role_arn}-{number}"})
    sandbox.calls.clear()
    listed = {item["serviceAccount"]["name"]: item for item in stage.run("get-sa -n back -o json").items}
    assert "GetAccountAuthorizationDetails" in {call.operation for call in sandbox.calls}
    assert listed[NAME]["warnings"] == one
    assert stage.run(f"describe-sa {NAME} -n back -o json").item["warnings"] == one


def test_an_optional_read_changes_no_exit_code(sandbox: Sandbox, tmp_path: Path) -> None:
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    stage.make_namespace("back")
    make(stage, "back").new_pod(nodeName="ip-10-0-0-1.ec2.internal")
    trial = Trial(stage, ("doctor", NAME, "-n", "back", "-c", stage.cluster, "-o", "json"))
    assert trial.whole.code == 0
    optional = [refusal for refusal in trial.refusals if refusal.is_optional]
    assert {(refusal.service, refusal.name) for refusal in optional} == OPTIONAL_NAMES
    for refusal in optional:
        sandbox.faults.add(refusal.fault)
        less = trial.run()
        sandbox.faults.clear()
        gaps = [gap for gap in less.metadata["scope"]["notExamined"] if gap["couldChangeAnswer"]]
        assert (less.code, [gap["couldChangeExitCode"] for gap in gaps]) == (0, [False] * len(gaps)), refusal
        assert gaps, refusal
