"""Configuration files on disk and on standard input, and what an entry asks of create-sa."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.core.binding.spec import desired_state_of
from irsa_cli.core.config.model import BindingEntry, OtherCluster
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.usecases import texts
from irsa_cli.usecases.files.configs import read_configs
from irsa_cli.usecases.files.entries import with_issuers
from tests.support.documents import policy

ALLOW = policy("Allow s3:* on *")
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


def _names(*paths: str | Path) -> list[str]:
    return [binding.name for config in read_configs(list(map(str, paths))) for binding in config.bindings]


def _put(folder: Path, **files: str) -> None:
    """Write files of these names, `.yaml`."""
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)


def _piped(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Standard input with this text."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def test_files_and_folders(tmp_path: Path) -> None:
    folder, one = tmp_path / "folder", tmp_path / "one.yaml"
    (folder / "below").mkdir(parents=True)
    for file in ("b.yml", "a.yaml", "c.json", "x.txt", "below/z.yaml"):
        (folder / file).write_text(_bindings(Path(file).stem))
    one.write_text(f"\ufeff{_bindings('one')}\n---\n{_bindings('two')}\n")
    assert _names(one, folder) == ["one", "two", "a", "b", "c"]
    assert _names(folder, one, folder / "a.yaml") == ["a", "b", "c", "one", "two"]


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    _piped(monkeypatch, _bindings("a", "b"))
    assert _names("-", "-") == ["a", "b"]


def test_policies_by_file_are_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "s3.json").write_text(json.dumps(ALLOW))

    def inline(name: str) -> Any:
        _put(tmp_path, c=_bindings("a", inlinePolicies={"s3": {"file": f"policies/{name}.json"}}))
        ((binding,),) = [config.bindings for config in read_configs([str(tmp_path / "c.yaml")])]
        return binding.inline

    assert inline("s3") == {"s3": ALLOW}
    with pytest.raises(InvalidInput, match=r"c\.yaml:1:\d+: .*policies/s4\.json can't be read: No such file"):
        inline("s4")


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
    folder = tmp_path / "none"
    none, good = folder / "none.yaml", tmp_path / "good.yaml"
    _put(folder, none=text)
    _put(tmp_path, good=_bindings("a"))
    for paths in ([none], [folder], [good, none], [none, good]):
        with pytest.raises(InvalidInput, match=r"none(\.yaml)? holds no document"):
            _names(*paths)
    _piped(monkeypatch, text)
    with pytest.raises(InvalidInput, match="standard input holds no document"):
        _names("-")
    assert _names(tmp_path, good) == ["a"]
    _put(folder, more=_bindings())
    assert _names(folder) == []


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    second = f"{_bindings('x', 'x')}\n---\n{_bindings('B')}"
    _put(tmp_path / "folder", a=_bindings("app", nonsense=1), b=second)
    _put(tmp_path, c=_bindings("twice"), d=_bindings("twice"), empty="")
    paths = ("folder", "c.yaml", "missing.yaml", "d.yaml", "empty.yaml")
    with pytest.raises(InvalidInput, match="the files have 6 problems") as caught:
        _names(*(tmp_path / path for path in paths))
    wrong = ("nonsense", "'B'", "b.yaml:1", "missing.yaml", "empty.yaml", "default/twice")
    for line, part in zip(caught.value.details, wrong, strict=True):
        assert part in line


def test_a_service_account_in_two_files(tmp_path: Path) -> None:
    _put(tmp_path, a=_bindings("app"), b=_bindings("app"))
    with pytest.raises(InvalidInput, match=r"b\.yaml:1: default/app is also defined in .*a\.yaml:1"):
        _names(tmp_path)


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
    _put(tmp_path, c=text)
    ((binding,),) = [config.bindings for config in read_configs([str(tmp_path / "c.yaml")])]
    issuers = {OtherCluster("blue"): "https://oidc.example.com/id/C"}
    desired = desired_state_of(with_issuers(binding, issuers), CLUSTER)
    role = desired.role
    assert role is not None
    assert desired.role_arn == "arn:aws-cn:iam::111122223333:role/apps/app-role"
    assert [policy.rpartition("/")[2] for policy in desired.policies] == [
        "AmazonS3ReadOnlyAccess",
        "AmazonEBSCSIDriverPolicy",
    ]
    assert list(desired.inline) == ["attachPolicy", "karpenter"]
    assert "role/KarpenterNodeRole-prod" in json.dumps(desired.inline["karpenter"])
    assert (role.description, role.max_session_duration, role.tags["team"]) == ("An app", 7200, "web")
    trusted = []
    for item in role.trust["Statement"]:
        issuer = item["Principal"]["Federated"].partition("oidc-provider/")[2]
        trusted.append(issuer.rpartition("/")[2])
        assert item["Condition"]["StringLike"][f"{issuer}:sub"] == [
            "system:serviceaccount:shop:app",
            "system:serviceaccount:shop:worker-*",
        ]
        assert item["Condition"]["StringEquals"]["aws:SourceVpc"] == "vpc-1"
    assert trusted == ["A", "B", "C"]
    assert desired.annotations["eks.amazonaws.com/token-expiration"] == "3600"
    assert (desired.annotations["c"], desired.labels) == ("d", {"a": "b"})


def test_a_cluster_whose_issuer_nobody_knows() -> None:
    binding = BindingEntry("shop", "app", where="c.yaml:3", clusters=(OtherCluster("blue"),))
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
    text = _bindings("app")
    monkeypatch.setattr(texts, "MAX_BYTES", len(text))
    _put(tmp_path, c=text)
    assert _names(tmp_path / "c.yaml") == ["app"]
    _put(tmp_path, c=f"{text} ")
    assert "larger than" in _refusal(tmp_path / "c.yaml")


def test_a_pipe_that_nobody_writes_to_or_whose_writer_is_silent(tmp_path: Path, impatient: None) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert _refusal(tmp_path / "pipe").endswith("can't be read: nobody writes to this pipe")
    reading, writing = os.pipe()
    with os.fdopen(reading), os.fdopen(writing, "w"):
        assert "nothing has come" in _refusal(f"/dev/fd/{reading}")
    reading, writing = os.pipe()
    with os.fdopen(reading):
        with os.fdopen(writing, "w") as pipe:
            pipe.write(_bindings("app"))
        assert _names(f"/dev/fd/{reading}") == ["app"]


def test_encodings_with_a_byte_order_mark_and_lines_as_on_windows(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        file.write_bytes(_bindings("app").encode(encoding))
        assert _names(file) == ["app"], encoding
    text = "apiVersion: irsa/v1\nkind: Bindings\nserviceAccounts:\n- metadata: {name: app}\n"
    file.write_bytes(text.replace("\n", "\r\n").encode())
    assert _names(file) == ["app"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x7fELF\x02\x01\x01\x00\xff", "is not a text file"),
        (b"a: \x00\x01", "is not a text file"),
        (b"\x1f\x8b\x08\x00", "byte 2 is not UTF-8"),
        (b"a: \xfc", "byte 4 is not UTF-8"),
        (b"- " * 5000, "nested too deeply"),
        (b"[" * 100_000, "nested too deeply"),
        (b"a:\n   \tb: c", "not YAML"),
        # Too many values are counted before they are kept.
        (b"[" + b"a," * 1_000_001 + b"]", "more than 1000000 values"),
    ],
    ids=lambda value: value[:20],
)
def test_what_is_no_configuration_is_refused_in_one_sentence(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "c.yaml").write_bytes(data)
    message = _refusal(tmp_path / "c.yaml")
    assert words in message
    assert "\n" not in message


@pytest.mark.parametrize("text", ["{{", "${a", "$(", "<a"])
def test_what_looks_like_a_template_without_end_is_searched_at_once(tmp_path: Path, text: str) -> None:
    text *= 100_000
    _put(tmp_path, c=_bindings("app", attachPolicy=policy(f"Allow * on {text}"), roleName=text))
    with pytest.raises(InvalidInput) as caught:
        _names(tmp_path / "c.yaml")
    assert max(map(len, caught.value.details)) < 2_000
