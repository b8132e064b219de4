"""A complete binding of irsa's, with something of everything on it, for the scenarios that change it."""

import json
from typing import Any

from tests.support.stage import READ_ONLY, Ran, Stage

SQS = "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"
SNS = "arn:aws:iam::aws:policy/AmazonSNSReadOnlyAccess"
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
NAME = "app"
QUEUE = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}}
TOPIC = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sns:*", "Resource": "*"}}


def make_complete(stage: Stage, namespace: str) -> None:
    """Make it by create-sa, and let somebody else put something on it, too."""
    assert stage.associate().code == 0
    write(stage, "queue.json", QUEUE)
    ran = stage.create_sa(
        NAME,
        namespace,
        *("--attach-policy-arn", f"{READ_ONLY},{SQS}"),
        *("--inline-policy", "queue.json"),
        *("--permissions-boundary", ADMIN),
        *("--description", "what it is"),
        *("--tags", "team=a,env=test"),
        *("--label", "team=a"),
        *("--annotation", "example.com/note=hello"),
    )
    assert ran.code == 0, ran.err
    role = stage.role_of(namespace, NAME)["arn"].rsplit("/", 1)[-1]
    stage.iam().put_role_policy(RoleName=role, PolicyName="theirs", PolicyDocument=json.dumps(TOPIC))


def write(stage: Stage, name: str, document: dict[str, Any]) -> None:
    """Put a policy document where irsa runs."""
    (stage.folder / name).write_text(json.dumps(document))


def update(stage: Stage, namespace: str, *arguments: str, name: str = NAME, **how: Any) -> Ran:
    """Run `irsa update-sa` for this cluster."""
    return stage.irsa("update-sa", name, "-n", namespace, "-c", stage.cluster, *arguments, **how)


EVERYTHING = (
    *("--attach-policy-arn", SNS, "--detach-policy-arn", SQS),
    *("--inline-policy", "queue.json", "--remove-inline-policy", "theirs"),
    *("--permissions-boundary", READ_ONLY),
    *("--tags", "team=b", "--remove-tag", "env"),
    *("--description", "another", "--max-session-duration", "7200"),
    *("--label", "team=b", "--annotation", "example.com/note-"),
    *("--audience", "vault", "--associate-oidc", "--token-expiration", "900"),
)
"""One of each; `queue.json` has to be another one than before."""
