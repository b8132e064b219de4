"""The commands whose every call is broken: how each is called, and what is there before.

A new command that writes joins by one line in `COMMANDS`.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from tests.faults.injections import ESSENTIAL, Call
from tests.faults.judge import Part
from tests.faults.stages import OTHER, FaultStage
from tests.faults.zygote import RENEWING
from tests.support.eks_states import add_addon
from tests.support.stage import ACCOUNT, EVERYTHING, READ_ONLY, ROLE_ARN

NAMESPACE = "apps"
MANAGED = (READ_ONLY, *(f"arn:aws:iam::aws:policy/Amazon{name}ReadOnlyAccess" for name in ("SQS", "SNS")))
DOCUMENT = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}
THEIRS = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}


@dataclass(frozen=True)
class Command:
    """A command line (without cluster, time limits and form of output), and the stage it starts from."""

    name: str
    arguments: tuple[str, ...] | Callable[[FaultStage], tuple[str, ...]]
    prepare: tuple[Callable[[FaultStage], None], ...] = ()
    failing: str = "denied"
    """How its last write is broken, to have its rollback broken as well; '' for what has no rollback."""
    marked: bool = True
    """Whether everything that a cut-off run leaves can be found without its journal.

    Not so what may have an association: `irsa recover` keeps its role, and names `irsa delete-sa`.
    """
    ways: tuple[str, ...] = ()
    """The ways in which its calls are broken, where not all of them are tried."""
    like_others: bool = False
    """Whether it reads with the code of other commands: its readings are broken in one way of each sort."""
    thorough: bool = False
    """Whether its writes are also broken in the ways that differ little from another one."""
    recovers: bool = False
    """Whether it finishes what another run has left, rather than making something of its own."""
    deletes: bool = False
    """Whether it takes away what is there before: a ServiceAccount that is gone can't come back."""

    untrusted: bool = False
    """Whether no role of others trusts the cluster's provider: where one does, it is not taken away."""

    followers: tuple[str, ...] = ()
    """Commands that write and may come after it, instead of the same one again; see `followers`."""
    binding: tuple[str, ...] = ()
    """How `create-sa` has made the binding that it deletes."""
    makes: bool = True
    """Whether it makes what it is about anew where another command has deleted that."""

    parts: tuple[Part, ...] = ()
    """What it does, where that is several things, each done or not by itself; see `judge`."""

    several: bool = False
    """Whether one transaction is about more ServiceAccounts than a follower deletes."""
    plans: tuple[str, ...] = ()
    """The command whose saved plan it carries out; where that is stale, a new plan is made."""

    way: tuple[str, ...] = ()
    """How another account is reached, which its recovery has to be told again."""
    locks: bool = True
    """Whether it holds a lock: what does not use the cluster's API has none."""
    env: Mapping[str, str] = field(default_factory=dict)
    """What is in its environment besides."""
    webhook: bool = False
    """Whether it waits for EKS' webhook, which the real API server of the matrix does not call."""

    def words(self, stage: FaultStage) -> tuple[str, ...]:
        """The command line on a stage."""
        if isinstance(self.arguments, tuple):
            return (*self.arguments, "-c", stage.cluster)
        return self.arguments(stage)


def _namespace(stage: FaultStage) -> None:
    stage.make_namespace(NAMESPACE)
    if stage.foreign is not None:
        stage.foreign.move_in(NAMESPACE)


def _agent(stage: FaultStage) -> None:
    """The add-on without which EKS Pod Identity is refused."""
    add_addon(stage.sandbox, stage.cluster, "eks-pod-identity-agent")


def _own_namespace(stage: FaultStage) -> None:
    """A namespace without anything foreign, of which all may be taken over."""
    stage.make_namespace(NAMESPACE)


def _provider(stage: FaultStage) -> None:
    stage.iam().create_open_id_connect_provider(
        Url=stage.issuer, ClientIDList=["sts.amazonaws.com"], ThumbprintList=[]
    )


def _own_provider(stage: FaultStage) -> None:
    stage.iam().create_open_id_connect_provider(
        Url=stage.issuer,
        ClientIDList=["sts.amazonaws.com"],
        ThumbprintList=[],
        Tags=[{"Key": "irsa/cluster", "Value": "made-by-irsa"}],
    )


