"""Manifests and charts' values with a role's annotation: which place is meant, and when there is none."""

from __future__ import annotations

import pytest

from irsa_cli.core.export.accounts import ExportedAccount
from irsa_cli.core.export.charts import CHARTS, key_of
from irsa_cli.core.export.updates import in_manifests, in_values
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.values.errors import InvalidInput, Refused

ARN = "arn:aws:iam::111122223333:role/demo-app"
LINE = f"    {ROLE_ARN_ANNOTATION}: {ARN}\n"
ACCOUNT = "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: {}\n"


def account(name: str = "app", namespace: str = "backend") -> ExportedAccount:
    return ExportedAccount(namespace, name, {ROLE_ARN_ANNOTATION: ARN})


def test_the_right_one_of_several_manifests_is_annotated() -> None:
    own, other = ACCOUNT.format("app"), ACCOUNT.format("other")
    text = f"# first\nkind: Deployment\n---\n{other}---\n{own}"
    update = in_manifests(text, "all.yaml", [account()])
    assert (update.text, update.absent) == (f"{text}  annotations:\n{LINE}", ())


def test_a_namespace_decides_between_manifests_of_one_name() -> None:
    here, there = (ACCOUNT.format(f"app\n  namespace: {name}") for name in ("backend", "web"))
    update = in_manifests(f"{there}---\n{here}", "all.yaml", [account()])
    assert update.text == f"{there}---\n{here}  annotations:\n{LINE}"


@pytest.mark.parametrize(
    ("kind", "own"), [("List", "  apiVersion: v1\n  kind: ServiceAccount\n"), ("ServiceAccountList", "")]
)
def test_items_of_lists_are_annotated(kind: str, own: str) -> None:
    text = f"apiVersion: v1\nkind: {kind}\nitems:\n- metadata:\n    name: app\n    namespace: backend\n{own}"
    indented = f"      {ROLE_ARN_ANNOTATION}: {ARN}\n"
    expected = text.replace("backend\n", f"backend\n    annotations:\n{indented}")
    assert in_manifests(text, "list.yaml", [account()]).text == expected


def test_accounts_that_a_file_does_not_have_are_named() -> None:
    text = ACCOUNT.format("app")
    update = in_manifests(text, "app.yaml", [account("other"), account()])
    assert update.text == f"{text}  annotations:\n{LINE}"
    assert update.absent == (account("other"),)
    assert in_manifests("kind: Service\nmetadata: {name: app}\n", "app.yaml", [account()]).absent == (
        account(),
    )


def test_other_accounts_with_a_role_are_named() -> None:
    stale = f"{ACCOUNT.format('old')}  annotations:\n{LINE}"
    update = in_manifests(f"{stale}---\n{ACCOUNT.format('bare')}", "all.yaml", [])
    assert [(other.names, other.role_arn) for other in update.others] == [(("", "old"), ARN)]


@pytest.mark.parametrize(
    ("text", "accounts", "reason"),
    [
        (f"{ACCOUNT}---\n{ACCOUNT}".format("app", "app"), [account()], "by one name"),
        (ACCOUNT.format("app"), [account(), account(namespace="web")], "by one name"),
        (ACCOUNT.format('"{{ .Values.name }}"'), [account()], "template"),
        (ACCOUNT.format("{{ .Values.name }}"), [account()], "template"),
        ("{{- if .a }}\n" + ACCOUNT.format("app") + "{{- end }}\n", [account()], "template"),
        (ACCOUNT.format("app\n  labels: {a: '{{ .b }}'}"), [account()], "template"),
    ],
)
def test_ambiguous_names_and_templates_are_refused(
    text: str, accounts: list[ExportedAccount], reason: str
) -> None:
    with pytest.raises(Refused) as caught:
        in_manifests(text, "app.yaml", accounts)
    assert reason in caught.value.reason
    assert caught.value.details[-1] == f"  {LINE.strip()}"


def test_templates_in_other_objects_are_texts() -> None:
    text = "kind: ConfigMap\ndata:\n  a: |\n    {{ .b }}\n---\n" + ACCOUNT.format("app")
    assert in_manifests(text, "app.yaml", [account()]).text == f"{text}  annotations:\n{LINE}"


def test_values_of_charts_have_their_key_and_may_have_texts_for_tpl() -> None:
    text = "tags:\n- k8s.io/{{ .Values.name }}\nrbac:\n  serviceAccount:\n    annotations: {}\n"
    update = in_values(text, "values.yaml", key_of("cluster-autoscaler"), account())
    assert update.text == text.replace(" {}\n", f"\n  {LINE}")


def test_values_that_are_templates_are_refused() -> None:
    with pytest.raises(Refused, match="template"):
        in_values("{{- if .a }}\na: 1\n{{- end }}\n", "values.gotmpl", "serviceAccount", account())


def test_each_chart_has_a_source_and_an_unknown_one_is_wrong_input() -> None:
    assert [
        chart for chart in CHARTS.values() if len(chart.commit) != 40 or "/" not in chart.repository
    ] == []
    with pytest.raises(InvalidInput, match="external-dns"):
        key_of("external-dn")
    with pytest.raises(InvalidInput, match="--values-key"):
        key_of("nothing-alike")
