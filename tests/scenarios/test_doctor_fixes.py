"""What `irsa doctor` proposes works where it is proposed, and is not proposed in the nearest world beside it.

Each fix is carried out, a pod's token is exchanged after it, and no role admits more than before.
"""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from tests.scenarios.alone import stage_alone as stage_alone
from tests.scenarios.binding import make_binding
from tests.scenarios.breaking import NAME, Binding, Break
from tests.scenarios.breaks import (
    BY_POD_IDENTITY,
    IN_FRONT,
    anew,
    annotated,
    associated,
    bring_token,
    condition,
    each,
    no_provider,
    pod,
    provider,
    trust,
    values,
)
from tests.scenarios.curing import (
    admitted,
    alternatives,
    answered,
    assumed,
    cure,
    is_by_hand,
    prove,
    token_of,
)
from tests.scenarios.doctoring import FOREIGN, Case, cases, cured, diagnose, examine, move_role_to, provide
from tests.scenarios.uncreating import FOLDER, add_pod, no_account, no_pod
from tests.support.stage import ROLE_ARN, Stage

EVERYBODY = "system:serviceaccount:*"


def role_for(*subjects: str, name: str = "cluster-admin-break-glass") -> Break:
    """Make roles that trust patterns of subjects."""

    def make(binding: Binding) -> None:
        for subject in subjects:
            binding.make_role(name, {**binding.statement, **binding.json(pattern(subject))})

    return make


def pattern(subject: str) -> str:
    """The condition for a pattern of subjects."""
    return (
        f'{{"Condition": {{"StringLike": {{"$prefix:sub": "{subject}"}},'
        ' "StringEquals": {"$prefix:aud": "sts.amazonaws.com"}}}'
    )


def second(binding: Binding) -> None:
    """Another role that names the ServiceAccount."""
    binding.make_role("second", binding.statement)


def mounting(audience: str) -> Break:
    """A pod whose template has the webhook's volume, for an audience."""
    token = f'{{"audience": "{audience}", "expirationSeconds": 3600, "path": "token"}}'
    return pod(
        '{"volumes": [{"name": "data", "emptyDir": {}}, {"name": "aws-iam-token",'
        f' "projected": {{"sources": [{{"serviceAccountToken": {token}}}]}}}}]}}'
    )


def neighbour(binding: Binding) -> None:
    """A pod of the same release by another ServiceAccount with the role, beside a binding without pods."""
    no_pod(binding)
    binding.stage.make_account(binding.namespace, "worker", annotations={ROLE_ARN: binding.role_arn})
    labels = {"app.kubernetes.io/instance": NAME, "app.kubernetes.io/name": "cache"}
    add_pod(binding, f"{NAME}-cache-0", "worker", **labels)


NO_ROLE = each(values(IN_FRONT), anew(None))
NAMED = '{"name": "roles that trust it", "value": "$role (policies: AmazonS3ReadOnlyAccess)"}'
EDIT = "kubectl -n $ns edit statefulset doctor-reader"
ADMIN = '{"name": "roles that trust it by a pattern", "value": "arn:aws:iam::111122223333:role/$ns-cluster'


