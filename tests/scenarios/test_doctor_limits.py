"""`irsa doctor` where little can be read, in other accounts, for a whole cluster, and what it never says."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from irsa_cli.sandbox import ClusterSpec, ExternalCluster, Rule, Sandbox
from tests.scenarios.breaking import AUDIENCE, NAME, Binding, make
from tests.scenarios.breaks import BROUGHT, SKIP, anew, each, next_second, no_provider, pod, seen, values
from tests.scenarios.conftest import real_stage, sandbox_stage
from tests.scenarios.doctoring import FOREIGN, Case, cases, diagnose, examine, move_role_to, provide
from tests.support.documents import policy
from tests.support.eks_states import add_node, note_exchange
from tests.support.fixtures import RealCluster
from tests.support.stage import ROLE_ARN, made

READING = policy("Allow eks:DescribeCluster,sts:* on *")
WEBHOOKS = Rule(("list",), ("mutatingwebhookconfigurations",), groups=("admissionregistration.k8s.io",))


def test_a_role_of_another_account_needs_a_provider_there(binding: Binding) -> None:
    reader = ("--iam-assume-role", move_role_to(binding))
    unread = {"provider-account", "role-missing", "trust-subject"}
    hidden = diagnose(binding)
    assert (hidden.problems, hidden.code, unread - hidden.untold) == ([], 1, set())
    assert diagnose(binding, *reader).problems == ["provider-account"]
    provide(binding)
    cured = diagnose(binding, *reader)
    assert (cured.problems, cured.code, {*unread, "annotation-account"} & cured.untold) == ([], 0, set())
    role = f"arn:aws:iam::{FOREIGN}:role/app"
    note_exchange(
        binding.stage.sandbox, binding.stage.cluster, binding.subject, role, "ExpiredTokenException"
    )
    assert diagnose(binding, *reader).problems == ["token-expired"]
    untold = diagnose(binding)
    assert untold.problems == []
    assert f"cannot read CloudTrail of account {FOREIGN}" in str(untold.document)


def test_a_caller_with_part_of_the_permissions_finds_part_of_the_causes(binding: Binding) -> None:
    values("system:serviceaccount:$ns:raeder")(binding)
    user = binding.stage.restricted((("get",), ("serviceaccounts",)))
    diagnosis = diagnose(binding, user=user)
    assert diagnosis.problems == ["trust-subject"]
    assert {"pod-role-differs", "webhook-failing"} <= diagnosis.untold
    assert "service-account-namespace" not in diagnosis.untold
    binding.stage.sandbox.add_user("guest", policy=READING)
    nothing = diagnose(binding, user="guest")
    assert (nothing.problems, nothing.code) == ([], 1)
    good = {item["id"] for item in nothing.document["items"][0]["findings"] if item["verdict"] == "ok"}
    # Of these nothing has to be read but the cluster, which EKS described, and what is public.
    described = {"cluster-unsupported", "pod-china-region", "pod-token-unreadable"}
    assert good <= {*described, "issuer-documents", "issuer-keys"}


def test_probing_needs_no_more_than_to_create_pods_and_makes_none(binding: Binding) -> None:
    reading = Rule(("get", "list"), ("serviceaccounts", "pods", "namespaces"))
    user = binding.stage.restricted()
    binding.stage._grant(user, [reading, Rule(("create",), ("pods",)), WEBHOOKS])
    diagnosis = diagnose(binding, user=user)
    assert diagnosis.problems == []
    assert "webhook-failing" not in diagnosis.untold
    pods = binding.stage.kube.get(f"/api/v1/namespaces/{binding.namespace}/pods").body["items"]
    assert [item["metadata"]["name"] for item in pods] == [f"{NAME}-0"]


def powerless(binding: Binding) -> None:
    """The role has no policies, and the provider an old thumbprint."""
    iam = binding.aws("iam")
    iam.update_open_id_connect_provider_thumbprint(
        OpenIDConnectProviderArn=binding.provider, ThumbprintList=["0" * 40]
    )
    iam.detach_role_policy(RoleName=binding.role, PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")


def verified(binding: Binding) -> None:
    """The command irsa verify asks STS."""
    binding.stage.run(f"verify {NAME} -n $ns")


def refused_credentials(binding: Binding) -> None:
    """STS refuses irsa too long a session."""
    binding.stage.run(f"credentials {NAME} -n $ns --duration 12h", code=5)


DOCTOR = f"doctor {NAME} -n $ns"
SECRET = '"value": "wJalrXUtnFEMIEXAMPLE"'
KEYS = (
    f'{{"container": {{"env": [{{"name": "AWS_ACCESS_KEY_ID", {SECRET}}},'
    f' {{"name": "AWS_SECRET_ACCESS_KEY", {SECRET}}}, {{"name": "DB_PASSWORD", {SECRET}}}]}}}}'
)


@cases(
    Case(
        "what is no cause is not named",
        each(powerless, pod('{"hostNetwork": true}')),
        untold="role-without-permissions pod-host-network",
    ),
    Case(
        "an empty annotation is the only thing that is wrong", anew(""), "annotation-arn", says=("is empty",)
    ),
    Case(
        "nothing secret is shown",
        pod(KEYS),
        line=f"{DOCTOR} -v",
        code=5,
        says="pod-static-credentials",
        silent="wJalrXUtnFEMIEXAMPLE",
    ),
    Case(
        "a text names the problem, its fix, and what can't be told",
        values(aud="other"),
        line=DOCTOR,
        code=5,
        says=("trust-audience", "--attach-role-arn $role --update-trust", "unknown"),
    ),
    Case(
        "what irsa asks of STS hides nothing of the application",
        each(seen("ExpiredTokenException"), next_second, verified),
        "token-expired",
        told="organization-policy",
    ),
    Case(
        "what irsa asks of STS is no doing of the application",
        each(verified, refused_credentials),
        untold="sts-never-asked token-malformed token-expired",
        says="except irsa's own",
    ),
)
def test_what_is_said(case: Case, binding: Binding) -> None:
    case.play(binding)


def test_nodes_that_answer_pods_are_hinted_at(binding: Binding) -> None:
    sandbox, cluster = binding.stage.sandbox, binding.stage.cluster
    nodes = ("ip-10-0-0-1.ec2.internal", "ip-10-0-0-2.ec2.internal")
    for node in nodes:
        binding.new_pod(nodeName=node)
    assert "node-hop-limit" in diagnose(binding).untold
    for number, node in enumerate(nodes, 1):
        add_node(sandbox, cluster, node, hop_limit=number)
    shown = diagnose(binding).of("node-hop-limit")
    assert (shown["verdict"], nodes[1] in str(shown["evidence"])) == ("unknown", True)
    assert nodes[0] not in str(shown["evidence"])
    add_node(sandbox, cluster, nodes[1], hop_limit=1)
    assert "node-hop-limit" not in diagnose(binding).untold


def test_china_without_a_region(sandbox: Sandbox, tmp_path: Path) -> None:
    """The webhook of EKS sets the region; one that is somebody's own need not."""
    sandbox.add_cluster(ClusterSpec("china", "cn-north-1"))
    stage = sandbox_stage(sandbox, "china", tmp_path, region="cn-north-1")
    stage.make_namespace("back")
    binding = make(stage, "back")
    own = binding.json(BROUGHT.replace('"own"', '"aws-iam-token"'))
    binding.new_pod(**own, **json.loads(SKIP))
    assert diagnose(binding).problems == ["pod-china-region"]
    binding.new_pod()
    assert diagnose(binding).problems == []


