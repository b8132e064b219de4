"""What `irsa doctor` proposes works where it is proposed, and is not proposed in the nearest world beside it.

Each fix is carried out, a pod's token is exchanged after it, and no role admits more than before.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from irsa_cli.sandbox import Sandbox
from tests.scenarios.binding import make_binding
from tests.scenarios.breaking import AUDIENCE, NAME, STS, Binding
from tests.scenarios.breaks import ACTION, BREAKS, associate, bring_token
from tests.scenarios.conftest import sandbox_stage
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
from tests.scenarios.doctoring import doctor, of, problems, run_doctor, untold
from tests.support.eks_states import add_addon
from tests.support.stage import ROLE_ARN, Json, Stage, made

FOREIGN = "444455556666"
EVERYBODY = "system:serviceaccount:*"
FOLDER = "/var/run/secrets/eks.amazonaws.com/serviceaccount"


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """The sandbox's API is enough: the commands are the same everywhere."""
    return sandbox_stage(sandbox, "demo", tmp_path)


Output = pytest.CaptureFixture[str]


def found(document: Json, cause: str) -> Json:
    """What was found of a cause."""
    (item,) = (item for item in document["items"][0]["findings"] if item["id"] == cause)
    return dict(item)


def diagnosed(binding: Binding, capsys: Output, *more: str) -> tuple[list[str], Json]:
    """The problems, and the first finding."""
    document = doctor(binding, capsys, *of(binding), *more)
    return problems(document), document["items"][0]["findings"][0]


def cured(binding: Binding, capsys: Output, *more: str, accounts: tuple[str, ...] = (), fix: str = "") -> str:
    """Carry out what is proposed; then nothing is wrong, a token is exchanged, nobody else is admitted.

    Returns the role that the pod got.
    """
    before = admitted(binding, *accounts)
    cure(binding, fix or diagnosed(binding, capsys, *more)[1]["fix"])
    assert diagnosed(binding, capsys, *more)[0] == []
    assert admitted(binding, *accounts) <= before
    (role,) = prove(binding)
    return role


def pattern(binding: Binding, subject: str) -> Json:
    """The binding's statement for a pattern of subjects."""
    equal = {f"{binding.prefix}:aud": STS}
    return {
        **binding.statement,
        "Condition": {"StringLike": {f"{binding.prefix}:sub": subject}, "StringEquals": equal},
    }


def without_annotation(binding: Binding) -> None:
    binding.annotate(None)
    binding.new_pod()


@pytest.mark.parametrize("subject", [EVERYBODY, f"system:serviceaccount:*:{NAME}", "*"])
def test_a_role_for_a_pattern_of_subjects_is_never_proposed(
    subject: str, binding: Binding, capsys: Output
) -> None:
    admin = binding.make_role("cluster-admin-break-glass", pattern(binding, subject))
    binding.values(sub="system:serviceaccount:front:web")
    without_annotation(binding)
    names, first = diagnosed(binding, capsys)
    assert names == ["annotation-missing"]
    assert is_by_hand(first["fix"])
    assert admin not in first["fix"]
    assert {"name": "roles that trust it by a pattern", "value": admin} in first["evidence"]


def test_the_role_that_names_the_service_account_is_proposed_with_its_policies(
    binding: Binding, capsys: Output
) -> None:
    binding.make_role("cluster-admin-break-glass", pattern(binding, EVERYBODY))
    without_annotation(binding)
    names, first = diagnosed(binding, capsys)
    assert names == ["annotation-missing"]
    named = f"{binding.role_arn} (policies: AmazonS3ReadOnlyAccess)"
    assert {"name": "roles that trust it", "value": named} in first["evidence"]
    assert cured(binding, capsys) == binding.role_arn