@cases(
    *(
        Case(
            f"a role for {subject} is never proposed",
            each(role_for(subject), NO_ROLE),
            "annotation-missing",
            "hand",
            says=ADMIN,
        )
        for subject in (EVERYBODY, "*")
    ),
    Case(
        "the role that names it is proposed with its policies",
        each(role_for(EVERYBODY), anew(None)),
        "annotation-missing",
        "fix",
        says=NAMED,
    ),
    *(
        Case(f"{text or 'nothing'} is made the role that names it", anew(text), "annotation-arn", "fix")
        for text in (
            "arn:aws:sts::111122223333:assumed-role/$name/session",
            "",
        )
    ),
    Case(
        "a session whose role is not known is made no role",
        each(values(IN_FRONT), anew("arn:aws:sts::111122223333:assumed-role/gone/session")),
        "annotation-arn",
        "hand",
        silent="role/gone",
    ),
    Case(
        "a token that a pod brings with a role that is gone",
        lambda binding: bring_token(binding, f"{binding.role_arn}-gone"),
        "pod-own-token",
        fix=EDIT,
        says='"remedy": "Allow the pod\'s ServiceAccount',
    ),
    Case(
        "a token that a pod brings for another audience",
        lambda binding: bring_token(binding, binding.role_arn, "vault"),
        "pod-own-token",
        fix=EDIT,
    ),
    Case(
        "a neighbour of the same release with the role",
        neighbour,
        untold="pod-service-account",
    ),
    Case(
        "a variable of the template is taken out there",
        pod(
            '{"container": {"env": [{"name": "AWS_ROLE_ARN", "value": "$role-old"},'
            f' {{"name": "AWS_WEB_IDENTITY_TOKEN_FILE", "value": "{FOLDER}/token"}}]}}}}'
        ),
        "pod-role-differs",
        fix=EDIT,
        says="remove that variable",
    ),
    Case(
        "an audience of the template is put right there",
        mounting("vault"),
        "pod-audience-differs",
        fix=EDIT,
        says="set the audience there",
    ),
    Case(
        "an annotation that means something else stays",
        each(annotated("$role", "example.com/chained-role"), anew(None)),
        "annotation-key",
        "fix",
    ),
    Case(
        "a condition that a statement would void is left to a person",
        condition(
            '{"StringEquals": {"sub": "$subject", "aud": "sts.amazonaws.com", "sts:RoleSessionName": "${x}"}}'
        ),
        silent="update-trust",
    ),
    Case(
        "a missing ServiceAccount is made with the role that waits for it",
        each(role_for(EVERYBODY), no_account),
        "service-account-missing",
        "fix restart",
        fix="--attach-role-arn $role",
        says=NAMED,
    ),
    *(
        Case(
            f"a missing ServiceAccount gets no role for {subject}",
            each(role_for(subject), values(IN_FRONT), no_account),
            "service-account-missing",
            fix="--attach-policy-arn ARN",
        )
        for subject in (EVERYBODY, f"system:serviceaccount:*:{NAME}")
    ),
)
def test_what_is_proposed_ends_it(case: Case, binding: Binding) -> None:
    case.play(binding)
    if "something else" in case.sentence:
        assert "example.com/chained-role" in binding.account["metadata"]["annotations"]


@pytest.mark.parametrize("lost", [anew(None), no_account], ids=["annotation", "ServiceAccount"])
def test_of_two_roles_that_name_it_a_person_chooses(lost: Break, binding: Binding) -> None:
    each(second, lost)(binding)
    fix = diagnose(binding).first["fix"]
    assert is_by_hand(fix)
    choices = alternatives(fix)[1].splitlines()
    assert len(choices) == 2
    for line in choices:
        cure(binding, line)
        binding.restart_pod()
        assert prove(binding)[0] in line
        assert diagnose(binding).problems == []
        if lost is no_account:
            no_account(binding)


def test_a_policy_in_the_place_of_a_role_is_asked_about(binding: Binding) -> None:
    policy = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
    each(values(IN_FRONT), anew(policy))(binding)
    diagnosis = diagnose(binding)
    assert diagnosis.problems == ["annotation-arn"]
    cure(binding, answered(diagnosis.fix))
    binding.restart_pod()
    assert diagnose(binding).problems == []
    (role,) = prove(binding)
    assert binding.stage.world()["roles"][role.rpartition("/")[2]]["attached"] == [policy]


@pytest.mark.parametrize("renewed", [True, False], ids=["pods of the association", "pods from before"])
def test_either_way_out_of_two_roles_works(renewed: bool, binding: Binding) -> None:
    each(associated, *([pod()] if renewed else []))(binding)
    kept = prove(binding)
    diagnosis = diagnose(binding)
    assert diagnosis.problems == ["pod-identity-association"]
    shown = str(diagnosis.first["evidence"])
    assert (binding.role_arn in shown, f"{binding.namespace}-pi" in shown) == (True, True)
    role = cured(binding, alternatives(diagnosis.fix)[renewed])
    assert renewed or [role] == kept


def test_the_trust_policy_of_another_account_is_written_there(binding: Binding) -> None:
    more = ("--iam-assume-role", move_role_to(binding, IN_FRONT))
    provide(binding)
    binding.values(sub=IN_FRONT)
    diagnosis = diagnose(binding, *more)
    assert diagnosis.problems == ["trust-subject"]
    role = cured(binding, answered(diagnosis.fix), *more, account=FOREIGN)
    assert role == f"arn:aws:iam::{FOREIGN}:role/app"


@pytest.mark.parametrize(
    "conditions",
    [
        '{"StringNotEquals": {"$prefix:sub": ["system:serviceaccount:front:web"]}}',
        '{"StringLike": {"$prefix:sub": "system:serviceaccount:*"}, "Bool": {"aws:SecureTransport": "true"}}',
    ],
    ids=["all but some", "by namespace"],
)
def test_a_deny_gets_an_exception_and_holds_for_everybody_else(conditions: str, binding: Binding) -> None:
    deny = (
        '{"Effect": "Deny", "Principal": {"Federated": "$providers/$prefix"},'
        f' "Action": "sts:AssumeRoleWithWebIdentity", "Condition": {conditions}}}'
    )
    trust(pattern(EVERYBODY), deny)(binding)  # Only the Deny holds others back.
    diagnosis = diagnose(binding)
    assert diagnosis.problems == ["trust-deny"]
    assert cured(binding, answered(diagnosis.fix)) == binding.role_arn
    refused(binding)


