"""Trust policies of other people, and what AWS's documentation and their threads say to a token.

Each line of `trust_corpus/*.jsonl` is one document: where it was found, its statements, and tokens with the
answer and the reason. Only the facts of a document are kept, its names are ours. Short forms: an issuer's
name as Principal is that issuer's provider; `<eks>` in a text its host and path, `<eks:arn>` the provider's
ARN; a statement is an Allow of AssumeRoleWithWebIdentity where it doesn't say otherwise. A token is
`namespace/name` of the cluster `eks`, or `issuer:subject`; `issuer@2` is the provider in another account.

Reasons name their source: a page of the IAM User Guide (ACTION, EFFECT, GRAMMAR, PRINCIPAL, VERSION:
reference_policies_elements_* and _grammar; EVALUATION: _evaluation-logic; LOGIC:
_condition-logic-multiple-context-keys-or-values; OPERATORS: _elements_condition_operators; SETS:
_condition-single-vs-multi-valued-context-keys; VARIABLES: _variables; KEYS: _condition-keys; OIDC:
_iam-condition-keys#condition-keys-wif; SESSION TAGS: id_session-tags), IRSA: the EKS User Guide's
associate-service-account-role, or THREAD: the document's own origin.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from irsa_cli.core.binding.binding import Binding
from irsa_cli.core.doctor.causes.role import TRUST_CAUSES
from irsa_cli.core.doctor.clues.trust_flaws import flaws
from irsa_cli.core.inventory.bindings import listed
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.plan.states import ProviderState, RoleState
from irsa_cli.core.planning.adopt import adoption
from irsa_cli.core.policies.policy import as_list
from irsa_cli.core.policies.statements import trusted_providers
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust.evaluation import Answer, explain, takes_audience
from irsa_cli.core.trust.owned_statements import Own, with_own
from irsa_cli.core.trust.trust_policy import contains, read_statement, with_statement, without_statement
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import Refused
from irsa_cli.sandbox.aws.iam.grammar import check_trust_policy
from irsa_cli.sandbox.aws.messages import AwsError
from irsa_cli.sandbox.enforce import Who, admits, of_every_request
from tests.support.documents import Json
from tests.support.trusts import trust_of
from tests.unit.inventory.test_bindings import account as account_with

FOLDER = Path(__file__).with_name("trust_corpus")
ACTION = "sts:AssumeRoleWithWebIdentity"
ACCOUNTS = {"1": "111122223333", "2": "222233334444", "3": "333344445555"}
_HOSTS = """eks oidc.eks.eu-central-1.amazonaws.com/id/0F1E2D3C4B5A69788796A5B4C3D2E1F0
old oidc.eks.eu-central-1.amazonaws.com/id/AAAABBBBCCCCDDDDEEEEFFFF00001111
far oidc.eks.us-west-2.amazonaws.com/id/0F1E2D3C4B5A69788796A5B4C3D2E1F0
cn oidc.eks.cn-north-1.amazonaws.com.cn/id/0123456789ABCDEF0123456789ABCDEF
rosa oidc.rosa.example/29c0ffee
self irsa.cluster.example
self2 irsa.other.example
s3 s3.eu-west-1.amazonaws.com/discovery-one
s3b s3.eu-west-1.amazonaws.com/discovery-two
slash issuer.cluster.example/
upbound proidc.upbound.io
spire spire.acme.example
gh token.actions.githubusercontent.com
ghe token.actions.githubusercontent.com/acme
gl gitlab.com
gls gitlab.acme.example
tfc app.terraform.io
tfe tfe.acme.example
cci oidc.circleci.com/org/org-1
bb api.bitbucket.org/2.0/workspaces/acme/pipelines-config/identity/oidc
bk agent.buildkite.com
fly oidc.fly.io/acme
spc acme.app.spacelift.io
pul api.pulumi.com/oidc
sem acme.semaphoreci.com
har app.harness.io/ng/api/oidc/account/acme
vault vault.acme.example/v1/identity/oidc
auth login.acme.example/
other-auth login.other.example/
auth0 oidc.acme.example
entra sts.windows.net/0a1b2c3d/
cog cognito-identity.amazonaws.com
google accounts.google.com
amazon www.amazon.com
facebook graph.facebook.com"""
ISSUERS = {name: host for name, _, host in (line.partition(" ") for line in _HOSTS.splitlines())}
BUILT_IN = {"cog", "google", "amazon", "facebook"}
_CLUSTERS = "eks old far cn rosa self self2 s3 s3b slash"
KUBERNETES = set(_CLUSTERS.split())
PARTITIONS = {"cn": "aws-cn"}


def provider_of(name: str, account: str = "1", partition: str = "") -> str:
    """The provider of an issuer as policies name it; those that are built into AWS have no ARN."""
    if name in BUILT_IN:
        return ISSUERS[name]
    partition = partition or PARTITIONS.get(name, "aws")
    return f"arn:{partition}:iam::{ACCOUNTS[account]}:oidc-provider/{ISSUERS[name]}"


def written_out(value: Any) -> Any:
    """The value with its short forms replaced."""
    if isinstance(value, dict):
        return {written_out(key): written_out(item) for key, item in value.items()}
    if isinstance(value, list):
        return [written_out(item) for item in value]
    if not isinstance(value, str):
        return value
    short = {
        "<sa>": "system:serviceaccount",
        "<sts>": "sts.amazonaws.com",
        "<web>": ACTION,
        "<account>": ACCOUNTS["1"],
        "<account2>": ACCOUNTS["2"],
        "<account3>": ACCOUNTS["3"],
        **{f"<{name}>": path for name, path in ISSUERS.items()},
        **{f"<{name}:arn>": provider_of(name) for name in ISSUERS},
    }
    return re.sub(r"<[\w:-]+>", lambda found: short.get(found[0], found[0]), value)


def statement_of(short: Mapping[str, Any]) -> Json:
    """A statement as IAM keeps it."""
    whole = {"Effect": "Allow", "Action": ACTION, **short}
    if "NotAction" in short:
        del whole["Action"]
    principal = whole.get("Principal")
    if isinstance(principal, str) and principal in ISSUERS:
        whole["Principal"] = {"Federated": provider_of(principal)}
    return {key: written_out(item) for key, item in whole.items() if item is not None}


def token_of(text: str, more: Mapping[str, Any]) -> WebIdentity:
    """The token, with what is known besides: `aud`, `claims`, `request`."""
    head, colon, rest = text.partition(":")
    if not colon or "/" in head:
        head, rest = "eks", text
    name, _, place = head.partition("@")
    account, partition = (place, "") if place in ACCOUNTS else ("1", PARTITIONS.get(place, ""))
    subject = written_out(rest)
    if name in KUBERNETES and re.fullmatch(r"[^:/]+/[^:/]+", rest):
        subject = "system:serviceaccount:" + rest.replace("/", ":")
    claims, request = (
        {key: tuple(values) for key, values in more.get(part, {}).items()} for part in ("claims", "request")
    )
    audience = more.get("aud", "sts.amazonaws.com")
    provider = provider_of(name, account, partition)
    return WebIdentity(
        provider, f"https://{ISSUERS[name]}", subject, audience, claims=claims, request=request
    )


@dataclass(frozen=True)
class Question:
    """A token for which it is known whether the document admits it."""

    who: str
    token: WebIdentity
    answer: Answer
    because: str


@dataclass(frozen=True)
class Found:
    """A document with its origin, and what is asked of it."""

    origin: str
    document: Json
    asked: tuple[Question, ...]
    short: Any


def read(line: str) -> Found:
    """One line of a file."""
    data = json.loads(line)
    short = data["statements"]
    statements = [statement_of(item) for item in short] if isinstance(short, list) else statement_of(short)
    version = data.get("version", "2012-10-17")
    document = {**({"Version": version} if version else {}), "Statement": statements}
    asked = tuple(
        Question(who, token_of(who, more[0] if more else {}), Answer(answer), because)
        for who, answer, because, *more in data["asked"]
    )
    return Found(data["origin"], document, asked, short)


CORPUS = [
    read(line) for file in sorted(FOLDER.glob("*.jsonl")) for line in file.read_text("utf-8").splitlines()
]


def questions() -> Iterator[tuple[Found, Question]]:
    """All of them."""
    return ((found, question) for found in CORPUS for question in found.asked)


def told(found: Found, question: Question, got: object) -> str:
    """A contradiction, for whoever reads the test's failure."""
    expected = f"expected {question.answer.value} ({question.because})"
    return f"{found.origin}: {question.who}: {expected}, got {got}\n  {json.dumps(found.document)}"


