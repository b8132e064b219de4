"""What the scenarios of `irsa doctor` share: running it in this process, and reading its document."""

from __future__ import annotations

import io
import json
import os
import signal
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any
from unittest import mock

import pytest

from irsa_cli.cli.main import run
from tests.scenarios.breaking import NAME, STS, Binding, Break
from tests.scenarios.curing import admitted, answered, cure, is_by_hand, prove
from tests.support.ran import check
from tests.support.rows import Texts
from tests.support.stage import Json, Stage


@dataclass(frozen=True)
class Diagnosis:
    """What `irsa doctor` found, and what it told beside its document."""

    document: Json
    said: str = ""

    @property
    def code(self) -> int:
        """The exit code."""
        return int(self.document["metadata"]["exitCode"])

    @property
    def problems(self) -> list[str]:
        """The causes that were found, of the cluster and of the ServiceAccount that was asked for."""
        return problems(self.document)

    @property
    def untold(self) -> set[str]:
        """The causes of which nothing could be told."""
        return untold(self.document)

    @property
    def first(self) -> Json:
        """The first finding."""
        found: Json = self.document["items"][0]["findings"][0]
        return found

    @property
    def fix(self) -> str:
        """What is proposed for the first problem."""
        return str(self.of(self.problems[0])["fix"])

    @property
    def shown(self) -> dict[str, str]:
        """The evidence of the first finding."""
        return evidence(self.first)

    @property
    def notes(self) -> list[str]:
        """The notes of the run."""
        return list(self.document["metadata"]["notes"])

    def of(self, cause: str) -> Any:
        """The finding of a cause."""
        (found,) = [item for item in self.document["items"][0]["findings"] if item["id"] == cause]
        return found

    @property
    def accounts(self) -> dict[str, list[str]]:
        """Without a name: the problems of each ServiceAccount."""
        return self.within()

    def within(self, namespace: str = "") -> dict[str, list[str]]:
        """Those of a namespace."""
        return {
            item["serviceAccount"]["name"]: having(item, "problem")
            for item in self.document["items"][1:]
            if namespace in ("", item["serviceAccount"]["namespace"])
        }


def diagnose(binding: Binding, *more: str, user: str = "admin") -> Diagnosis:
    """Run it for the binding's ServiceAccount."""
    return examine(binding.stage, *of(binding), *more, user=user)


def examine(stage: Stage, *arguments: str, user: str = "admin") -> Diagnosis:
    """Run it, which changes nothing; its exit code is the one in the document."""
    before, terminate = stage.world(), signal.getsignal(signal.SIGTERM)
    out, err = io.StringIO(), io.StringIO()
    with mock.patch.dict(os.environ, stage.env(user)), redirect_stdout(out), redirect_stderr(err):
        code = run(["doctor", *arguments, "-c", stage.cluster, "-o", "json"])
    signal.signal(signal.SIGTERM, terminate)
    assert stage.world() == before
    found = Diagnosis(json.loads(out.getvalue()), err.getvalue())
    check(found.document, code)
    return found


def doctor(binding: Binding, _: object, *arguments: str, user: str = "admin") -> Json:
    """The document of a run for the binding's cluster."""
    return examine(binding.stage, *arguments, user=user).document


def of(binding: Binding) -> tuple[str, ...]:
    """The arguments that name the binding."""
    return NAME, "-n", binding.namespace


def problems(document: Json) -> list[str]:
    """The causes that were found, of the cluster and of the ServiceAccount that was asked for."""
    return having(document["items"][0], "problem")


def untold(document: Json) -> set[str]:
    """The causes of which nothing could be told."""
    return set(having(document["items"][0], "unknown"))


def having(item: Json, verdict: str) -> list[str]:
    """The causes of an item with a verdict."""
    return [found["id"] for found in item["findings"] if found["verdict"] == verdict]


def evidence(finding: Json) -> dict[str, str]:
    """The evidence of a finding, by its names."""
    return {item["name"]: item["value"] for item in finding["evidence"]}