def refused(binding: Binding) -> None:
    """Fail unless STS refuses another ServiceAccount."""
    binding.stage.make_account(binding.namespace, "other")
    with pytest.raises(ClientError):
        assumed(binding, binding.role_arn, token_of(binding, "other"))


def test_a_generated_name_is_admitted_in_later_releases_too(stage: Stage, namespace: str) -> None:
    name, later = "app-0a1b2c3d4e", "app-5f6g7h8i9j"
    binding = Binding(stage, namespace, make_binding(stage, namespace, name))
    condition('{"StringLike": {"sub": "system:serviceaccount:$ns:app-7f8d9c5b6d"}}')(binding)
    before = admitted(binding)
    diagnosis = examine(stage, name, "-n", namespace)
    assert diagnosis.problems == ["trust-generated-name"]
    # A release that went is another ServiceAccount: only a person knows that this one comes after it.
    cure(binding, answered(diagnosis.fix))
    assert examine(stage, name, "-n", namespace).problems == []
    stage.make_account(namespace, later)
    for account in (name, later):
        assert assumed(binding, binding.role_arn, token_of(binding, account))
    refused(binding)
    assert {subject.rpartition(":")[2] for _, subject in admitted(binding) - before} == {name}


def test_of_several_clusters_on_a_role_the_statement_of_the_other_stays(binding: Binding) -> None:
    issuer = f"{binding.prefix.rpartition('/')[0]}/{'0F' * 16}"
    provider(f"https://{issuer}")(binding)
    other = json.loads(json.dumps(binding.statement).replace(binding.prefix, issuer))
    ours = json.loads(json.dumps(binding.statement).replace(binding.subject, IN_FRONT))
    binding.trust(ours, **other)
    diagnosis = diagnose(binding)
    assert (diagnosis.problems, diagnosis.shown["statement"]) == (["trust-subject"], "statement 2")
    assert cured(binding, answered(diagnosis.fix)) == binding.role_arn
    assert binding.stage.world()["roles"][binding.role]["trust"]["Statement"][0] == other


def test_a_missing_service_account_with_an_association_is_made_without_a_role(binding: Binding) -> None:
    each(BY_POD_IDENTITY, no_account, no_provider)(binding)
    assert examine(binding.stage, "-n", binding.namespace).accounts == {NAME: ["service-account-missing"]}
    diagnosis = diagnose(binding)
    assert diagnosis.problems == ["service-account-missing"]
    assert diagnosis.fix == f"kubectl -n {binding.namespace} create serviceaccount {NAME}"
    assert f"{binding.namespace}-pi" in str(diagnosis.first["evidence"])
    cure(binding, diagnosis.fix)
    binding.restart_pod()
    assert diagnose(binding).problems == []
    assert prove(binding)


def test_a_role_that_irsa_made_for_a_missing_service_account_is_bound_anew(binding: Binding) -> None:
    stage = binding.stage
    stage.run("create-sa own -n $ns --attach-policy-arn $S3")
    stage.kube.delete(f"/api/v1/namespaces/{binding.namespace}/serviceaccounts/own")
    diagnosis = examine(stage, "own", "-n", binding.namespace)
    # Whether the run that made the role ever ended, nothing tells: the same command ends it either way.
    assert diagnosis.problems[:2] == ["role-incomplete", "service-account-missing"]
    assert is_by_hand(diagnosis.fix)
    assert "run the same command again" in diagnosis.fix
    stage.run(diagnosis.fix.partition(" #")[0].removeprefix("irsa ").replace(" ARN", " $S3"))
    assert examine(stage, "own", "-n", binding.namespace).problems == []
    stage.run("verify own -n $ns")


def test_what_is_proposed_has_the_options_of_the_run(binding: Binding) -> None:
    no_provider(binding)
    for line in ("doctor", "verify"):
        says = "irsa associate-oidc -c $cluster -r $region"
        binding.stage.run(f"{line} {NAME} -n $ns -r $region", code=5, says=says)
    binding.annotate(None)
    says = "irsa create-sa doctor-reader -n $ns -c $cluster -r $region --attach-policy-arn ARN"
    binding.stage.run(f"credentials {NAME} -n $ns -r $region", code=4, says=says)