def _account(stage: FaultStage) -> None:
    stage.make_account(
        NAMESPACE,
        "app",
        labels={"app.kubernetes.io/managed-by": "Helm"},
        annotations={"note": "theirs", ROLE_ARN: f"arn:aws:iam::{ACCOUNT}:role/old"},
    )


def _inline(stage: FaultStage) -> None:
    (stage.folder / "queue.json").write_text(json.dumps(DOCUMENT))


def _shared_role(stage: FaultStage) -> None:
    document = {"Version": "2012-10-17", "Statement": [THEIRS]}
    stage.iam().create_role(RoleName="shared", AssumeRolePolicyDocument=json.dumps(document))


def _half_made(stage: FaultStage) -> None:
    """What a run on another machine left, which is to be gone on with."""
    stage.interrupt((*_CREATE, *_ONE), Call("iam", "AttachRolePolicy", 0))
    _lose_the_journal(stage)


def _lose_the_journal(stage: FaultStage) -> None:
    """Go on much later, where nothing of it is known."""
    shutil.rmtree(stage.state)
    stage.let_locks_end()


def _cut_off_in_the_middle(stage: FaultStage) -> None:
    stage.interrupt((*_CREATE, *_ONE, "--verify"), Call("kubernetes", "POST serviceaccounts", 1))


def _cut_off_chain(stage: FaultStage) -> None:
    stage.interrupt((*_CREATE, *_ONE, "--verify", *_CHAIN), Call("sts", "AssumeRoleWithWebIdentity", 0))


def _cut_off_before_the_end(stage: FaultStage) -> None:
    stage.interrupt((*_CREATE, *_ONE), Call("iam", "AttachRolePolicy", 0))


def _cut_off_at_the_end(stage: FaultStage) -> None:
    stage.interrupt(
        (*_CREATE, *_ONE, "--override-existing-serviceaccounts"),
        Call("kubernetes", "PATCH serviceaccounts", 0),
    )


def _bound(*arguments: str) -> Callable[[FaultStage], None]:
    """A step that has irsa make a binding; its journal is none of the broken run's."""

    def step(stage: FaultStage) -> None:
        process = stage.zygote.start((*_CREATE, *arguments, "-c", stage.cluster), stage.env(), stage.folder)
        assert process.ended.wait(60), "the binding was not made"
        assert process.code == 0, bytes(process.err).decode()
        _lose_the_journal(stage)

    return step


def _file(stage: FaultStage) -> None:
    """A configuration with a binding that is there, to be changed, and a new one."""
    there = {"metadata": {"name": "app", "namespace": NAMESPACE, "labels": {"a": "b"}}}
    new = {"metadata": {"name": "new", "namespace": NAMESPACE}, "attachPolicyARNs": [READ_ONLY]}
    entries = [{**there, "attachPolicyARNs": [MANAGED[1]], "attachPolicy": DOCUMENT}, new]
    for name, desired in (("both", entries), ("one", entries[:1]), ("new", entries[1:])):
        document = {
            "apiVersion": "eksctl.io/v1alpha5",
            "kind": "ClusterConfig",
            "metadata": {"name": stage.cluster},
            "iam": {"serviceAccounts": desired},
        }
        (stage.folder / f"{name}.json").write_text(json.dumps(document))


def _association_file(stage: FaultStage) -> None:
    """An association with another session policy than `create-sa` gives it, a new one, and both ways."""
    entry = {"namespace": NAMESPACE, "serviceAccountName": "app", "createServiceAccount": True}
    policies = {
        "permissionPolicyARNs": [MANAGED[1]],
        "policy": json.dumps(DOCUMENT),
        "disableSessionTags": True,
    }
    new = {**entry, "serviceAccountName": "new", "permissionPolicyARNs": [READ_ONLY]}
    for name, association in (("association", {**entry, **policies}), ("new-association", new)):
        document = {
            "apiVersion": "eksctl.io/v1alpha5",
            "kind": "ClusterConfig",
            "metadata": {"name": stage.cluster},
            "iam": {"podIdentityAssociations": [association]},
        }
        (stage.folder / f"{name}.json").write_text(json.dumps(document))
    both = {
        "apiVersion": "irsa/v1",
        "kind": "Bindings",
        "metadata": {"name": stage.cluster},
        "serviceAccounts": [
            {
                "metadata": {"name": "app", "namespace": NAMESPACE},
                "attachPolicyARNs": [READ_ONLY],
                "also": "pod-identity",
            }
        ],
    }
    (stage.folder / "also.json").write_text(json.dumps(both))