def test_of_two_roles_that_name_it_a_person_chooses(binding: Binding, capsys: Output) -> None:
    second = binding.make_role("second", binding.statement)
    without_annotation(binding)
    _, first = diagnosed(binding, capsys)
    assert is_by_hand(first["fix"])
    (_, choices) = alternatives(first["fix"])
    assert second in choices
    assert binding.role_arn in choices
    for line in choices.splitlines():
        cure(binding, line)
        binding.restart_pod()
        assert diagnosed(binding, capsys)[0] == []
        assert prove(binding)[0] in line


MEANT = [
    "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",
    "arn:aws:iam::111122223333:policy/app",
    "arn:aws:sts::111122223333:assumed-role/{role}/session",
    "arn:aws:iam::111122223333:instance-profile/app",
    "{role}",
    "",
]


@pytest.mark.parametrize("text", MEANT)
def test_what_is_no_role_is_not_made_one_where_a_role_names_the_service_account(
    text: str, binding: Binding, capsys: Output
) -> None:
    binding.annotate(text.format(role=binding.role))
    binding.new_pod()
    assert diagnosed(binding, capsys)[0] == ["annotation-arn"]
    assert cured(binding, capsys) == binding.role_arn


def test_a_policy_in_the_place_of_a_role_is_asked_about(binding: Binding, capsys: Output) -> None:
    binding.values(sub="system:serviceaccount:front:web")
    binding.annotate(MEANT[0])
    binding.new_pod()
    names, first = diagnosed(binding, capsys)
    assert names == ["annotation-arn"]
    cure(binding, answered(first["fix"]))
    binding.restart_pod()
    assert diagnosed(binding, capsys)[0] == []
    (role,) = prove(binding)
    (attached,) = binding.aws("iam").list_attached_role_policies(RoleName=role.rsplit("/", 1)[-1])[
        "AttachedPolicies"
    ]
    assert attached["PolicyArn"] == MEANT[0]


def test_a_session_whose_role_is_not_known_is_made_no_role(binding: Binding, capsys: Output) -> None:
    binding.values(sub="system:serviceaccount:front:web")
    binding.annotate(MEANT[2].format(role="gone"))
    _, first = diagnosed(binding, capsys)
    assert "role/gone" not in first["fix"]
    assert is_by_hand(first["fix"])


def associate_same(binding: Binding) -> str:
    """An association with the role of the annotation; returns its id."""
    for_both(binding)
    add_addon(binding.stage.sandbox, binding.stage.cluster, "eks-pod-identity-agent")
    made = binding.aws("eks").create_pod_identity_association(
        clusterName=binding.stage.cluster,
        namespace=binding.namespace,
        serviceAccount=NAME,
        roleArn=binding.role_arn,
    )
    return str(made["association"]["associationId"])


def for_both(binding: Binding) -> None:
    """Have the binding's role trust EKS Pod Identity, too."""
    service = {"Service": "pods.eks.amazonaws.com"}
    binding.trust({"Effect": "Allow", "Principal": service, "Action": ["sts:AssumeRole", "sts:TagSession"]})


def test_a_migration_with_the_same_role_on_both_sides_is_a_hint(binding: Binding, capsys: Output) -> None:
    associate_same(binding)
    binding.new_pod()
    document = doctor(binding, capsys, *of(binding))
    assert problems(document) == []
    assert "pod-identity-association" in untold(document)


@pytest.mark.parametrize("before", [True, False], ids=["pods from before", "pods of the association"])
def test_two_roles_are_both_shown_and_the_pods_keep_what_they_have(
    before: bool, binding: Binding, capsys: Output
) -> None:
    associate(binding)
    if not before:
        binding.new_pod()
    (kept,) = prove(binding)
    names, first = diagnosed(binding, capsys)
    assert names == ["pod-identity-association"]
    shown = json.dumps(first["evidence"])
    assert binding.role_arn in shown
    assert f"{binding.namespace}-pi" in shown
    assert cured(binding, capsys, fix=first["fix"]) == kept


@pytest.mark.parametrize("number", [0, 1])
def test_either_way_out_of_two_roles_works(number: int, binding: Binding, capsys: Output) -> None:
    associate(binding)
    binding.new_pod()
    fix = alternatives(diagnosed(binding, capsys)[1]["fix"])[number]
    cured(binding, capsys, fix=fix)


