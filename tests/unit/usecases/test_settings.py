"""Who goes before whom: a flag, the environment, `.irsa.yaml`, the kubeconfig's current context."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

import irsa_cli
from irsa_cli.cli.help.environment import PERMITS, variable_of
from irsa_cli.cli.main import COMMANDS, irsa
from tests.support.memory.playing import Play
from tests.unit.usecases.commands import CREATE, FILE

ARN = "arn:aws:eks:eu-west-1:111122223333:cluster/demo"


@pytest.fixture
def here(play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that commands are run in, of which the project is a part."""
    folder = tmp_path / "project" / "below"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    for name in [name for name in os.environ if name.startswith("IRSA_") and name != "IRSA_E2E"]:
        if name not in ("IRSA_STATE_DIR", "IRSA_CALL_TIMEOUT"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    return tmp_path / "project"


def project(here: Path, text: str) -> None:
    (here / ".irsa.yaml").write_text(text, encoding="utf-8")


def kubeconfig(here: Path, cluster: str, server: str = "https://127.0.0.1") -> None:
    text = f"""
current-context: here
contexts: [{{name: here, context: {{cluster: "{cluster}", user: me}}}}]
clusters: [{{name: "{cluster}", cluster: {{server: "{server}"}}}}]
"""
    (here.parent / "kubeconfig").write_text(text, encoding="utf-8")


Set = Callable[[str], None]
PLACES = ("flag", "environment", "file", "kubeconfig")


@pytest.mark.parametrize("strong", PLACES)
@pytest.mark.parametrize("weak", PLACES)
def test_the_cluster_is_that_of_the_strongest(
    play: Play, here: Path, monkeypatch: pytest.MonkeyPatch, strong: str, weak: str
) -> None:
    if PLACES.index(strong) > PLACES.index(weak):
        return
    arguments = ["associate-oidc", "--dry-run"]
    for place in dict.fromkeys((weak, strong)):
        name = "demo" if place == strong else "other"
        if place == "flag":
            arguments += ["--cluster", name]
        if place == "environment":
            monkeypatch.setenv("IRSA_CLUSTER", name)
        if place == "file":
            project(here, f"cluster: {name}\n")
        if place == "kubeconfig":
            kubeconfig(here, ARN.replace("demo", name))
    found = play.irsa(*arguments)
    assert "demo - eu-west-1" in found.err
    assert ("of context here" in found.err) == (strong == "kubeconfig")


def test_without_any_the_option_is_missing(play: Play, here: Path) -> None:
    kubeconfig(here, "kind-demo")
    found = play.irsa("associate-oidc", "--dry-run", code=2)
    assert "Missing option '--cluster'" in found.err


def test_a_region_that_is_given_says_that_another_context_is_meant(play: Play, here: Path) -> None:
    kubeconfig(here, ARN)
    assert "Missing option '--cluster'" in play.irsa("associate-oidc", "-r", "eu-west-2", code=2).err


def test_a_context_of_another_account_is_refused(play: Play, here: Path) -> None:
    kubeconfig(here, ARN.replace("111122223333", "999999999999"))
    found = play.irsa("associate-oidc", code=4)
    assert "is not the one of the kubeconfig's context" in found.err
    assert play.cloud.writes == []


def test_namespace_and_profile_come_from_the_nearest_file(play: Play, here: Path) -> None:
    project(here, "cluster: demo\nnamespace: backend\n")
    play.irsa("associate-oidc")
    created = play.irsa("create-sa", "reader", "--attach-policy-arn", CREATE[-1], "-o", "json")
    assert created.item["serviceAccount"]["namespace"] == "backend"
    assert play.irsa("delete-sa", "reader", "-n", "frontend", "--ignore-not-found").out == "Nothing to do.\n"


def test_the_profile_of_the_file_is_for_where_the_environment_names_no_caller(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from irsa_cli.cli.help.environment import project_defaults

    found = irsa.get_command(click.Context(irsa, info_name="irsa"), "get-sa")
    assert found is not None
    project(here, "profile: prod\nregion: eu-west-1\n")
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    both = {"profile": ("prod",), "region": ("eu-west-1",)}
    assert project_defaults("get-sa", found) == both
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.setenv(name, "x")
        assert project_defaults("get-sa", found) == {"region": ("eu-west-1",)}
        monkeypatch.delenv(name)


@pytest.mark.parametrize("text", ["expectAccount: '999999999999'", f"expectClusterARN: {ARN}2"])
def test_a_cluster_that_is_not_expected_is_refused(play: Play, here: Path, text: str) -> None:
    project(here, f"cluster: demo\n{text}\n")
    for arguments in (("associate-oidc",), CREATE, ("get-sa",), ("verify", "x"), ("doctor",)):
        found = play.irsa(*arguments, code=4)
        assert f"{here / '.irsa.yaml'}:2 says" in found.err
    assert play.cloud.writes == []
    project(here, f"cluster: demo\nexpectAccount: '111122223333'\nexpectClusterARN: {ARN}\n")
    play.irsa("associate-oidc")


def test_every_target_reads_what_the_project_expects() -> None:
    """`connect` asks the target; one that is made without would be connected unchecked."""
    made = [
        call
        for path in (Path(irsa_cli.__file__).parent).rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Target"
    ]
    unchecked = [
        text
        for text in map(ast.unparse, made)
        if not any(by in text for by in ("expect_project=", "take_expected(", "**found"))
    ]
    assert (len(made), unchecked) == (5, ["Target('demo')"])


def test_what_the_files_name_goes_before_settings(
    play: Play, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = play.file(FILE)
    monkeypatch.setenv("IRSA_CLUSTER", "other")
    project(here, "region: eu-west-2\n")
    kubeconfig(here, ARN.replace("demo", "third"))
    assert "demo - eu-west-1" in play.irsa("diff", "-f", path, code=6).err
    assert "is for demo" in play.irsa("diff", "-f", path, "-c", "other", code=2).err
    monkeypatch.delenv("IRSA_CLUSTER")
    bindings = play.file(
        "apiVersion: irsa/v1\nkind: Bindings\nserviceAccounts:\n- metadata: {name: a, namespace: b}\n"
        f"  attachPolicyARNs: ['{CREATE[-1]}']\n",
        "bindings.yaml",
    )
    project(here, "")
    kubeconfig(here, ARN)
    found = play.irsa("diff", "-f", bindings, code=None)
    assert "of context here" in found.err


@pytest.mark.parametrize(
    ("variables", "arguments", "said"),
    [
        ({"IRSA_NAMESPACE": "backend"}, ("get-sa", "-A", "--allow-empty"), ""),
        ({"IRSA_NAMESPACE": "backend", "IRSA_ALL_NAMESPACES": "1"}, ("get-sa",), "contradict"),
        ({"IRSA_ALL_NAMESPACES": "1"}, ("get-sa", "reader", "-n", "backend", "--ignore-not-found"), ""),
        ({"IRSA_SELECTOR": "a=b"}, ("get-sa", "reader", "--ignore-not-found"), ""),
        ({"IRSA_QUIET": "1"}, ("get-sa", "-v", "--allow-empty"), ""),
        ({"IRSA_VERBOSE": "1"}, ("get-sa", "-q", "--allow-empty"), ""),
        ({"IRSA_ACCOUNT": "111122223333"}, ("get-sa", "--allow-empty"), ""),
        ({"IRSA_DETAILED_EXITCODE": "1"}, ("associate-oidc",), ""),
        ({"IRSA_OUTPUT": "sarif"}, ("get-sa", "--allow-empty"), ""),
        ({"IRSA_OUTPUT": "json"}, ("get-sa", "--allow-empty"), ""),
        ({"IRSA_NAMESPACE": " ", "IRSA_REGION": "", "IRSA_TIMEOUT": ""}, ("associate-oidc",), ""),
        ({"IRSA_YES": "1", "IRSA_PRUNE": "1", "IRSA_FORCE": "1"}, ("get-sa", "--allow-empty"), ""),
        ({"IRSA_NAMESPACE": "A B"}, ("get-sa",), "The value is from the variable IRSA_NAMESPACE."),
        ({"IRSA_TIMEOUT": "x"}, ("associate-oidc",), "The value is from the variable IRSA_TIMEOUT."),
        ({"IRSA_ATTACH_ROLE_ARN": "arn:aws:iam::111122223333:role/x"}, (*CREATE, "--dry-run"), ""),
    ],
)
def test_a_variable_breaks_no_command_that_a_flag_says_otherwise_to(
    play: Play,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    arguments: tuple[str, ...],
    said: str,
) -> None:
    play.irsa("associate-oidc", "-c", "demo")
    monkeypatch.setenv("IRSA_CLUSTER", "demo")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = play.irsa(*arguments, code=2 if said else 0)
    assert said in found.err
    if variables.get("IRSA_OUTPUT") == "json":
        assert found.out.startswith("{")


def test_what_permits_to_delete_is_never_taken_from_the_environment(
    play: Play, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IRSA_CLUSTER", "demo")
    play.irsa("apply", "-f", play.file(FILE))
    for name in ("YES", "APPROVE", "FORCE", "PRUNE", "ALL"):
        monkeypatch.setenv(f"IRSA_{name}", "1")
    before = play.world
    found = play.irsa("delete", "-f", play.file(FILE), code=2)
    assert "add --yes" in found.err
    play.irsa("recover")
    assert play.world == before


def test_recover_knows_a_cluster_by_flags_only(
    play: Play, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IRSA_CLUSTER", "demo")
    project(here, "cluster: demo\n")
    kubeconfig(here, ARN)
    assert "No unfinished transactions on this machine." in play.irsa("recover").out


def test_a_file_of_somebody_else_is_not_read(play: Play, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project(here, "cluster: demo\n")
    monkeypatch.setattr("os.geteuid", lambda: 4711)
    if os.getuid() == 0:
        os.chown(here / ".irsa.yaml", 4712, -1)
        assert "its owner is not the owner" in play.irsa("associate-oidc", "--dry-run", code=2).err


def test_trust_that_is_too_wide_is_never_made_where_the_project_says_so(play: Play, here: Path) -> None:
    project(here, "allowWideTrust: never\n")
    found = play.irsa(*CREATE, "--allow-wide-trust", code=2)
    assert f"{here / '.irsa.yaml'}:1" in found.err


def test_a_wrong_file_is_wrong_usage_and_never_keeps_help_back(play: Play, here: Path) -> None:
    project(here, "cluster: A_B!\nprofil: x\n")
    found = play.irsa("get-sa", code=2)
    assert f"{here / '.irsa.yaml'}:1:10: " in found.err
    assert f"{here / '.irsa.yaml'}:2:1: unknown field 'profil'" in found.err
    play.irsa("get-sa", "--help")
    play.irsa("version")


def test_config_shows_each_setting_and_where_it_is_from(
    play: Play, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shown() -> dict[str, tuple[str | None, str | None]]:
        items = play.irsa("config", "-o", "json").json["items"]
        return {item["name"]: (item["value"], item["where"]) for item in items}

    file = here / ".irsa.yaml"
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    assert (shown()["cluster"], shown()["region"]) == ((None, None), ("us-east-1", "AWS_REGION"))
    kubeconfig(here, ARN)
    context = f"context here in {here.parent / 'kubeconfig'}"
    assert (shown()["cluster"], shown()["region"]) == (("demo", context), ("eu-west-1", context))
    project(here, "namespace: backend\ncluster: prod\nlockTimeout: 90s\nexpectAccount: '111122223333'\n")
    found = shown()
    assert found["cluster"] == ("prod", f"{file}:2")
    assert found["region"] == ("us-east-1", "AWS_REGION")
    assert found["lockTimeout"] == ("90s", f"{file}:3")
    assert found["expectAccount"] == ("111122223333", f"{file}:4")
    for name, value in (
        ("CLUSTER", "x"),
        ("OUTPUT", "json"),
        ("CALL_TIMEOUT", "3"),
        ("REGON", "y"),
        ("YES", "1"),
    ):
        monkeypatch.setenv(f"IRSA_{name}", value)
    ran = play.irsa("config", "-o", "json")
    found = {item["name"]: (item["value"], item["where"]) for item in ran.json["items"]}
    assert found["cluster"] == ("x", "IRSA_CLUSTER")
    assert found["--output"] == ("json", "IRSA_OUTPUT")
    assert found["callTimeout"] == ("3", "IRSA_CALL_TIMEOUT")
    assert "IRSA_REGON is not a variable of irsa (did you mean 'IRSA_REGION'?)" in ran.err
    assert "IRSA_YES is ignored" in ran.err
    monkeypatch.delenv("IRSA_OUTPUT")
    lines = play.irsa("config").out.splitlines()
    assert lines[0].split() == ["SETTING", "VALUE", "FROM"]
    assert ["namespace", "backend", f"{file}:1"] in [line.split() for line in lines]
    assert "cluster" in play.irsa("config", "-o", "name").out.split()


def commands() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(irsa, info_name="irsa")
    for name in COMMANDS:
        found = irsa.get_command(context, name)
        assert found is not None
        yield name, found


def test_each_option_has_its_variable_or_a_reason() -> None:
    names: dict[str, set[str]] = {}
    for name, found in commands():
        for option in found.params:
            if variable := variable_of(name, option):
                assert variable.startswith("IRSA_")
                assert option.name not in PERMITS
                names.setdefault(variable, set()).add(option.name or "")
    assert {"IRSA_CLUSTER", "IRSA_REGION", "IRSA_NAMESPACE", "IRSA_PROFILE", "IRSA_OUTPUT"} <= set(names)
    assert "IRSA_PERMISSIONS_BOUNDARY" not in names
    doubtful = {name: found for name, found in names.items() if len(found) > 1}
    assert doubtful == {
        "IRSA_CLUSTER": {"cluster", "clusters"},
        "IRSA_REGION": {"region", "regions"},
    }


@pytest.mark.parametrize(
    "arguments", [("recover",), ("doctor", "--explain", "all"), ("audit", "--explain", "all")]
)
def test_a_form_that_the_environment_asks_of_all_is_ignored_where_it_is_none(
    play: Play, here: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("IRSA_OUTPUT", "markdown")
    monkeypatch.setenv("IRSA_SUMMARY_FILE", str(here / "summary"))
    assert play.irsa(*arguments).out
    play.irsa(*arguments, "-o", "markdown", code=2)