def _saved(*arguments: str) -> Callable[[FaultStage], None]:
    """A step that saves the plan of a command line, to be carried out later."""

    def step(stage: FaultStage) -> None:
        stage.run_to_the_end((*arguments, "--dry-run", "--out", "plan.json"))

    return step


def _migrated(arguments: str) -> Callable[[FaultStage], None]:
    """A step that migrates the binding; its journal is none of the broken run's."""

    def step(stage: FaultStage) -> None:
        _agent(stage)
        stage.run_to_the_end((*_MIGRATE, *arguments.split()))
        _lose_the_journal(stage)

    return step


def _repoint(*step: str) -> Callable[[FaultStage], tuple[str, ...]]:
    """`irsa repoint` from a cluster that is gone."""
    return lambda stage: ("repoint", "--from", _OLD_ISSUER, "--to", stage.cluster, *step)


def _old_role(stage: FaultStage) -> None:
    """A role for a ServiceAccount of a cluster that is gone, with statements of others around."""
    prefix = _OLD_ISSUER.removeprefix("https://")
    statement = {
        "Sid": "Pods",
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{prefix}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{prefix}:sub": f"system:serviceaccount:{NAMESPACE}:app"}},
    }
    deny = {**statement, "Sid": "No", "Effect": "Deny", "Condition": {"Bool": {"aws:SecureTransport": False}}}
    document = {"Version": "2012-10-17", "Statement": [THEIRS, statement, deny]}
    stage.iam().create_role(RoleName="app", AssumeRolePolicyDocument=json.dumps(document))


def _repointed(stage: FaultStage) -> None:
    stage.run_to_the_end(_repoint("--add")(stage))
    _lose_the_journal(stage)


def _dead_cluster(stage: FaultStage) -> None:
    """What a deleted cluster left in IAM: its provider, and a role that irsa created for it."""
    arn, prefix = f"arn:aws:eks:eu-west-1:{ACCOUNT}:cluster/doomed", _OLD_ISSUER.removeprefix("https://")
    marks = {"irsa/cluster": arn, "irsa/service-account": "apps/app", "irsa/transaction": "earlier"}
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{prefix}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": {
                f"{prefix}:aud": "sts.amazonaws.com",
                f"{prefix}:sub": "system:serviceaccount:apps:app",
            }
        },
    }
    iam = stage.iam()
    iam.create_open_id_connect_provider(
        Url=_OLD_ISSUER,
        ClientIDList=["sts.amazonaws.com"],
        ThumbprintList=[],
        Tags=[{"Key": "irsa/cluster", "Value": arn}],
    )
    iam.create_role(
        RoleName="doomed",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        Tags=[{"Key": key, "Value": text} for key, text in marks.items()],
    )
    iam.attach_role_policy(RoleName="doomed", PolicyArn=READ_ONLY)
    iam.put_role_policy(RoleName="doomed", PolicyName="queue", PolicyDocument=json.dumps(DOCUMENT))
    _age(stage, "doomed")


def _without_namespace(stage: FaultStage) -> None:
    """The namespace of a preview environment is gone, and its binding has been idle."""
    path = f"/api/v1/namespaces/{NAMESPACE}"
    account = stage.kube.get(f"{path}/serviceaccounts/app").body
    _age(stage, account["metadata"]["annotations"][ROLE_ARN].rpartition("/")[2])
    stage.kube.delete(path)
    stage.settle()


def _age(stage: FaultStage, name: str) -> None:
    """Let the role have been created long ago; those of others stay as they are."""
    roles = stage.sandbox._front.cloud.iam(ACCOUNT, "aws").roles.values()
    next(role for role in roles if role.name == name).create_date -= timedelta(days=60)


def _bare_account(stage: FaultStage) -> None:
    stage.make_account(
        NAMESPACE, "app", labels={"app.kubernetes.io/managed-by": "Helm"}, annotations={"a": "b"}
    )