def test_pods_of_an_association_that_is_gone(binding: Binding, capsys: Output) -> None:
    number = associate_same(binding)
    binding.new_pod()
    binding.aws("eks").delete_pod_identity_association(
        clusterName=binding.stage.cluster, associationId=number
    )
    assert diagnosed(binding, capsys)[0] == ["pod-identity-gone"]
    assert cured(binding, capsys) == binding.role_arn


def test_another_server_of_credentials_is_no_association(binding: Binding, capsys: Output) -> None:
    variable = {"name": "AWS_CONTAINER_CREDENTIALS_FULL_URI", "value": "http://127.0.0.1:9911/credentials"}
    binding.new_pod(container={"env": [variable]})
    assert diagnosed(binding, capsys)[0] == []


def test_a_token_that_a_pod_brings_itself_needs_no_annotation(binding: Binding, capsys: Output) -> None:
    bring_token(binding, binding.role_arn)
    document = doctor(binding, capsys, *of(binding))
    assert problems(document) == []
    assert document["metadata"]["exitCode"] == 0
    assert prove(binding) == [binding.role_arn]


def test_a_role_that_does_not_admit_the_token_that_a_pod_brings(binding: Binding, capsys: Output) -> None:
    binding.values(sub=f"system:serviceaccount:{binding.namespace}:raeder")
    bring_token(binding, binding.role_arn)
    names, first = diagnosed(binding, capsys)
    assert names == ["pod-own-token"]
    assert cured(binding, capsys, fix=answered(first["fix"])) == binding.role_arn
    assert ROLE_ARN not in binding.account["metadata"].get("annotations", {})


@pytest.mark.parametrize("what", ["role", "audience"])
def test_what_a_template_says_of_its_own_token_is_put_right_there(
    what: str, binding: Binding, capsys: Output
) -> None:
    wrong = {"role": (f"{binding.role_arn}-gone",), "audience": (binding.role_arn, "vault")}
    bring_token(binding, *wrong[what])
    names, first = diagnosed(binding, capsys)
    assert names == ["pod-own-token"]
    assert first["fix"] == f"kubectl -n {binding.namespace} edit statefulset {NAME}"
    assert first["remedy"]


def neighbour(binding: Binding, pod: str, account: str, **labels: str) -> None:
    """A pod of somebody else's; the binding's own pod is gone."""
    pods = f"/api/v1/namespaces/{binding.namespace}/pods"
    binding.stage.kube.delete(f"{pods}/{NAME}-0", {"gracePeriodSeconds": 0})
    labels = {f"app.kubernetes.io/{key}": value for key, value in labels.items()}
    spec = {"serviceAccountName": account, "containers": [{"name": "app", "image": "app:1"}]}
    made(binding.stage.kube.create(pods, {"metadata": {"name": pod, "labels": labels}, "spec": spec}))


def test_a_neighbour_of_the_same_release_keeps_its_service_account(binding: Binding, capsys: Output) -> None:
    cache, worker = f"{NAME}-cache", "worker"
    binding.stage.make_account(binding.namespace, cache)
    binding.stage.make_account(binding.namespace, worker, annotations={ROLE_ARN: binding.role_arn})
    for number, account in enumerate((cache, worker)):
        neighbour(binding, f"{cache}-{number}", account, instance=NAME, name="cache")
        document = doctor(binding, capsys, *of(binding))
        assert problems(document) == []
        assert "pod-service-account" in untold(document)


@pytest.mark.parametrize("account", ["default", "bare"])
def test_a_pod_of_the_release_without_a_role_was_meant(
    account: str, binding: Binding, capsys: Output
) -> None:
    if account == "bare":
        binding.stage.make_account(binding.namespace, account)
    neighbour(binding, f"{NAME}-0a", account, instance=NAME)
    assert diagnosed(binding, capsys)[0] == ["pod-service-account"]