@dataclass(frozen=True)
class Case:
    """A binding to which something is done, and what `irsa doctor` says of it.

    `problems`, `untold` and `told` (not among the untold) are causes, with spaces between; `says` are
    texts in what it found, and `silent` are not in the first fix; with a `line`, both are of what that
    command prints. `fix` is in the first fix.
    `cure`: what ends it, that fix ("fix"; "fix restart" with new pods), the command behind its question
    ("answer"), or a person ("hand").
    """

    sentence: str
    given: Break
    problems: str = ""
    cure: str = ""
    fix: str = ""
    code: int | None = None
    untold: str = ""
    told: str = ""
    says: Texts = ()
    silent: Texts = ()
    line: str = ""

    def play(self, binding: Binding) -> None:
        """Do it, look, and carry out what is proposed."""
        self.given(binding)
        if self.line:
            says, silent = ([binding.text(text) for text in listed(of)] for of in (self.says, self.silent))
            binding.stage.run(self.line, code=self.code or 0, says=says, silent=silent, changes="")
            return
        diagnosis = diagnose(binding)
        assert diagnosis.problems == self.problems.split(), diagnosis.problems
        assert self.code in (None, diagnosis.code)
        assert set(self.untold.split()) <= diagnosis.untold
        assert not set(self.told.split()) & diagnosis.untold
        found = json.dumps(diagnosis.document["items"][0], ensure_ascii=False)
        assert [text for text in listed(self.says) if binding.text(text) not in found] == []
        assert [text for text in listed(self.silent) if text in diagnosis.first["fix"]] == []
        assert binding.text(self.fix) in diagnosis.first["fix"]
        assert is_by_hand(diagnosis.first["fix"]) or self.cure != "hand"
        if self.cure in ("fix", "fix restart", "answer"):
            fix = diagnosis.first["fix"]
            cured(
                binding,
                answered(fix) if self.cure == "answer" else fix,
                restart=self.cure.endswith("restart"),
            )


def cured(binding: Binding, fix: str, *more: str, account: str = "", restart: bool = False) -> str:
    """Carry out a fix; then nothing is wrong, the pod's token is exchanged, and nobody else is admitted.

    Returns the role that the pod got.
    """
    before = admitted(binding, *filter(None, [account]))
    cure(binding, fix)
    if restart:
        binding.restart_pod()
    assert diagnose(binding, *more).problems == []
    assert admitted(binding, *filter(None, [account])) <= before
    (role,) = prove(binding)
    return role


def listed(texts: Texts) -> Sequence[str]:
    """One text or several."""
    return [texts] if isinstance(texts, str) else texts


def cases(*played: Case) -> pytest.MarkDecorator:
    """Play each as a case of its own: the test takes `case`, and calls `case.play(binding)`."""
    return pytest.mark.parametrize("case", played, ids=[case.sentence for case in played])


FOREIGN = "444455556666"
BY_THE_CLUSTER = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "111122223333"},'
    ' "Action": "sts:AssumeRole"}]}'
)


def move_role_to(binding: Binding, subject: str = "") -> str:
    """Make the role in another account, with a role by which its IAM is read; returns the reader."""
    iam = binding.aws("iam", FOREIGN)
    trust = json.dumps({"Version": "2012-10-17", "Statement": [binding.statement]})
    trust = trust.replace(binding.stage.account_id, FOREIGN).replace(
        binding.subject, subject or binding.subject
    )
    binding.annotate(iam.create_role(RoleName="app", AssumeRolePolicyDocument=trust)["Role"]["Arn"])
    binding.new_pod()
    found: str = iam.create_role(RoleName="reader", AssumeRolePolicyDocument=BY_THE_CLUSTER)["Role"]["Arn"]
    iam.attach_role_policy(RoleName="reader", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    return found


def provide(binding: Binding) -> None:
    """Have the other account know the issuer."""
    url = f"https://{binding.prefix}"
    binding.aws("iam", FOREIGN).create_open_id_connect_provider(Url=url, ClientIDList=[STS])
