"""Who goes before whom: a flag, the environment, `.irsa.yaml`, the kubeconfig's current context."""

from __future__ import annotations

import os
import shlex
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

import click
import pytest

from irsa_cli.cli.help.environment import project_defaults
from irsa_cli.cli.main import irsa
from tests.support.memory.playing import Play
from tests.support.named import named
from tests.support.ran import Ran
from tests.unit.usecases.commands import FILE, S3, Stage

ARN = "arn:aws:eks:eu-west-1:111122223333:cluster/demo"
CREATING = "create-sa reader -n backend --attach-policy-arn $S3"
FILES = "-f $folder/irsa.yaml"


class Here(Stage):
    """The folder that commands are run in, of which the project is a part; the cluster is not typed."""

    def __init__(self, play: Play, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(play)
        self.folder, self.monkeypatch = folder, monkeypatch
        self.words["project"] = str(folder / ".irsa.yaml")

    def irsa(self, *arguments: str, **_: Any) -> Ran:
        typed = arguments[:-2] if arguments[-2:] == ("-c", "demo") else arguments
        return self.play.irsa(*typed, code=None)

    def project(self, text: str) -> None:
        (self.folder / ".irsa.yaml").write_text(text, encoding="utf-8")

    def kubeconfig(self, cluster: str) -> None:
        text = f"""
current-context: here
contexts: [{{name: here, context: {{cluster: "{cluster}", user: me}}}}]
clusters: [{{name: "{cluster}", cluster: {{server: "https://127.0.0.1"}}}}]
"""
        (self.folder.parent / "kubeconfig").write_text(text, encoding="utf-8")

    def env(self, **variables: str) -> None:
        """Set variables; without `IRSA_`."""
        for name, value in variables.items():
            self.monkeypatch.setenv(f"IRSA_{name}", value)


@pytest.fixture
def here(play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Here:
    folder = tmp_path / "project" / "below"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    for name in [name for name in os.environ if name.startswith("IRSA_")]:
        if name not in ("IRSA_STATE_DIR", "IRSA_CALL_TIMEOUT", "IRSA_E2E"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    play.file(FILE)
    return Here(play, folder.parent, monkeypatch)


PLACES = ("flag", "environment", "file", "kubeconfig")


@pytest.mark.parametrize(("strong", "weak"), combinations_with_replacement(PLACES, 2))
def test_the_cluster_is_that_of_the_strongest(here: Here, strong: str, weak: str) -> None:
    line = "associate-oidc --dry-run"
    for place, name in {weak: "other", strong: "demo"}.items():
        if place == "flag":
            line += f" --cluster {name}"
        if place == "environment":
            here.env(CLUSTER=name)
        if place == "file":
            here.project(f"cluster: {name}\n")
        if place == "kubeconfig":
            here.kubeconfig(ARN.replace("demo", name))
    assert ("of context here" in here.run(line, says="demo - eu-west-1").err) == (strong == "kubeconfig")


@named(
    "context line code says",
    ("it is not of EKS", "kind-demo", "associate-oidc --dry-run", 2, "Missing option '--cluster'"),
    ("another context is meant", ARN, "associate-oidc -r eu-west-2", 2, "Missing option '--cluster'"),
    (
        "another account",
        ARN.replace("111122223333", "999999999999"),
        "associate-oidc",
        4,
        "is not the one of the kubeconfig's context",
    ),
)
def test_a_context_that_does_not_fit_is_not_used(
    here: Here, context: str, line: str, code: int, says: str
) -> None:
    here.kubeconfig(context)
    here.refuses(line, says, code)


def test_namespace_and_profile_come_from_the_nearest_file(here: Here) -> None:
    here.project("cluster: demo\nnamespace: backend\n")
    here.run("associate-oidc")
    created = here.run("create-sa reader --attach-policy-arn $S3 -o json")
    assert created.item["serviceAccount"]["namespace"] == "backend"
    assert here.run("delete-sa reader -n frontend --ignore-not-found").out == "Nothing to do.\n"


def test_the_profile_of_the_file_is_for_where_the_environment_names_no_caller(here: Here) -> None:
    found = irsa.get_command(click.Context(irsa, info_name="irsa"), "get-sa")
    assert found is not None
    here.project("profile: prod\nregion: eu-west-1\n")
    callers = ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE")
    for name in callers:
        here.monkeypatch.delenv(name, raising=False)
    region = {"region": ("eu-west-1",)}
    assert project_defaults("get-sa", found) == {"profile": ("prod",), **region}
    for name in callers:
        with here.monkeypatch.context() as patch:
            patch.setenv(name, "x")
            assert project_defaults("get-sa", found) == region


@pytest.mark.parametrize("text", ["expectAccount: '999999999999'", f"expectClusterARN: {ARN}2"])
def test_a_cluster_that_is_not_expected_is_refused(here: Here, text: str) -> None:
    here.project(f"cluster: demo\n{text}\n")
    for line in ("associate-oidc", CREATING, "get-sa", "verify x", "doctor"):
        here.refuses(line, "$project:2 says")
    here.project(f"cluster: demo\nexpectAccount: '111122223333'\nexpectClusterARN: {ARN}\n")
    here.run("associate-oidc")


def test_what_the_files_name_goes_before_settings(here: Here) -> None:
    here.env(CLUSTER="other")
    here.project("region: eu-west-2\n")
    here.kubeconfig(ARN.replace("demo", "third"))
    here.run(f"diff {FILES}", code=6, says="demo - eu-west-1")
    here.run(f"diff {FILES} --cluster other", code=2, says="is for demo")
    here.monkeypatch.delenv("IRSA_CLUSTER")
    here.project("")
    here.kubeconfig(ARN)
    here.play.file(
        "apiVersion: irsa/v1\nkind: Bindings\nserviceAccounts:\n- metadata: {name: a, namespace: b}\n"
        f"  attachPolicyARNs: ['{S3}']\n"
    )
    here.run(f"diff {FILES}", code=4, says="of context here")


@pytest.mark.parametrize(
    ("variables", "line", "said"),
    [
        ("NAMESPACE=backend", "get-sa -A --allow-empty", ""),
        ("NAMESPACE=backend ALL_NAMESPACES=1", "get-sa", "contradict"),
        ("ALL_NAMESPACES=1", "get-sa reader -n backend --ignore-not-found", ""),
        ("SELECTOR=a=b", "get-sa reader --ignore-not-found", ""),
        ("QUIET=1", "get-sa -v --allow-empty", ""),
        ("VERBOSE=1", "get-sa -q --allow-empty", ""),
        ("ACCOUNT=111122223333", "get-sa --allow-empty", ""),
        ("DETAILED_EXITCODE=1", "associate-oidc", ""),
        ("OUTPUT=sarif", "get-sa --allow-empty", ""),
        ("OUTPUT=json", "get-sa --allow-empty", ""),
        ("NAMESPACE=' ' REGION= TIMEOUT=", "associate-oidc", ""),
        ("YES=1 PRUNE=1 FORCE=1", "get-sa --allow-empty", ""),
        ("NAMESPACE='A B'", "get-sa", "The value is from the variable IRSA_NAMESPACE."),
        ("TIMEOUT=x", "associate-oidc", "The value is from the variable IRSA_TIMEOUT."),
        ("ATTACH_ROLE_ARN=arn:aws:iam::111122223333:role/x", f"{CREATING} --dry-run", ""),
    ],
)
def test_a_variable_breaks_no_command_that_a_flag_says_otherwise_to(
    here: Here, variables: str, line: str, said: str
) -> None:
    here.run("associate-oidc --cluster demo")
    here.env(CLUSTER="demo", **dict(item.split("=", 1) for item in shlex.split(variables)))
    ran = here.run(line, code=2 if said else 0, says=said)
    assert variables != "OUTPUT=json" or ran.out.startswith("{")


def test_what_permits_to_delete_is_never_taken_from_the_environment(here: Here) -> None:
    here.env(CLUSTER="demo")
    here.run(f"apply {FILES}")
    here.env(**dict.fromkeys(("YES", "APPROVE", "FORCE", "PRUNE", "ALL"), "1"))
    here.run(f"delete {FILES}", code=2, says="add --yes", changes="")
    here.run("recover", changes="")


def test_recover_knows_a_cluster_by_flags_only(here: Here) -> None:
    here.env(CLUSTER="demo")
    here.project("cluster: demo\n")
    here.kubeconfig(ARN)
    here.run("recover", says="No unfinished transactions on this machine.")


def test_a_file_of_somebody_else_is_not_read(here: Here) -> None:
    here.project("cluster: demo\n")
    here.monkeypatch.setattr("os.geteuid", lambda: 4711)
    if os.getuid() == 0:
        os.chown(here.folder / ".irsa.yaml", 4712, -1)
        here.run("associate-oidc --dry-run", code=2, says="its owner is not the owner")


def test_trust_that_is_too_wide_is_never_made_where_the_project_says_so(here: Here) -> None:
    here.project("allowWideTrust: never\n")
    here.run(f"{CREATING} --allow-wide-trust --cluster demo", code=2, says="$project:1")


def test_a_wrong_file_is_wrong_usage_and_never_keeps_help_back(here: Here) -> None:
    here.project("cluster: A_B!\nprofil: x\n")
    here.run("get-sa", code=2, says=["$project:1:10: ", "$project:2:1: unknown field 'profil'"])
    here.run("get-sa --help")
    here.run("version")


def test_config_shows_each_setting_and_where_it_is_from(here: Here) -> None:
    def shown(*names: str) -> str:
        items = {item["name"]: item for item in here.run("config -o json").json["items"]}
        found = [f"{items[name]['value']} of {items[name]['where']}" for name in names]
        return ", ".join(found).replace(str(here.folder.parent), "~")

    here.monkeypatch.setenv("AWS_REGION", "us-east-1")
    assert shown("cluster", "region") == "None of None, us-east-1 of AWS_REGION"
    here.kubeconfig(ARN)
    context = "context here in ~/kubeconfig"
    assert shown("cluster", "region") == f"demo of {context}, eu-west-1 of {context}"
    here.project("serviceAccounts: {git: [backend, 'team-*']}\n")
    assert shown("serviceAccounts") == "backend, team-* of ~/project/.irsa.yaml:1"
    here.project("namespace: backend\ncluster: prod\nlockTimeout: 90s\nexpectAccount: '111122223333'\n")
    assert shown("cluster", "region") == "prod of ~/project/.irsa.yaml:2, us-east-1 of AWS_REGION"
    assert shown("lockTimeout") == "90s of ~/project/.irsa.yaml:3"
    assert shown("expectAccount") == "111122223333 of ~/project/.irsa.yaml:4"
    here.env(CLUSTER="x", OUTPUT="json", CALL_TIMEOUT="3", REGON="y", YES="1")
    assert shown("cluster", "--output") == "x of IRSA_CLUSTER, json of IRSA_OUTPUT"
    assert shown("callTimeout") == "3 of IRSA_CALL_TIMEOUT"
    regon = "IRSA_REGON is not a variable of irsa (did you mean 'IRSA_REGION'?)"
    here.run("config -o json", says=[regon, "IRSA_YES is ignored"])
    here.monkeypatch.delenv("IRSA_OUTPUT")
    first, *lines = [line.split() for line in here.run("config").out.splitlines()]
    assert first == ["SETTING", "VALUE", "FROM"]
    assert ["namespace", "backend", f"{here.folder / '.irsa.yaml'}:1"] in lines
    assert "cluster" in here.run("config -o name").out.split()


@pytest.mark.parametrize("line", ["recover", "doctor --explain all", "audit --explain all"])
def test_a_form_that_the_environment_asks_of_all_is_ignored_where_it_is_none(here: Here, line: str) -> None:
    here.env(OUTPUT="markdown", SUMMARY_FILE=str(here.folder / "summary"))
    assert here.run(line).out
    here.run(f"{line} -o markdown", code=2)