@pytest.mark.e2e
def test_keys_that_are_not_published(
    sandbox: Sandbox, real: RealCluster, tmp_path: Path, unique: str
) -> None:
    external = real.spec.external
    assert isinstance(external, ExternalCluster)
    silent = dataclasses.replace(external, jwks=lambda: {"keys": []})
    rotated = dataclasses.replace(real, spec=dataclasses.replace(real.spec, external=silent))
    stage = real_stage(sandbox, rotated, tmp_path)
    stage.make_namespace(unique)
    assert diagnose(make(stage, unique)).problems == ["issuer-keys"]


@pytest.mark.e2e
def test_network_policies_are_a_hint_and_no_problem(
    sandbox: Sandbox, real: RealCluster, tmp_path: Path, unique: str
) -> None:
    stage = real_stage(sandbox, real, tmp_path)
    stage.make_namespace(unique)
    binding = make(stage, unique)
    path = f"/apis/networking.k8s.io/v1/namespaces/{unique}/networkpolicies"
    for name, egress, hinted in (
        ("deny", "[]", True),
        ("https", '[{"ports": [{"protocol": "TCP", "port": 443}]}]', False),
    ):
        spec = f'{{"podSelector": {{}}, "policyTypes": ["Egress"], "egress": {egress}}}'
        made(stage.kube.create(path, {"metadata": {"name": name}, "spec": json.loads(spec)}))
        diagnosis = diagnose(binding)
        assert (diagnosis.problems, "pod-network-policy" in diagnosis.untold) == ([], hinted)


