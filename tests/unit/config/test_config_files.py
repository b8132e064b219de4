"""Configuration files on disk and on standard input, and what an entry asks of create-sa."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import pytest

from irsa_cli.core.binding.spec import desired_state_of
from irsa_cli.core.config.model import Binding, OtherCluster
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.usecases import texts
from irsa_cli.usecases.files.entries import with_issuers
from irsa_cli.usecases.files.targets import read_configs

ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
CLUSTER = Cluster(
    name="prod",
    arn="arn:aws-cn:eks:cn-north-1:111122223333:cluster/prod",
    region="cn-north-1",
    partition="aws-cn",
    account="111122223333",
    issuer="https://oidc.eks.cn-north-1.amazonaws.com.cn/id/A",
)


def _bindings(*names: str, **fields: object) -> str:
    entries = [{"metadata": {"name": name}, **fields} for name in names]
    return json.dumps({"apiVersion": "irsa/v1", "kind": "Bindings", "serviceAccounts": entries})


def _names(*paths: str) -> list[str]:
    return [binding.name for config in read_configs(paths) for binding in config.bindings]


def test_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "below").mkdir()
    for file, name in (
        ("b.yml", "b"),
        ("a.yaml", "a"),
        ("c.json", "c"),
        ("x.txt", "X"),
        ("below/z.yaml", "z"),
    ):
        (tmp_path / "folder" / file).write_text(_bindings(name))
    (tmp_path / "one.yaml").write_text(
        f"\ufeff{_bindings('one')}\n---\n{_bindings('two')}\n", encoding="utf-8"
    )
    one, folder = str(tmp_path / "one.yaml"), str(tmp_path / "folder")
    assert _names(one, folder) == ["one", "two", "a", "b", "c"]
    assert _names(folder, one, f"{folder}/a.yaml") == ["a", "b", "c", "one", "two"]


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(_bindings("a", "b").encode())))
    assert _names("-", "-") == ["a", "b"]


def test_policies_by_file_are_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "s3.json").write_text(json.dumps(ALLOW))
    file = tmp_path / "c.yaml"
    file.write_text(_bindings("a", inlinePolicies={"s3": {"file": "policies/s3.json"}}))
    ((binding,),) = [config.bindings for config in read_configs([str(file)])]
    assert binding.inline == {"s3": ALLOW}
    file.write_text(_bindings("a", inlinePolicies={"s3": {"file": "policies/s4.json"}}))
    with pytest.raises(InvalidInput, match=r"c\.yaml:1:\d+: .*policies/s4\.json can't be read: No such file"):
        read_configs([str(file)])


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe4\n")
    (tmp_path / "empty").mkdir()
    for name in ("latin.yaml", "empty", "missing.yaml"):
        with pytest.raises(InvalidInput, match=name):
            read_configs([str(tmp_path / name)])


@pytest.mark.parametrize("text", ["", "---\n", "# nothing\n---\n...\n", "null\n"])
def test_what_holds_no_document_is_a_generator_that_failed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    (tmp_path / "none").mkdir()
    none = tmp_path / "none" / "none.yaml"
    none.write_text(text)
    good = tmp_path / "good.yaml"
    good.write_text(_bindings("a"))
    for paths in ([none], [none.parent], [good, none], [none, good]):
        with pytest.raises(InvalidInput, match=r"none(\.yaml)? holds no document"):
            read_configs([str(path) for path in paths])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    with pytest.raises(InvalidInput, match="standard input holds no document"):
        read_configs(["-"])
    assert _names(str(tmp_path), str(good)) == ["a"]
    (none.parent / "more.yaml").write_text(_bindings())
    assert _names(str(none.parent)) == []


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.yaml").write_text(_bindings("app", nonsense=1))
    (tmp_path / "folder" / "b.yaml").write_text(f"{_bindings('x', 'x')}\n---\n{_bindings('B')}")
    for name in ("c.yaml", "d.yaml"):
        (tmp_path / name).write_text(_bindings("twice"))
    (tmp_path / "empty.yaml").touch()
    paths = ("folder", "c.yaml", "missing.yaml", "d.yaml", "empty.yaml")
    with pytest.raises(InvalidInput, match="the files have 6 problems") as caught:
        read_configs([str(tmp_path / path) for path in paths])
    wrong = ("nonsense", "'B'", "b.yaml:1", "missing.yaml", "empty.yaml", "default/twice")
    for line, part in zip(caught.value.details, wrong, strict=True):
        assert part in line


def test_a_service_account_in_two_files(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(_bindings("app"))
    with pytest.raises(InvalidInput, match=r"b\.yaml:1: default/app is also defined in .*a\.yaml:1"):
        read_configs([str(tmp_path)])


def test_an_entry_is_the_request_that_flags_would_make(tmp_path: Path) -> None:
    text = f"""