def _recover(*options: str) -> Callable[[FaultStage], tuple[str, ...]]:
    def words(stage: FaultStage) -> tuple[str, ...]:
        (journal,) = stage.state.glob("*.jsonl")
        return ("recover", journal.stem, *options)

    return words


def _complete(stage: FaultStage) -> None:
    """A binding of irsa's with something of everything on it."""
    stage.run_to_the_end((*_CREATE, *_TWO, "--inline-policy", "queue.json", "--tags", "team=a,old=1"))
    _lose_the_journal(stage)
    document = json.dumps(DOCUMENT).replace("s3:*", "s3:Get*")
    (stage.folder / "queue.json").write_text(document)


def _theirs(stage: FaultStage) -> None:
    """A role that somebody else has made for the ServiceAccount."""
    prefix = stage.issuer.removeprefix("https://")
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{prefix}"
    equals = {f"{prefix}:sub": f"system:serviceaccount:{NAMESPACE}:app", f"{prefix}:aud": "sts.amazonaws.com"}
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": equals},
    }
    trust = {"Version": "2012-10-17", "Statement": [statement]}
    made = stage.iam().create_role(RoleName="theirs", AssumeRolePolicyDocument=json.dumps(trust))
    stage.make_account(NAMESPACE, "app", annotations={ROLE_ARN: made["Role"]["Arn"]})


def _their_association(stage: FaultStage) -> None:
    """A role and an association that somebody else has made for the ServiceAccount."""
    service = {
        "Effect": "Allow",
        "Principal": {"Service": "pods.eks.amazonaws.com"},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
    }
    trust = {"Version": "2012-10-17", "Statement": [service]}
    made = stage.iam().create_role(RoleName="theirs", AssumeRolePolicyDocument=json.dumps(trust))
    stage.eks().create_pod_identity_association(
        clusterName=stage.cluster,
        namespace=NAMESPACE,
        serviceAccount="app",
        roleArn=made["Role"]["Arn"],
        tags={"team": "shop"},
    )


def _elsewhere(stage: FaultStage) -> None:
    """Another account, with a role that this one's may become, and two to be gone on to."""
    iam = stage.other_iam()
    us = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    for name, statement in (("deployer", us), ("data", THEIRS), ("more", THEIRS)):
        trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
    iam.put_role_policy(RoleName="deployer", PolicyName="all", PolicyDocument=json.dumps(EVERYTHING))


def _accounts_file(stage: FaultStage) -> None:
    """A configuration over both patterns: a role elsewhere that is there, a new one, and a chain."""

    def entry(name: str, policy: str, **more: str) -> object:
        return {"metadata": {"name": name, "namespace": NAMESPACE}, "attachPolicyARNs": [policy], **more}

    away = {"roleAccount": OTHER, "roleAssumeRole": DEPLOYER}
    way = {"targetAssumeRole": DEPLOYER, "externalID": "abc", "awsConfigMap": "chained"}
    document = {
        "apiVersion": "irsa/v1",
        "kind": "Bindings",
        "metadata": {"name": stage.cluster},
        "serviceAccounts": [
            entry("app", MANAGED[1], **away),
            entry("new", READ_ONLY, **away),
            entry("chained", READ_ONLY, targetRole=DATA, **way),
        ],
    }
    (stage.folder / "accounts.json").write_text(json.dumps(document))


def _other_provider(stage: FaultStage) -> None:
    stage.other_iam().create_open_id_connect_provider(
        Url=stage.issuer, ClientIDList=["sts.amazonaws.com"], ThumbprintList=[]
    )


