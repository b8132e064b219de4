"""`irsa export`: what other tools get, files that keep all else, and the drift gate of a pipeline."""

import json
import shlex

import pytest
import yaml

from tests.support.stage import ROLE_ARN, Stage

VALUES = "# ours\nserviceAccount:\n  create: true   # always\n  annotations: {}\n  name: 'app'\n"
MANIFEST = "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: {}  # of Git\n"


@pytest.fixture
def arn(stage: Stage, namespace: str) -> str:
    """The role of `app`, whose ServiceAccount only Git knows."""
    stage.associate("-q")
    stage.run("create-sa app -n $ns --attach-policy-arn $S3 --role-only -q")
    return str(stage.run("get-sa -n $ns -o json").item["role"]["arn"])


def export(stage: Stage, more: str, code: int = 0, says: str = "") -> str:
    """What is printed; it changes nothing in AWS and in the cluster."""
    return stage.run(f"export -n $ns {more}", code=code, says=says, changes="").out


def written(stage: Stage, name: str) -> str:
    return (stage.folder / name).read_bytes().decode()


def test_a_role_only_binding_gets_into_manifests(stage: Stage, namespace: str, arn: str) -> None:
    manifest = yaml.safe_load(export(stage, "-q"))
    metadata = {"name": "app", "namespace": namespace, "annotations": {ROLE_ARN: arn}}
    assert manifest == {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
    export(stage, "--out git/", says="1 of 1 file written")
    assert yaml.safe_load(written(stage, f"git/{namespace}.app.yaml")) == manifest
    export(stage, "--out git/ --check", says="0 of 1 file differ")


def test_the_applied_manifest_completes_the_binding(stage: Stage, namespace: str, arn: str) -> None:
    manifest = yaml.safe_load(export(stage, "-q"))
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    assert stage.kube.create(path, manifest).status == 201
    item = stage.run("get-sa -n $ns -o json").item
    assert (item["status"], item["role"]["arn"]) == ("ok", arn)
    assert yaml.safe_load(export(stage, "-q")) == manifest


@pytest.mark.parametrize("form", ["kustomize", "helm", "argocd", "env", "eksctl", "terraform", "irsa"])
def test_each_format_has_the_role(stage: Stage, arn: str, form: str) -> None:
    text = export(stage, f"-q --to {form}")
    hints = {
        "argocd": "eks.amazonaws.com~1role-arn",
        "terraform": arn.rpartition("/")[2],
        "irsa": "name: app",
    }
    assert hints.get(form, arn) in text
    export(stage, f"-q --to {form} --out file")
    assert written(stage, "file") == text


def test_terraform_imports_the_role_with_its_policies_and_the_provider(stage: Stage, arn: str) -> None:
    text = export(stage, "app -q --to terraform")
    name = arn.rpartition("/")[2]
    ids = [line.partition(" = ")[2] for line in text.splitlines() if line.startswith("  id = ")]
    policy = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
    assert ids[1:] == [json.dumps(name), json.dumps(f"{name}/{policy}")]
    assert ":oidc-provider/" in ids[0]
    assert "max_session_duration = 3600" in text


def test_one_role_that_was_asked_for_is_a_plain_variable(stage: Stage, namespace: str, arn: str) -> None:
    assert export(stage, "app -q --to env") == f"ROLE_ARN={arn}\n"
    prefix = namespace.upper().replace("-", "_")
    assert export(stage, "-q --to env") == f"{prefix}_APP_ROLE_ARN={arn}\n"


def test_values_of_a_chart_change_in_one_place(stage: Stage, arn: str) -> None:
    (stage.folder / "values.yaml").write_bytes(VALUES.encode())
    line = "app --to helm --write values.yaml"
    export(stage, f"{line} --check -q", code=6)
    assert written(stage, "values.yaml") == VALUES
    export(stage, line, says="1 of 1 file written")
    expected = VALUES.replace(" {}", f"\n    {ROLE_ARN}: {arn}")
    assert written(stage, "values.yaml") == expected
    export(stage, f"{line} --check", says="0 of 1 file differ")
    export(stage, line, says="0 of 1 file written")
    assert written(stage, "values.yaml") == expected


def test_a_role_in_git_that_is_no_binding_is_drift(stage: Stage, arn: str) -> None:
    stale = MANIFEST.format("old") + f"  annotations:\n    {ROLE_ARN}: arn:aws:iam::111122223333:role/old\n"
    (stage.folder / "all.yaml").write_text(MANIFEST.format("app") + "---\n" + stale)
    export(stage, "--write all.yaml", says="ServiceAccount old has arn:aws:iam::111122223333:role/old")
    export(stage, "--write all.yaml --check", code=6, says="no such binding")
    export(stage, "app --write all.yaml --check", code=0)
    assert stale in written(stage, "all.yaml")


def test_a_chart_has_its_own_place(stage: Stage, arn: str) -> None:
    (stage.folder / "velero.yaml").write_text("serviceAccount:\n  server:\n    annotations:\n")
    export(stage, "app -q --to helm --chart velero --write velero.yaml")
    values = yaml.safe_load(written(stage, "velero.yaml"))
    assert values == {"serviceAccount": {"server": {"annotations": {ROLE_ARN: arn}}}}


def test_manifests_keep_their_comments_and_line_breaks(stage: Stage, arn: str) -> None:
    other, own = MANIFEST.format("other"), MANIFEST.format("app")
    text = f"{other}---\n{own}".replace("\n", "\r\n")
    (stage.folder / "all.yaml").write_bytes(text.encode())
    export(stage, "--write all.yaml", says="1 of 1 file written")
    assert written(stage, "all.yaml") == f"{text}  annotations:\r\n    {ROLE_ARN}: {arn}\r\n"


REFUSED = {
    # file: arguments, code, words
    "{{- if .Values.a }}\n" + MANIFEST.format("app"): ("", 4, "template"),
    MANIFEST.format("other"): ("", 4, "has no ServiceAccount"),
    "a: &a {annotations: {}}\nserviceAccount: *a\n": ("app --to helm", 4, "alias"),
    "serviceAccount: [\n": ("app --to helm", 2, "not YAML"),
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_refused_file_stays_as_it_is(stage: Stage, arn: str, text: str) -> None:
    more, code, words = REFUSED[text]
    (stage.folder / "file.yaml").write_text(text)
    ran = stage.run(f"export -n $ns {more} --write file.yaml", code=code, says=words, changes="")
    assert written(stage, "file.yaml") == text
    assert code == 2 or "has no" in words or f"{ROLE_ARN}: {arn}" in ran.err


WRONG = {
    "--check": "--check needs --out or --write",
    "--write here.yaml --to env": "--write needs --to manifests or --to helm",
    "--write here.yaml --out there.yaml": "contradict each other",
    "--values-key a": "need --to helm",
    "--to helm --chart velero --values-key a": "contradict each other",
    "--to helm --values-key a..b": "not a key of values",
    "--to helm --chart vellero": "is not one of",
}


def test_wrong_lines_read_nothing(stage: Stage) -> None:
    (stage.folder / "here.yaml").write_text("")
    for line, words in WRONG.items():
        ran = stage.irsa("export", *shlex.split(line), "-c", stage.cluster)
        assert (ran.code, words in ran.err) == (2, True), (line, ran.err)


FILE = """
apiVersion: irsa/v1
kind: Bindings
metadata: {{name: {cluster}, region: {region}}}
withOIDC: true
serviceAccounts:
- metadata: {{name: app, namespace: {ns}, labels: {{a: b}}, annotations: {{c.io/d: e}}}}
  attachPolicyARNs: [arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess]
  audience: vault
- metadata: {{name: other, namespace: {ns}}}
  podIdentity: true
  attachPolicyARNs: []
"""


def test_files_are_exported_before_and_after_they_are_applied(stage: Stage, namespace: str) -> None:
    text = FILE.format(cluster=stage.cluster, region=stage.region, ns=namespace)
    (stage.folder / "file.yaml").write_text(text)
    ran = stage.run("export -f file.yaml -q", changes="")
    assert "EKS Pod Identity" in ran.err
    metadata = yaml.safe_load(ran.out)["metadata"]
    assert (metadata["name"], metadata["labels"]) == ("app", {"a": "b"})
    stage.run("apply -f file.yaml -q --include */app")
    assert export(stage, "app -q") == ran.out
    export(stage, "gone -f file.yaml", code=2, says="matches no ServiceAccount")


def test_what_no_file_may_repeat_is_left_out_with_its_reason(stage: Stage, namespace: str, arn: str) -> None:
    stage.make_account(namespace, "gone", annotations={ROLE_ARN: "arn:aws:iam::111122223333:role/gone"})
    ran = stage.run("export -n $ns -q", changes="")
    assert (arn in ran.out, "role/gone" in ran.out) == (True, False)
    assert "its role does not exist" in ran.err
    stage.run("export gone -n $ns -q", code=4, says="no role for a file", changes="")


def test_doctor_proposes_the_annotation_for_git(stage: Stage, namespace: str, arn: str) -> None:
    """irsa created the role alone: it never proposes to write the ServiceAccount itself."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    for body in (None, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "app"}}):
        if body is not None:
            assert stage.kube.create(path, body).status == 201
        ran = stage.run("doctor app -n $ns", code=5, says=f"{ROLE_ARN}: {arn}", changes="")
        assert f"irsa export app -n {namespace}" in ran.out
        assert "irsa create-sa app" not in ran.out
        assert "kubectl annotate" not in ran.out