def test_the_trust_policy_of_another_account_is_written_there(binding: Binding, capsys: Output) -> None:
    iam = binding.aws("iam", FOREIGN)
    iam.create_open_id_connect_provider(Url=f"https://{binding.prefix}", ClientIDList=[STS])
    wrong = json.loads(json.dumps(binding.statement).replace("111122223333", FOREIGN))
    wrong["Condition"]["StringEquals"][f"{binding.prefix}:sub"] = "system:serviceaccount:front:web"
    trust = {"Version": "2012-10-17", "Statement": [wrong]}
    role = iam.create_role(RoleName="app", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    by = {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"}
    reader = iam.create_role(RoleName="reader", AssumeRolePolicyDocument=json.dumps({"Statement": [by]}))
    iam.attach_role_policy(RoleName="reader", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    binding.values(sub="system:serviceaccount:front:web")
    binding.annotate(role)
    binding.new_pod()
    more = ("--iam-assume-role", reader["Role"]["Arn"])
    names, first = diagnosed(binding, capsys, *more)
    assert names == ["trust-subject"]
    assert cured(binding, capsys, *more, accounts=(FOREIGN,), fix=answered(first["fix"])) == role


def test_a_variable_of_the_template_is_taken_out_there(binding: Binding, capsys: Output) -> None:
    env = {"AWS_ROLE_ARN": f"{binding.role_arn}-old", "AWS_WEB_IDENTITY_TOKEN_FILE": f"{FOLDER}/token"}
    binding.new_pod(container={"env": [{"name": name, "value": value} for name, value in env.items()]})
    names, first = diagnosed(binding, capsys)
    assert names == ["pod-role-differs"]
    assert first["fix"] == f"kubectl -n {binding.namespace} edit statefulset {NAME}"
    assert "remove that variable" in first["remedy"]


def test_an_audience_of_the_template_is_put_right_there(binding: Binding, capsys: Output) -> None:
    token = {"audience": "vault", "expirationSeconds": 3600, "path": "token"}
    volumes = [
        {"name": "data", "emptyDir": {}},
        {"name": "aws-iam-token", "projected": {"sources": [{"serviceAccountToken": token}]}},
    ]
    binding.new_pod(volumes=volumes)
    names, first = diagnosed(binding, capsys)
    assert names == ["pod-audience-differs"]
    assert first["fix"] == f"kubectl -n {binding.namespace} edit statefulset {NAME}"
    assert "set the audience there" in first["remedy"]
    token["audience"] = STS
    binding.new_pod(volumes=volumes)
    assert diagnosed(binding, capsys)[0] == []
    assert prove(binding) == [binding.role_arn]


def test_an_audience_of_an_earlier_annotation_goes_with_a_restart(binding: Binding, capsys: Output) -> None:
    binding.annotate("vault", AUDIENCE)
    binding.new_pod()
    binding.annotate(None, AUDIENCE)
    names, first = diagnosed(binding, capsys)
    assert names == ["pod-audience-differs"]
    by_hand = f"kubectl -n {binding.namespace} edit statefulset {NAME}"
    assert first["fix"].splitlines()[1] == f"# if their template mounts the token itself: {by_hand}"
    assert cured(binding, capsys) == binding.role_arn


def test_a_token_that_a_pod_brings_with_a_role_from_elsewhere(binding: Binding, capsys: Output) -> None:
    bring_token(binding, binding.role_arn)
    pod = binding.stage.kube.get(f"/api/v1/namespaces/{binding.namespace}/pods/{NAME}-0").body
    (container,) = pod["spec"]["containers"]
    role = {"configMapKeyRef": {"name": "app", "key": "role"}}
    hidden = [{"name": "AWS_ROLE_ARN", "valueFrom": role}, *container["env"][1:]]
    more = {"volumeMounts": [{"name": "own", "mountPath": FOLDER}]}
    volumes = [item for item in pod["spec"]["volumes"] if item["name"] == "own"]
    for part in ({"env": hidden}, {"envFrom": [{"configMapRef": {"name": "app"}}]}):
        binding.new_pod(container={**part, **more}, volumes=volumes)
        document = doctor(binding, capsys, *of(binding))
        assert problems(document) == []  # Told to annotate, the next pod would have two mounts of one path.
        assert document["metadata"]["exitCode"] == 1
        assert "pod-own-token" in untold(document)


def test_an_annotation_that_means_something_else_stays(binding: Binding, capsys: Output) -> None:
    binding.annotate(binding.role_arn, "example.com/chained-role")
    without_annotation(binding)
    assert diagnosed(binding, capsys)[0] == ["annotation-key"]
    assert cured(binding, capsys) == binding.role_arn
    assert "example.com/chained-role" in binding.account["metadata"]["annotations"]


DENIES: dict[str, Json] = {
    "everybody": {},
    "by name": {"StringEquals": {"sub": "OWN"}},
    "all but some": {"StringNotEquals": {"sub": ["system:serviceaccount:front:web"]}},
    "by namespace": {
        "StringLike": {"sub": "system:serviceaccount:*"},
        "Bool": {"aws:SecureTransport": "true"},
    },
}


@pytest.mark.parametrize("what", DENIES)
def test_a_deny_gets_an_exception_and_holds_for_everybody_else(
    what: str, binding: Binding, capsys: Output
) -> None:
    text = (
        json.dumps(DENIES[what]).replace("OWN", binding.subject).replace('"sub"', f'"{binding.prefix}:sub"')
    )
    principal = {"Federated": binding.provider}
    deny = {"Effect": "Deny", "Principal": principal, "Action": ACTION, "Condition": json.loads(text)}
    # The Allow is for everybody: only the Deny holds others back.
    binding.trust(deny, **pattern(binding, EVERYBODY))
    names, first = diagnosed(binding, capsys)
    assert names == ["trust-deny"]
    assert cured(binding, capsys, fix=answered(first["fix"])) == binding.role_arn
    binding.stage.make_account(binding.namespace, "other")
    if what == "by name":
        return
    with pytest.raises(ClientError):
        assumed(binding, binding.role_arn, token_of(binding, "other"))


def test_a_condition_that_a_statement_would_void_is_left_to_a_person(
    binding: Binding, capsys: Output
) -> None:
    binding.conditions(StringEquals={"sub": binding.subject, "aud": STS, "sts:RoleSessionName": "${x}"})
    _, first = diagnosed(binding, capsys)
    assert "update-trust" not in first["fix"]


@pytest.mark.parametrize(
    ("operator", "trusted"),
    [("StringEquals", "app-*"), ("StringEquals", "*"), ("StringLike", "app-7f8d9c5b6d")],
)
def test_a_generated_name_is_admitted_in_later_releases_too(
    operator: str, trusted: str, stage: Stage, namespace: str, capsys: Output
) -> None:
    name, later = "app-0a1b2c3d4e", "app-5f6g7h8i9j"
    binding = Binding(stage, namespace, make_binding(stage, namespace, name))
    subject = f"system:serviceaccount:{namespace}:{trusted}"
    binding.conditions(**{operator: {"sub": subject}})
    before = admitted(binding)
    document = run_doctor(stage, capsys, name, "-n", namespace)
    assert problems(document) == ["trust-wildcard" if "*" in trusted else "trust-generated-name"]
    fix = document["items"][0]["findings"][0]["fix"]
    # A release that went is another ServiceAccount: only a person knows that this one comes after it.
    cure(binding, fix if "*" in trusted else answered(fix))
    assert problems(run_doctor(stage, capsys, name, "-n", namespace)) == []
    stage.make_account(namespace, later)
    stage.make_account(namespace, "other")
    for one in (name, later):
        assert assumed(binding, binding.role_arn, token_of(binding, one))
    with pytest.raises(ClientError):
        assumed(binding, binding.role_arn, token_of(binding, "other"))
    own = f"system:serviceaccount:{namespace}:{name}"
    assert {pair for pair in admitted(binding) - before if pair[1] != own} == set()


def test_the_audience_of_nobody_goes_with_its_pods(binding: Binding, capsys: Output) -> None:
    binding.annotate("example.com", AUDIENCE)
    binding.new_pod()
    assert diagnosed(binding, capsys)[0] == ["annotation-audience"]
    assert cured(binding, capsys) == binding.role_arn


def test_what_to_do_in_an_editor_is_printed(binding: Binding, capsys: Output) -> None:
    bring_token(binding, f"{binding.role_arn}-gone")
    document = doctor(binding, capsys, *of(binding))
    assert found(document, "pod-own-token")["remedy"].startswith("Allow the pod's ServiceAccount")


def for_another_cluster(binding: Binding) -> Json:
    """The binding's statement as another cluster has it, whose provider is there."""
    other = f"{binding.prefix[:-32]}{'0F' * 16}"
    binding.aws("iam").create_open_id_connect_provider(Url=f"https://{other}", ClientIDList=[STS])
    return dict(json.loads(json.dumps(binding.statement).replace(binding.prefix, other)))


@pytest.mark.parametrize("aud", [STS, "vault"])
def test_of_several_clusters_on_a_role_the_statement_of_the_other_stays(
    aud: str, binding: Binding, capsys: Output
) -> None:
    other = for_another_cluster(binding)
    equal = {f"{binding.prefix}:sub": f"system:serviceaccount:{binding.namespace}:web"}
    ours = {
        **binding.statement,
        "Condition": {"StringEquals": {**equal, f"{binding.prefix}:aud": aud}},
    }
    binding.trust(ours, **other)
    names, first = diagnosed(binding, capsys)
    assert set(names) <= {"trust-subject", "trust-audience"}
    assert {"name": "statement", "value": "statement 2"} in first["evidence"]
    assert cured(binding, capsys, fix=answered(first["fix"])) == binding.role_arn
    trust = binding.aws("iam").get_role(RoleName=binding.role)["Role"]["AssumeRolePolicyDocument"]
    assert trust["Statement"][0] == other


def test_a_role_of_another_cluster_gets_a_statement_more(binding: Binding, capsys: Output) -> None:
    other = for_another_cluster(binding)
    binding.trust(**other)
    names, first = diagnosed(binding, capsys)
    assert names == ["trust-other-cluster"]
    assert "Keep the other cluster" in first["remedy"]
    assert cured(binding, capsys, fix=answered(first["fix"])) == binding.role_arn
    trust = binding.aws("iam").get_role(RoleName=binding.role)["Role"]["AssumeRolePolicyDocument"]
    assert trust["Statement"][0] == other


def without_account(binding: Binding) -> None:
    binding.stage.kube.delete(f"/api/v1/namespaces/{binding.namespace}/serviceaccounts/{NAME}")


def exchanged(binding: Binding) -> str:
    """The role that a new pod of the ServiceAccount gets."""
    binding.restart_pod()
    (role,) = prove(binding)
    return role


def test_a_missing_service_account_is_made_with_the_role_that_waits_for_it(
    binding: Binding, capsys: Output
) -> None:
    binding.make_role("cluster-admin-break-glass", pattern(binding, EVERYBODY))
    without_account(binding)
    names, first = diagnosed(binding, capsys)
    assert names[0] == "service-account-missing"
    assert first["fix"].endswith(f"--attach-role-arn {binding.role_arn}")
    named = f"{binding.role_arn} (policies: AmazonS3ReadOnlyAccess)"
    assert {"name": "roles that trust it", "value": named} in first["evidence"]
    before = admitted(binding)
    cure(binding, first["fix"])
    assert exchanged(binding) == binding.role_arn
    assert diagnosed(binding, capsys)[0] == []
    assert admitted(binding) == before


@pytest.mark.parametrize("subject", [EVERYBODY, f"system:serviceaccount:*:{NAME}"])
def test_a_missing_service_account_gets_no_role_that_admits_it_by_a_pattern(
    subject: str, binding: Binding, capsys: Output
) -> None:
    binding.make_role("cluster-admin-break-glass", pattern(binding, subject))
    binding.values(sub="system:serviceaccount:front:web")
    without_account(binding)
    _, first = diagnosed(binding, capsys)
    assert first["fix"].endswith("--attach-policy-arn ARN")


def test_of_two_roles_that_wait_for_a_missing_service_account_a_person_chooses(
    binding: Binding, capsys: Output
) -> None:
    second = binding.make_role("second", binding.statement)
    without_account(binding)
    _, first = diagnosed(binding, capsys)
    assert is_by_hand(first["fix"])
    (_, choices) = alternatives(first["fix"])
    for line in choices.splitlines():
        cure(binding, line)
        assert exchanged(binding) in (second, binding.role_arn)
        assert exchanged(binding) in line
        assert diagnosed(binding, capsys)[0] == []
        without_account(binding)


@pytest.mark.parametrize("named", [True, False], ids=["by name", "among all"])
def test_a_missing_service_account_with_an_association_is_made_without_a_role(
    named: bool, binding: Binding, capsys: Output
) -> None:
    binding.annotate(None)
    associate(binding)
    binding.new_pod()
    without_account(binding)
    binding.aws("iam").delete_open_id_connect_provider(OpenIDConnectProviderArn=binding.provider)
    document = doctor(binding, capsys, *(of(binding) if named else ("-n", binding.namespace)))
    whole = {"items": document["items"] if named else document["items"][1:]}
    assert problems(document) + ([] if named else problems(whole)) == ["service-account-missing"]
    first = found(whole, "service-account-missing")
    assert first["fix"] == f"kubectl -n {binding.namespace} create serviceaccount {NAME}"
    assert f"{binding.namespace}-pi" in json.dumps(first["evidence"])
    cure(binding, first["fix"])
    binding.restart_pod()
    assert diagnosed(binding, capsys)[0] == []
    assert prove(binding)


def test_a_role_that_irsa_made_for_a_missing_service_account_is_bound_anew(
    binding: Binding, capsys: Output
) -> None:
    policy = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
    binding.stage.irsa(
        "create-sa", "own", "-n", binding.namespace, "-c", "demo", "--attach-policy-arn", policy
    )
    binding.stage.kube.delete(f"/api/v1/namespaces/{binding.namespace}/serviceaccounts/own")
    document = doctor(binding, capsys, "own", "-n", binding.namespace)
    fix = document["items"][0]["findings"][0]["fix"]
    # Whether the run that made the role ever ended, nothing tells: the same command ends it either way.
    assert problems(document)[:2] == ["role-incomplete", "service-account-missing"]
    assert is_by_hand(fix)
    assert "run the same command again" in fix
    cure(binding, fix.partition(" #")[0].replace("ARN", policy))
    assert problems(doctor(binding, capsys, "own", "-n", binding.namespace)) == []
    verified = binding.stage.irsa("verify", "own", "-n", binding.namespace, "-c", "demo")
    assert verified.code == 0, verified.out + verified.err


@pytest.mark.parametrize("command", ["doctor", "verify"])
def test_what_is_proposed_has_the_options_of_the_run(command: str, binding: Binding) -> None:
    BREAKS["no_provider"][1](binding)
    stage = binding.stage
    ran = stage.irsa(command, *of(binding), "-c", stage.cluster, "-r", stage.region)
    assert f"irsa associate-oidc -c {stage.cluster} -r {stage.region}" in ran.out


def test_what_a_refusal_proposes_has_the_options_of_the_run(binding: Binding) -> None:
    binding.annotate(None)
    stage = binding.stage
    ran = stage.irsa("credentials", *of(binding), "-c", stage.cluster, "-r", stage.region)
    given = f"-c {stage.cluster} -r {stage.region}"
    assert f"irsa create-sa {NAME} -n {binding.namespace} {given} --attach-policy-arn ARN" in ran.err
