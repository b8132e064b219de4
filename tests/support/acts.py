"""What tests do on a stage beside the command under test, in one call each."""

import json
from collections.abc import Callable
from typing import Any

import yaml

from irsa_cli.core.trust.trust_policy import Shared
from irsa_cli.core.values.names import default_role_name
from irsa_cli.sandbox import Fault
from tests.scenarios.foreign import make_role
from tests.support.ran import Ran
from tests.support.rows import Texts, in_words, prepare
from tests.support.sandbox_clients import administrator
from tests.support.stage import ROLE_ARN, Json, Stage
from tests.support.worlds import difference, tidy

SERVICE: Json = json.loads(
    '{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}'
)
"""A statement of somebody else's."""
EKSCTL = """apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: $cluster, region: $region}
"""
BINDINGS = EKSCTL.replace("eksctl.io/v1alpha5", "irsa/v1").replace("ClusterConfig", "Bindings")


MADE = """
+ ROLE
+ ROLE max_session_duration 3600
+ ROLE path /irsa/$cluster/
+ ROLE tags irsa/cluster $cluster
+ ROLE tags irsa/service-account $ns/NAME
+ ROLE trusts $ns/NAME for sts.amazonaws.com
+ sa $ns/NAME
+ sa $ns/NAME annotations eks.amazonaws.com/role-arn $NAME_role
+ sa $ns/NAME annotations irsa/role-arn $NAME_role
+ sa $ns/NAME labels app.kubernetes.io/managed-by irsa
"""


Deed = Callable[[Any], object]
Step = str | Deed


def strike(stage: Any, what: str, **more: Any) -> None:
    """Arm a fault: `iam TagRole error`."""
    service, *operation, kind = what.split()
    stage.sandbox.faults.add(Fault(service, " ".join(operation), kind, **more))  # type: ignore[arg-type]


def killed(stage: Stage, line: str, what: str, **more: Any) -> None:
    """Run a command that is killed where the fault strikes."""
    strike(stage, what, run=stage.kill, **more)
    stage.run(line, code=-9)
    stage.sandbox.faults.clear()
    stage.sandbox.settle()


def put(stage: Any, name: str, text: str) -> None:
    """Write a file where irsa runs, with the stage's words in it."""
    (stage.folder / name).write_text(in_words(stage, text), encoding="utf-8")


def wish(
    stage: Stage, *entries: str, top: str = "withOIDC: true, ", name: str = "f.yaml", more: str = ""
) -> None:
    """Write a ClusterConfig with these entries, `top` beside them in `iam`, and `more` after all."""
    put(stage, name, f"{EKSCTL}iam: {{{top}serviceAccounts: [{', '.join(entries)}]}}\n{more}")


def wish_own(stage: Stage, *entries: str, top: str = "withOIDC: true", name: str = "f.yaml") -> None:
    """Write irsa's own kind of file with these entries."""
    put(stage, name, f"{BINDINGS}{top}\nserviceAccounts: [{', '.join(entries)}]\n")


def refused(stage: Any, line: str, says: Texts = (), **more: Any) -> Ran:
    """Run a command that is refused, and changes nothing."""
    ran: Ran = stage.run(line, code=4, says=says, changes="", **more)
    return ran


def unchanged(stage: Any, line: str, says: Texts = (), **more: Any) -> Ran:
    """Run a command that works, and changes nothing."""
    ran: Ran = stage.run(line, says=says, changes="", **more)
    return ran


def there_and_back(stage: Any, *steps: Step) -> None:
    """Do things, at whose end all is as it was before."""
    before = stage.world()
    after(*steps)(stage)
    changed(stage, before, "")


def after(*steps: Step) -> Deed:
    """What was there before a row: commands and deeds, one after the other."""

    def do(stage: Any) -> None:
        for step in steps:
            prepare(stage, step)

    return do


def fault(what: str, **how: Any) -> Deed:
    """See `strike`."""
    return lambda stage: strike(stage, what, **how)


def wished(*entries: str, **how: Any) -> Deed:
    """See `wish`."""
    return lambda stage: wish(stage, *entries, **how)


def wished_own(*entries: str, **how: Any) -> Deed:
    """See `wish_own`."""
    return lambda stage: wish_own(stage, *entries, **how)


def written(name: str, text: str) -> Deed:
    """See `put`."""
    return lambda stage: put(stage, name, text)