@pytest.fixture
def back(sandbox: Sandbox, tmp_path: Path) -> Binding:
    """A binding in the sandbox's own cluster."""
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    stage.words["ns"] = "back"
    stage.make_namespace("back")
    return make(stage, "back")


def test_all_that_name_a_role(back: Binding) -> None:
    back.stage.make_namespace("front")
    back.stage.make_account("back", "plain")
    for name in ("lost", "other"):
        back.stage.make_account("front", name, annotations={ROLE_ARN: f"{back.role_arn}{name}"})
    whole = examine(back.stage)
    assert (whole.problems, whole.code) == ([], 5)
    assert whole.document["items"][0]["serviceAccount"] is None
    assert whole.accounts == {NAME: [], "lost": ["role-missing"], "other": ["role-missing"]}
    part = examine(back.stage, "-n", "back")
    assert (part.accounts, part.code) == ({NAME: []}, 0)


def test_what_is_wrong_with_the_cluster_is_said_once(back: Binding) -> None:
    no_provider(back)
    whole = examine(back.stage)
    assert whole.problems == ["provider-missing"]
    assert "provider-missing" not in str(whole.document["items"][1])


def test_an_audience_of_its_own_is_seen_among_many(back: Binding) -> None:
    each(anew("example.com", AUDIENCE), values(aud="example.com"))(back)
    assert examine(back.stage).accounts == {NAME: ["provider-audience"]}


def test_explaining_asks_nobody(back: Binding) -> None:
    back.stage.sandbox.calls.clear()
    for words in ("trust-subject", "all", "trust-subject -o json", "all -o yaml"):
        back.stage.run(f"doctor --explain {words}", says="trust-subject")
    back.stage.run("doctor --explain trust-subjct", code=2, says="trust-subject")
    assert back.stage.sandbox.calls == []


def test_what_is_said_of_a_cluster(back: Binding) -> None:
    stage = back.stage
    for name, role in (("far", f"arn:aws:iam::{FOREIGN}:role/far"), ("lost", f"{back.role_arn}lost")):
        stage.make_account("back", name, annotations={ROLE_ARN: role})
    said = (
        "? back/far",
        f"    back/far: unknown: irsa can't read account {FOREIGN}",
        f"✓ back/{NAME}",
        "1 of 3 ServiceAccounts could not be checked",
    )
    stage.run("doctor", code=5, says=said, changes="")
    stage.make_account("back", "plain")
    # An annotation that moves the cursor of a terminal, and draws a line of its own.
    evil = "arn:aws:iam::111122223333:role/x\x1b[2K\n✓ back other"
    stage.make_account("back", "evil", annotations={ROLE_ARN: evil})
    for line, code, text in SAID:
        stage.run(line, code=code, says=text, silent=("\x1b", "\n✓ back other"), changes="")


SAID = (
    ("doctor -c nowhere -o json", 4, '"code": "ResourceNotFoundException"'),
    ("doctor -n bakc", 4, "there is no namespace bakc in demo"),
    ("doctor nobody -n back", 5, "\nback/nobody: does not exist\n"),
    ("doctor plain -n back", 5, "\nback/plain: has no role annotation\n"),
    ("doctor evil -n back -v", 5, "irsa create-sa evil -n back -c demo --attach-policy-arn ARN"),
    ("doctor -v", 5, "evil"),
)


def test_what_could_not_be_looked_at_is_not_called_right(back: Binding) -> None:
    values("system:serviceaccount:backs:other")(back)
    stage = back.stage
    stage.sandbox.add_user("lister", policy=READING)
    stage._grant("lister", [Rule(("get", "list"), ("serviceaccounts",))])
    said = (
        f"? back/{NAME}",
        f"missing permission: iam:GetRole on {back.role} (15 checks)",
        "No problem was found, but 1 of 1 ServiceAccount could not be checked (exit 1)",
    )
    stage.run("doctor", code=1, says=said, user="lister")
    stage.run(
        f"doctor {NAME} -n back", code=1, says="17 deciding checks could not run (exit 1)", user="lister"
    )
    hidden = stage.restricted()
    unlisted = (
        "missing RBAC permission: list serviceaccounts",
        "the ServiceAccounts could not be listed (exit 1)",
    )
    stage.run("doctor", code=1, says=unlisted, user=hidden)
    stage.run("doctor -n back", code=1, silent="there is no namespace", user=hidden)
    stage.run(f"doctor {NAME} -n back", code=1, says=f"back/{NAME}: could not be read", user=hidden)