def test_every_answer_is_that_of_the_documentation_and_of_the_thread() -> None:
    wrong = [
        told(found, question, f"{explained.answer.value}: {' | '.join(explained.text)}")
        for found, question in questions()
        if (explained := explain(found.document, question.token)).answer is not question.answer
    ]
    assert not wrong, "\n".join([f"{len(wrong)} answers are wrong", *wrong])


def is_refused(document: Mapping[str, Any]) -> bool:
    """Whether IAM would not take the document at all, so that STS never sees it."""
    try:
        check_trust_policy(json.dumps(document), "aws", lambda _: True)
    except AwsError:
        return True
    return False


def by_the_sandbox(found: Found, token: WebIdentity) -> bool:
    prefix = token.issuer.removeprefix("https://").lower()
    claims = {f"{prefix}:{name.lower()}": list(values) for name, values in token.claims.items()}
    request = {name.lower(): [*values] for name, values in token.request.items() if isinstance(values, tuple)}
    own = {f"{prefix}:sub": [token.subject], f"{prefix}:aud": [token.audience]}
    context = {**of_every_request(), **claims, **request, **own}
    return admits(json.dumps(found.document), ACTION, Who(federated=token.provider_arn), context)


def test_the_sandbox_says_the_same() -> None:
    wrong = []
    for found, question in questions():
        if is_refused(found.document):
            continue
        admitted = by_the_sandbox(found, question.token)
        if admitted is not (question.answer is Answer.YES) and question.answer is not Answer.UNKNOWN:
            wrong.append(told(found, question, f"{admitted} of the sandbox"))
    assert not wrong, "\n".join([f"{len(wrong)} answers are wrong", *wrong])