apiVersion: irsa/v1
kind: Bindings
serviceAccounts:
- metadata: {{name: app, namespace: shop, labels: {{a: b}}, annotations: {{c: d}}}}
  attachPolicyARNs: [arn:aws-cn:iam::aws:policy/AmazonS3ReadOnlyAccess]
  attachPolicy: {json.dumps(ALLOW)}
  wellKnownPolicies: {{ebsCSIController: true, karpenter: true}}
  permissionsBoundary: arn:aws-cn:iam::111122223333:policy/boundary
  roleName: app-role
  rolePath: /apps/
  tags: {{team: web}}
  description: An app
  maxSessionDuration: 7200
  subjects: [{{name: "worker-*"}}]
  clusters: [{{issuer: "https://oidc.example.com/id/B"}}, {{name: blue}}]
  trustConditions: {{StringEquals: {{"aws:SourceVpc": vpc-1}}}}
  stsRegionalEndpoints: true
  tokenExpiration: 3600
"""
    (tmp_path / "c.yaml").write_text(text)
    ((binding,),) = [config.bindings for config in read_configs([str(tmp_path / "c.yaml")])]
    issuers = {OtherCluster("blue"): "https://oidc.example.com/id/C"}
    desired = desired_state_of(with_issuers(binding, issuers), CLUSTER)
    assert desired.role is not None
    assert desired.role_arn == "arn:aws-cn:iam::111122223333:role/apps/app-role"
    assert desired.policies == (
        "arn:aws-cn:iam::aws:policy/AmazonS3ReadOnlyAccess",
        "arn:aws-cn:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy",
    )
    assert list(desired.inline) == ["attachPolicy", "karpenter"]
    assert "role/KarpenterNodeRole-prod" in json.dumps(desired.inline["karpenter"])
    role = desired.role
    assert (role.description, role.max_session_duration) == ("An app", 7200)
    assert role.tags["team"] == "web"
    issuers_of_trust = [item["Principal"]["Federated"].rpartition("/")[2] for item in role.trust["Statement"]]
    assert issuers_of_trust == ["A", "B", "C"]
    for item in role.trust["Statement"]:
        (subjects,) = [
            value for key, value in item["Condition"]["StringLike"].items() if key.endswith(":sub")
        ]
        assert subjects == ["system:serviceaccount:shop:app", "system:serviceaccount:shop:worker-*"]
        assert item["Condition"]["StringEquals"]["aws:SourceVpc"] == "vpc-1"
    assert desired.annotations["eks.amazonaws.com/token-expiration"] == "3600"
    assert (desired.annotations["c"], desired.labels) == ("d", {"a": "b"})


def test_a_cluster_whose_issuer_nobody_knows() -> None:
    binding = Binding("shop", "app", where="c.yaml:3", clusters=(OtherCluster("blue"),))
    with pytest.raises(InvalidInput, match=r"c\.yaml:3: the issuer of cluster blue is not known"):
        with_issuers(binding, {})


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pipes that say nothing are not waited for."""
    monkeypatch.setattr(texts, "NO_WRITER_SECONDS", 0.05)
    monkeypatch.setattr(texts, "SILENT_SECONDS", 0.1)