DEPLOYER, DATA, MORE = (f"arn:aws:iam::{OTHER}:role/{name}" for name in ("deployer", "data", "more"))
_AWAY = ("--role-account", OTHER, "--role-assume-role", DEPLOYER)
_TARGET_WAY = ("--target-assume-role", DEPLOYER)
_CHAIN = (
    *("--target-role", DATA, "--external-id", "abc", "--update-target-trust"),
    *("--aws-config-map", "aws", *_TARGET_WAY),
)
_POD_IDENTITY = ("--pod-identity", "--create-service-account", "--label", "team=a")
_CREATE = ("create-sa", "app", "-n", NAMESPACE)
_TWO = ("--attach-policy-arn", ",".join(MANAGED[:2]))
_UPDATE = (
    *("update-sa", "app", "-n", NAMESPACE),
    *("--attach-policy-arn", MANAGED[2], "--detach-policy-arn", MANAGED[1]),
    *("--inline-policy", "queue.json", "--permissions-boundary", READ_ONLY),
    *("--tags", "team=b", "--remove-tag", "old", "--description", "new", "--label", "team=b"),
)
_MIGRATE = ("migrate", "app", "-n", NAMESPACE, "--to")
_ADOPT = ("adopt", "app", "-n", NAMESPACE)
_OLD_ISSUER = "https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
_ONE = ("--attach-policy-arn", READ_ONLY)
_QUEUE = (*_TWO, "--inline-policy", "queue.json")
_DELETE = ("delete-sa", "app", "-n", NAMESPACE, "--ignore-not-found")
_SHARED = ("--attach-role-arn", f"arn:aws:iam::{ACCOUNT}:role/shared", "--update-trust")
COMMANDS = {
    command.name: command
    for command in (
        Command(
            "associate-oidc",
            ("associate-oidc",),
            locks=False,
            failing="500",
            marked=False,
            thorough=True,
            untrusted=True,
            followers=("recover-all",),
        ),
        Command(
            "fresh",
            (*_CREATE, *_ONE),
            (_provider, _namespace),
            thorough=True,
            followers=("delete-sa", "apply", "update-sa", "adopt", "recover-all"),
        ),
        Command(
            "renewing",
            (*_CREATE, *_ONE, "--verify"),
            (_provider, _namespace),
            like_others=True,
            followers=("delete-sa", "apply"),
            env={RENEWING: "0.05"},
        ),
        Command(
            "existing",
            (*_CREATE, *_ONE, "--override-existing-serviceaccounts"),
            (_provider, _namespace, _account),
            followers=("delete-sa", "apply", "update-sa", "adopt", "recover-all"),
        ),
        Command(
            "no-namespace",
            (*_CREATE, *_ONE),
            (_provider,),
            followers=("delete-sa", "apply", "update-sa", "adopt", "recover-all"),
        ),
        Command(
            "policies",
            (*_CREATE, "--inline-policy", "queue.json", "--attach-policy-arn", ",".join(MANAGED)),
            (_provider, _namespace, _inline),
            followers=("delete-sa", "update-sa", "recover-all"),
        ),
        Command(
            "shared-role",
            (*_CREATE, *_SHARED),
            (_provider, _namespace, _shared_role),
            marked=False,
            followers=("delete-sa", "recover-all"),
        ),
        Command(
            "verify",
            (*_CREATE, *_ONE, "--verify"),
            (_provider, _namespace),
            followers=("delete-sa", "apply", "update-sa", "adopt", "recover-all"),
        ),
        Command(
            "everything",
            (*_CREATE, *_ONE, "--verify", "--associate-oidc"),
            ways=ESSENTIAL,
            untrusted=True,
            followers=("delete-sa", "update-sa", "recover-all"),
        ),
        Command(
            "role-only",
            (*_CREATE, *_ONE, "--role-only"),
            (_provider,),
            ways=ESSENTIAL,
            followers=("recover-all",),
        ),
        Command(
            "update",
            _UPDATE,
            (_provider, _namespace, _inline, _complete),
            marked=False,
            like_others=True,
            followers=("delete-sa", "adopt", "recover-all"),
            makes=False,
        ),
        Command(
            "repoint-add",
            _repoint("--add"),
            (_provider, _namespace, _bare_account, _old_role),
            marked=False,
            like_others=True,
            followers=("recover-all",),
            makes=False,
        ),
        Command(
            "repoint-retire",
            _repoint("--retire", "--unused-for", "0s"),
            (_provider, _namespace, _bare_account, _old_role, _repointed),
            marked=False,
            like_others=True,
            followers=("recover-all",),
            makes=False,
        ),
        *(
            Command(
                name,
                (*_MIGRATE, *step.split()),
                (_agent, _provider, _namespace, _bare_account, _bound(*_ONE), *map(_migrated, earlier)),
                marked=False,
                like_others=True,
                followers=("recover-all",),
                makes=False,
                webhook="pod-identity --finish" in (step, *earlier),
            )
            for name, step, *earlier in (
                ("migrate-to-pod-identity", "pod-identity"),
                ("migrate-finish", "pod-identity --finish", "pod-identity"),
                ("migrate-to-irsa", "irsa", "pod-identity", "pod-identity --finish"),
                ("migrate-back", "irsa --finish", "pod-identity"),
            )
        ),
        Command(
            "adopt",
            _ADOPT,
            (_provider, _namespace, _theirs),
            failing="500",
            marked=False,
            like_others=True,
            followers=("update-sa", "recover-all"),
            makes=False,
        ),
        Command(
            "adopt-all",
            ("adopt", "--all", "-n", NAMESPACE),
            (_provider, _own_namespace, _theirs),
            failing="500",
            marked=False,
            ways=ESSENTIAL,
            followers=("update-sa", "recover-all"),
            makes=False,
        ),
        Command(
            "release",
            ("release", "app", "-n", NAMESPACE),
            (_provider, _namespace, _bound(*_ONE)),
            failing="500",
            marked=False,
            followers=("adopt", "recover-all"),
            makes=False,
        ),
        Command(
            "half-made",
            (*_CREATE, *_ONE),
            (_provider, _namespace, _half_made),
            ways=ESSENTIAL,
            # Not recover-all: what the other machine left is there before, and rightly goes with it.
            followers=("delete-sa", "apply", "update-sa", "adopt"),
        ),
        Command(
            "recover",
            _recover(),
            (_provider, _cut_off_in_the_middle),
            failing="",
            ways=ESSENTIAL,
            recovers=True,
        ),
        Command(
            "recover-cluster",
            lambda stage: ("recover", "-c", stage.cluster, "--all", "--min-age", "0s"),
            (_provider, _cut_off_in_the_middle, _lose_the_journal),
            failing="",
            ways=ESSENTIAL,
            recovers=True,
        ),
        Command(
            "recover-annotation",
            _recover(),
            (_provider, _namespace, _account, _cut_off_at_the_end),
            failing="",
            marked=False,
            ways=ESSENTIAL,
            recovers=True,
        ),
        Command(
            "recover-forward",
            _recover("--forward"),
            (_provider, _cut_off_before_the_end),
            failing="",
            ways=ESSENTIAL,
            recovers=True,
        ),
        Command(
            "delete",
            _DELETE,
            (
                _provider,
                _namespace,
                _inline,
                _bound(*_QUEUE),
            ),
            deletes=True,
            like_others=True,
            followers=("create-sa", "recover-all"),
            binding=_QUEUE,
        ),
        Command(
            "delete-annotated",
            _DELETE,
            (_provider, _namespace, _bare_account, _bound(*_ONE)),
            deletes=True,
            ways=ESSENTIAL,
            followers=("create-sa", "recover-all"),
            binding=_ONE,
        ),
        Command(
            "delete-shared",
            _DELETE,
            (_provider, _namespace, _shared_role, _bound(*_SHARED)),
            marked=False,
            deletes=True,
            like_others=True,
            followers=("create-sa",),
            binding=_SHARED,
        ),
        Command(
            "retire",
            lambda _stage: ("retire", "--all", "--unused-for", "30d", "--yes"),
            (_dead_cluster,),
            marked=False,
            deletes=True,
            like_others=True,
            locks=False,
            several=True,
            followers=("recover-all",),
            makes=False,
            parts=(("doomed",), (_OLD_ISSUER.removeprefix("https://"),)),
        ),
        Command(
            "retire-namespace",
            ("retire", "--namespace", f"{NAMESPACE[:2]}*", "--older-than", "7d", "--yes"),
            (_provider, _own_namespace, _inline, _bound(*_QUEUE), _without_namespace),
            deletes=True,
            like_others=True,
            ways=ESSENTIAL,
            followers=("recover-all",),
            makes=False,
        ),
        Command(
            "apply",
            ("apply", "-f", "one.json"),
            (_provider, _namespace, _file, _bound(*_ONE)),
            marked=False,
            like_others=True,
            followers=("delete-sa", "update-sa", "recover-all"),
            makes=False,
        ),
        Command(
            "apply-atomic",
            ("apply", "-f", "both.json", "--atomic"),
            (_provider, _namespace, _file, _bound(*_ONE)),
            marked=False,
            several=True,
            ways=ESSENTIAL,
            followers=("delete-sa", "recover-all"),
            makes=False,
        ),
        Command(
            "apply-prune",
            ("apply", "-f", "new.json", "--atomic", "--prune", "--yes", "--include", f"{NAMESPACE}/*"),
            (_provider, _namespace, _file, _bound(*_ONE)),
            marked=False,
            ways=ESSENTIAL,
            deletes=True,
            several=True,
            followers=("recover-all",),
        ),
        Command(
            "prune",
            ("apply", "-f", "new.json", "--prune", "--yes", "--include", f"{NAMESPACE}/*"),
            (_provider, _namespace, _file, _bound(*_ONE)),
            marked=False,
            ways=ESSENTIAL,
            deletes=True,
            followers=("recover-all",),
            parts=(
                (f"{NAMESPACE}-app-", f"{NAMESPACE}/app"),
                (f"{NAMESPACE}-new-", f"{NAMESPACE}/new"),
            ),
        ),
        Command(
            "saved-plan",
            lambda stage: ("apply", "plan.json"),
            (_provider, _namespace, _saved(*_CREATE, *_ONE)),
            ways=ESSENTIAL,
            followers=("delete-sa", "update-sa", "recover-all"),
            plans=(*_CREATE, *_ONE),
        ),
        Command(
            "saved-update",
            lambda stage: ("apply", "plan.json"),
            (_provider, _namespace, _inline, _complete, _saved(*_UPDATE)),
            marked=False,
            ways=ESSENTIAL,
            followers=("delete-sa", "recover-all"),
            makes=False,
            plans=_UPDATE,
        ),
        Command(
            "role-elsewhere",
            (*_CREATE, *_ONE, "--associate-oidc", "--verify", *_AWAY),
            (_namespace, _elsewhere),
            like_others=True,
            way=_AWAY,
        ),
        Command(
            "delete-elsewhere",
            (*_DELETE, *_AWAY),
            (_namespace, _elsewhere, _other_provider, _bound(*_ONE, *_AWAY)),
            deletes=True,
            like_others=True,
            way=_AWAY,
        ),
        Command(
            "chain",
            (*_CREATE, *_ONE, "--verify", *_CHAIN),
            (_provider, _namespace, _elsewhere),
            marked=False,
            like_others=True,
            way=_TARGET_WAY,
        ),
        Command(
            "recover-chain",
            lambda stage: ("recover", "-c", stage.cluster, "--all", "--min-age", "0s", *_TARGET_WAY),
            (_provider, _elsewhere, _cut_off_chain, _lose_the_journal),
            failing="",
            marked=False,
            ways=ESSENTIAL,
            recovers=True,
            way=_TARGET_WAY,
        ),
        Command(
            "delete-chain",
            (*_DELETE, *_TARGET_WAY),
            (_provider, _namespace, _elsewhere, _bound(*_CHAIN)),
            marked=False,
            deletes=True,
            like_others=True,
            way=_TARGET_WAY,
        ),
        Command(
            "update-elsewhere",
            (*_UPDATE, *_AWAY),
            (_namespace, _inline, _elsewhere, _other_provider, _bound(*_QUEUE, *_AWAY, "--tags", "old=1")),
            marked=False,
            ways=ESSENTIAL,
            makes=False,
            way=_AWAY,
        ),
        Command(
            "update-chain",
            (
                *("update-sa", "app", "-n", NAMESPACE, "--target-role", MORE, "--external-id", "new"),
                *("--update-target-trust", "--aws-config-map", "other", *_TARGET_WAY),
            ),
            (_provider, _namespace, _elsewhere, _bound(*_CHAIN)),
            marked=False,
            like_others=True,
            makes=False,
            way=_TARGET_WAY,
        ),
        Command(
            "apply-accounts",
            ("apply", "-f", "accounts.json", "--update-target-trust"),
            (_provider, _namespace, _elsewhere, _other_provider, _accounts_file, _bound(*_ONE, *_AWAY)),
            marked=False,
            ways=ESSENTIAL,
            makes=False,
            parts=(
                (f"{NAMESPACE}-app-", f"{NAMESPACE}/app"),
                (f"{NAMESPACE}-new-", f"{NAMESPACE}/new"),
                (f"{NAMESPACE}-chained-", f"{NAMESPACE}/chained", "data"),
            ),
            way=_AWAY,
        ),
        Command(
            "create-pod-identity",
            (*_CREATE, *_ONE, *_POD_IDENTITY),
            (_agent, _namespace),
            marked=False,
            like_others=True,
            followers=("delete-sa", "recover-all"),
        ),
        Command(
            "apply-pod-identity",
            ("apply", "-f", "association.json"),
            (_agent, _namespace, _association_file),
            marked=False,
            like_others=True,
            followers=("delete-sa", "recover-all"),
        ),
        Command(
            "apply-pod-identity-changed",
            ("apply", "-f", "association.json"),
            (_agent, _namespace, _association_file, _bound(*_ONE, *_POD_IDENTITY)),
            marked=False,
            like_others=True,
            ways=ESSENTIAL,
            followers=("delete-sa", "recover-all"),
            makes=False,
        ),
        Command(
            "delete-pod-identity",
            _DELETE,
            (_agent, _namespace, _bound(*_ONE, *_POD_IDENTITY)),
            deletes=True,
            marked=False,
            like_others=True,
            followers=("recover-all",),
            binding=(*_ONE, *_POD_IDENTITY),
        ),
        Command(
            "update-pod-identity",
            (*_UPDATE, "--session-policy", "queue.json", "--target-role", DATA),
            (
                *(_agent, _namespace, _inline),
                _bound(*_QUEUE, *_POD_IDENTITY, "--disable-session-tags", "--tags", "old=1"),
            ),
            marked=False,
            like_others=True,
            followers=("delete-sa", "recover-all"),
            makes=False,
        ),
        Command(
            "also-pod-identity",
            ("update-sa", "app", "-n", NAMESPACE, "--also", "pod-identity"),
            (_agent, _provider, _namespace, _bare_account, _bound(*_ONE)),
            marked=False,
            like_others=True,
            followers=("delete-sa", "recover-all"),
            makes=False,
        ),
        Command(
            "apply-also-pod-identity",
            ("apply", "-f", "also.json"),
            (_agent, _provider, _namespace, _association_file, _bound(*_ONE)),
            marked=False,
            like_others=True,
            ways=ESSENTIAL,
            followers=("delete-sa", "recover-all"),
            makes=False,
        ),
        Command(
            "adopt-pod-identity",
            _ADOPT,
            (_agent, _namespace, _bare_account, _their_association),
            failing="500",
            marked=False,
            like_others=True,
            followers=("update-sa", "recover-all"),
            makes=False,
        ),
        Command(
            "delete-file-pod-identity",
            ("delete", "-f", "association.json", "--yes"),
            (_agent, _namespace, _association_file, _bound(*_ONE, *_POD_IDENTITY)),
            deletes=True,
            marked=False,
            like_others=True,
            ways=ESSENTIAL,
            followers=("recover-all",),
            binding=(*_ONE, *_POD_IDENTITY),
        ),
        Command(
            "prune-pod-identity",
            ("apply", "-f", "new-association.json", "--prune", "--yes", "--include", f"{NAMESPACE}/*"),
            (_agent, _namespace, _association_file, _bound(*_ONE, *_POD_IDENTITY)),
            marked=False,
            ways=ESSENTIAL,
            deletes=True,
            followers=("recover-all",),
            parts=(
                (f"{NAMESPACE}-app-", f"{NAMESPACE}/app"),
                (f"{NAMESPACE}-new-", f"{NAMESPACE}/new"),
            ),
        ),
        Command(
            "disassociate",
            ("disassociate-oidc",),
            (_own_provider,),
            locks=False,
            failing="500",
            marked=False,
            deletes=True,
            like_others=True,
            untrusted=True,
            followers=("recover-all",),
        ),
    )
}


def is_write(call: Call) -> bool:
    """Whether the call changes something."""
    if call.service == "kubernetes":
        return call.operation.split()[0] != "GET" and not call.operation.endswith("/token")
    return call.service in ("iam", "eks") and not call.operation.startswith(("Get", "List", "Describe"))