CLUSTER = Cluster(
    "c",
    f"arn:aws:eks:eu-central-1:{ACCOUNTS['1']}:cluster/c",
    "eu-central-1",
    "aws",
    ACCOUNTS["1"],
    f"https://{ISSUERS['eks']}",
)
ROLE = f"arn:aws:iam::{ACCOUNTS['1']}:role/theirs"
OWN = token_of("backend/app", {})


def test_the_other_readers_take_every_document() -> None:
    """And change nothing of what isn't irsa's."""
    for found in CORPUS:
        read_by_others(found)


def read_by_others(found: Found) -> None:
    document = found.document
    before = json.dumps(document)
    desired = trust_of(OWN)
    (wanted,) = desired["Statement"]
    own = Own.of(OWN, desired, {})
    theirs = as_list(document["Statement"])
    for question in found.asked:
        keeping_out = flaws(document, question.token)
        assert bool(keeping_out) is (question.answer is not Answer.YES), found.origin
        assert {flaw.cause for flaw in keeping_out} <= set(TRUST_CAUSES), found.origin
        takes_audience(document, question.token.provider_arn, question.token.audience)
    trusted_providers(document)
    added = with_statement(document, wanted)
    assert contains(added, wanted), found.origin
    assert contains(with_own(document, desired, own), wanted), found.origin
    if not contains(document, wanted):
        assert without_statement(document, wanted)["Statement"] == theirs, found.origin
    for item in theirs:
        assert own.rest(item) is item, found.origin
        read_statement(item)
    assert json.dumps(document) == before, found.origin


def test_bindings_and_adopting_tell_the_answer() -> None:
    role = Role(ROLE, RoleState("/", {}))
    account = account_with(ROLE)
    provider = ProviderState(CLUSTER.issuer, ["sts.amazonaws.com"])
    annotations = {"eks.amazonaws.com/role-arn": ROLE}
    named = Binding(CLUSTER, account.namespace, account.name, account, provider=provider)
    for found in CORPUS:
        answer = explain(found.document, OWN).answer
        binding = listed(replace(named, role=role.with_trust(found.document)))
        assert (binding.reason == "") is (answer is Answer.YES), found.origin
        current = Role(ROLE, RoleState("/", found.document))
        pair = Binding(
            CLUSTER,
            "backend",
            "app",
            ServiceAccount("backend", "app", annotations, uid="1"),
            current,
            provider=provider,
        )
        try:
            assert adoption(pair, ()).kept, found.origin
        except Refused:
            assert answer is not Answer.YES, found.origin


def shape(found: Found) -> str:
    """What is left of a document without names: where wildcards stand and how many values there are stays."""
    text = json.dumps([found.short, found.document.get("Version")], sort_keys=True)
    text = re.sub(r'"Sid": "[^"]*", |, "Sid": "[^"]*"', "", text)
    text = re.sub(r"<sa>:[^\"]+", _masked, text)
    return re.sub(r"repo:[^\"]+", _masked, text)


def _masked(found: re.Match[str]) -> str:
    return re.sub(r"[\w.@{}$<>/-]+", "n", found[0])


def test_the_corpus_is_what_it_says() -> None:
    """300 documents, all different, and "can't be known" only where it is due."""
    assert len(CORPUS) >= 300
    documents = Counter(json.dumps(found.document, sort_keys=True) for found in CORPUS)
    assert [text for text, count in documents.items() if count > 1] == []
    assert len({shape(found) for found in CORPUS}) >= 290
    for found, question in questions():
        assert found.origin
        assert question.because
        if question.answer is Answer.UNKNOWN:
            assert re.match("KEYS:|PRINCIPAL: what", question.because), found.origin