def _refusal(path: str | Path) -> str:
    with pytest.raises(InvalidInput) as caught:
        read_configs([str(path)])
    return str(caught.value)


def test_what_has_no_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "MAX_BYTES", 2**20)
    assert _refusal("/dev/zero") == "/dev/zero can't be read: it is larger than 1 MiB"


def test_a_file_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "c.yaml").write_text(_bindings("app"))
    monkeypatch.setattr(texts, "MAX_BYTES", (tmp_path / "c.yaml").stat().st_size)
    assert len(read_configs([str(tmp_path / "c.yaml")])) == 1
    (tmp_path / "c.yaml").write_text(_bindings("app") + " ")
    assert "larger than" in _refusal(tmp_path / "c.yaml")


def test_a_pipe_that_nobody_writes_to(tmp_path: Path, impatient: None) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert _refusal(tmp_path / "pipe").endswith("can't be read: nobody writes to this pipe")


def test_a_pipe_whose_writer_is_silent(tmp_path: Path, impatient: None) -> None:
    reading, writing = os.pipe()
    try:
        assert "nothing has come" in _refusal(f"/dev/fd/{reading}")
    finally:
        os.close(reading)
        os.close(writing)


def test_a_pipe_with_an_end_is_read(impatient: None) -> None:
    reading, writing = os.pipe()
    try:
        os.write(writing, _bindings("app").encode())
        os.close(writing)
        assert _names(f"/dev/fd/{reading}") == ["app"]
    finally:
        os.close(reading)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_with_a_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "c.yaml").write_bytes(_bindings("app").encode(encoding))
    assert _names(str(tmp_path / "c.yaml")) == ["app"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x7fELF\x02\x01\x01\x00\xff", "is not a text file"),
        (b"a: \x00\x01", "is not a text file"),
        (b"\x1f\x8b\x08\x00", "byte 2 is not UTF-8"),
        ("a: ü".encode("latin-1"), "byte 4 is not UTF-8"),
        (b"- " * 5000, "nested too deeply"),
        (b"[" * 100_000, "nested too deeply"),
        (b"a:\n" + b" " * 3 + b"\tb: c", "not YAML"),
    ],
)
def test_what_is_no_configuration_is_refused_in_one_sentence(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "c.yaml").write_bytes(data)
    message = _refusal(tmp_path / "c.yaml")
    assert words in message
    assert "\n" not in message


def test_too_many_values_are_counted_before_they_are_kept(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_bytes(b"[" + b"a," * 1_000_001 + b"]")
    assert "more than 1000000 values" in _refusal(tmp_path / "c.yaml")


def test_lines_may_end_as_on_windows(tmp_path: Path) -> None:
    text = "apiVersion: irsa/v1\r\nkind: Bindings\r\nserviceAccounts:\r\n- metadata: {name: app}\r\n"
    (tmp_path / "c.yaml").write_bytes(text.encode())
    assert _names(str(tmp_path / "c.yaml")) == ["app"]


@pytest.mark.parametrize("text", ["{{" * 100_000, "${a" * 100_000, "$(" * 100_000, "<a" * 100_000])
def test_what_looks_like_a_template_without_end_is_searched_at_once(tmp_path: Path, text: str) -> None:
    document = {"Statement": {"Effect": "Allow", "Action": "*", "Resource": text}}
    (tmp_path / "c.yaml").write_text(_bindings("app", attachPolicy=document, roleName=text))
    with pytest.raises(InvalidInput) as caught:
        read_configs([str(tmp_path / "c.yaml")])
    assert max(map(len, caught.value.details)) < 2_000


def test_a_file_with_very_many_fields_that_irsa_does_not_read(tmp_path: Path) -> None:
    head = "apiVersion: eksctl.io/v1alpha5\nkind: ClusterConfig\n"
    (tmp_path / "c.yaml").write_text(head + "".join(f"name{number}: x\n" for number in range(5_000)))
    (config,) = read_configs([str(tmp_path / "c.yaml")])
    assert max(map(len, config.notices)) < 2_000
