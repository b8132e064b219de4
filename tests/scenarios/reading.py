"""What the scenarios of the reading commands share: bindings as other tools make them, and reading a list."""

import json
from typing import Any

from tests.scenarios.binding import make_binding
from tests.support.stage import READ_ONLY, ROLE_ARN, Json, Ran, Stage

EKSCTL = "alpha.eksctl.io/iamserviceaccount-name"
GONE = "arn:aws:iam::111122223333:role/gone"


def get_sa(stage: Stage, namespace: str, *arguments: str, user: str = "admin") -> Ran:
    """Run `irsa get-sa` for a namespace: a real cluster also holds what other tests have left."""
    return stage.irsa("get-sa", "-n", namespace, "-c", stage.cluster, "-o", "json", *arguments, user=user)


def items(ran: Ran) -> dict[str, Json]:
    """The bindings by the names of their ServiceAccounts."""
    complete = ran.metadata.get("scope", {}).get("complete", True)
    assert ran.code == (0 if complete else 1), ran.err
    return {item["serviceAccount"]["name"]: item for item in ran.items}


def statuses(ran: Ran) -> dict[str, str]:
    """The statuses by the names of the ServiceAccounts."""
    return {name: item["status"] for name, item in items(ran).items()}


def role_like(stage: Stage, namespace: str, name: str, arn: str, **options: Any) -> str:
    """A role like that of `namespace/reader`, for another ServiceAccount; returns its ARN."""
    document = stage.iam().get_role(RoleName=arn.rsplit("/", 1)[-1])["Role"]["AssumeRolePolicyDocument"]
    trust = json.dumps(document).replace(f":{namespace}:reader", f":{namespace}:{name}")
    made = stage.iam().create_role(RoleName=f"{namespace}-{name}", AssumeRolePolicyDocument=trust, **options)
    found: str = made["Role"]["Arn"]
    return found


def zoo(stage: Stage, namespace: str) -> str:
    """Bindings of all makers, good and bad; returns the ARN of the role of `reader`, which is by hand."""
    arn = make_binding(stage, namespace)
    accounts: dict[str, tuple[str, dict[str, Any]]] = {
        "eksctl": (
            role_like(
                stage, namespace, "eksctl", arn, Tags=[{"Key": EKSCTL, "Value": f"{namespace}/eksctl"}]
            ),
            {"labels": {"app.kubernetes.io/managed-by": "eksctl"}},
        ),
        "terraform": (
            role_like(stage, namespace, "terraform", arn, Tags=[{"Key": "ManagedBy", "Value": "terraform"}]),
            {"labels": {"app.kubernetes.io/managed-by": "Helm"}},
        ),
        "stranger": (arn, {}),
        "junk": ("my-role\n", {}),
        "gone": (GONE.replace("111122223333", stage.account_id), {}),
        "path": (arn.replace("/own/", "/other/"), {}),
        "foreign": (arn.replace(stage.account_id, "444455556666"), {}),
    }
    for name, (role, metadata) in accounts.items():
        stage.make_account(namespace, name, annotations={ROLE_ARN: role}, **metadata)
    stage.make_account(namespace, "plain")
    assert stage.create_sa("ours", namespace, "--attach-policy-arn", READ_ONLY, "-q").code == 0
    return arn