def account(name: str = "app", role: str = "", **metadata: Any) -> Deed:
    """Somebody makes a ServiceAccount, annotated with a role."""

    def do(stage: Stage) -> None:
        annotations = {
            **metadata.pop("annotations", {}),
            **({ROLE_ARN: in_words(stage, role)} if role else {}),
        }
        maker = getattr(stage, "stage", stage)
        maker.make_account(stage.words["ns"], name, annotations=annotations, **metadata)

    return do


def role(*statements: Json, name: str = "$ns-r", **how: Any) -> Deed:
    """Somebody makes a role, which trusts a service unless it is said otherwise."""
    return lambda stage: make_role(stage, in_words(stage, name), *(statements or [SERVICE]), **how)


def gone(name: str = "app") -> Deed:
    """See `forget`."""
    return lambda stage: forget(stage, name)


def changed(stage: Any, before: Json, lines: str | list[str]) -> None:
    """Fail unless these lines are another in the world than before."""
    expected = in_words(stage, lines if isinstance(lines, str) else "\n".join(lines))
    assert tidy(difference(before, stage.world())) == tidy(expected)


def named(stage: Stage, *names: str, namespace: str = "") -> None:
    """Call the roles that irsa names itself `$NAME_role`, and that of the last one `$role`, with `$arn`.

    `$sid` marks a statement that irsa adds to a role of others.
    """
    issuer = client(stage, "eks").describe_cluster(name=stage.cluster)["cluster"]["identity"]["oidc"][
        "issuer"
    ]
    provider = f"arn:aws:iam::{stage.account_id}:oidc-provider/{issuer.removeprefix('https://')}"
    stage.words["sid"] = Shared(provider, "sts.amazonaws.com", "StringEquals", ()).mark
    region, account, cluster = stage.region, stage.account_id, stage.cluster
    arn = f"arn:aws:eks:{region}:{account}:cluster/{cluster}"
    for name in names:
        role = default_role_name(cluster, arn, namespace or stage.words["ns"], name)
        stage.words |= {"role": role, "arn": f"arn:aws:iam::{account}:role/irsa/{cluster}/{role}"}
        stage.words[f"{name}_role"] = role


def made(name: str = "app", *more: str) -> list[str]:
    """The lines of a ServiceAccount and its role as irsa makes them, once `named`, and `more` of the role."""
    about = f"role ${name}_role"
    return [MADE.replace("ROLE", about).replace("NAME", name), *(f"+ {about} {line}" for line in more)]


def steps(ran: Ran, command: str = "") -> list[str]:
    """The commands of irsa that the run's only error proposes, as lines without `irsa`."""
    every = [step.partition("irsa ")[2] for step in ran.error["next"]]
    return [line for line in every if line.startswith(command or tuple("abcdefghijklmnopqrstuvwxyz"))]


def writes(stage: Stage) -> list[str]:
    """The calls that write, since they were forgotten; locks do not count."""
    return [
        call.operation
        for call in stage.sandbox.calls
        if not call.operation.startswith(("Get", "List", "Describe", "Assume", "GET", "Simulate"))
        and not call.operation.endswith((" leases", " selfsubjectaccessreviews", " token"))
    ]


def asked(stage: Stage) -> list[str]:
    """The calls of AWS that ask for the first thing of all."""
    return [call.operation for call in stage.sandbox.calls if call.service in ("iam", "eks")]


def put_pod(stage: Stage, account: str = "app") -> None:
    """A pod of a StatefulSet in the stage's namespace that uses a ServiceAccount."""
    body = yaml.safe_load(
        f"metadata: {{name: web-0, ownerReferences: [{{apiVersion: apps/v1, kind: StatefulSet, name: web, "
        f"uid: u, controller: true}}]}}\n"
        f"spec: {{serviceAccountName: {account}, containers: [{{name: c, image: i}}]}}"
    )
    answer = stage.kube.create(f"/api/v1/namespaces/{stage.words['ns']}/pods", body)
    assert answer.status == 201, answer.text


def forget(stage: Any, name: str = "app", kind: str = "serviceaccounts") -> None:
    """Delete an object of the stage's namespace behind irsa's back."""
    stage = getattr(stage, "stage", stage)
    stage.kube.delete(f"/api/v1/namespaces/{stage.words['ns']}/{kind}/{name}")


def client(stage: Stage, service: str) -> Any:
    """A client of the cluster's account, as its administrator."""
    return administrator(stage.sandbox, service, stage.account_id, stage.region)
