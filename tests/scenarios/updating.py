"""A complete binding of irsa's, with something of everything on it, for the scenarios that change it."""

import json
from typing import Any

from tests.support.documents import policy
from tests.support.stage import Ran, Stage

SQS = "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"
SNS = "arn:aws:iam::aws:policy/AmazonSNSReadOnlyAccess"
NAME = "app"
QUEUE = {**policy(), "Statement": policy("Allow sqs:* on *")["Statement"][0]}
TOPIC = {**policy(), "Statement": policy("Allow sns:* on *")["Statement"][0]}


def make_complete(stage: Stage, namespace: str) -> None:
    """Make it by create-sa, and let somebody else put something on it, too; `$role` and `$sa` name it."""
    write(stage, "queue.json", QUEUE)
    stage.words["ns"] = namespace
    stage.run("associate-oidc")
    stage.run(
        "create-sa app -n $ns --attach-policy-arn $S3,$SQS --inline-policy queue.json --label team=a"
        " --permissions-boundary $ADMIN --description 'what it is' --tags team=a,env=test"
        " --annotation example.com/note=hello"
    )
    name = stage.role_of(namespace, NAME)["arn"].rsplit("/", 1)[-1]
    stage.words |= {"name": name, "role": f"role {name}", "sa": f"sa {namespace}/app"}
    stage.iam().put_role_policy(RoleName=name, PolicyName="theirs", PolicyDocument=json.dumps(TOPIC))


def write(stage: Stage, name: str, document: dict[str, Any]) -> None:
    """Put a policy document where irsa runs."""
    (stage.folder / name).write_text(json.dumps(document))


def update(stage: Stage, namespace: str, *arguments: str, name: str = NAME, **how: Any) -> Ran:
    """Run `irsa update-sa` for this cluster."""
    return stage.irsa("update-sa", name, "-n", namespace, "-c", stage.cluster, *arguments, **how)


EVERYTHING = (
    "update-sa app -n $ns --attach-policy-arn $SNS --detach-policy-arn $SQS --inline-policy queue.json"
    " --remove-inline-policy theirs --permissions-boundary $S3 --tags team=b --remove-tag env"
    " --description another --max-session-duration 7200 --label team=b --annotation example.com/note-"
    " --audience vault --associate-oidc --token-expiration 900"
)
"""One of each; `queue.json` has to be another one than before."""
EVERYTHING_CHANGED = """
    - $role attached AmazonSQSReadOnlyAccess
    + $role attached AmazonSNSReadOnlyAccess
    - $role inline queue {"Effect":"Allow","Action":"sqs:*","Resource":"*"}
    + $role inline queue {"Effect":"Allow","Action":"sns:*","Resource":"*"}
    - $role inline theirs {"Effect":"Allow","Action":"sns:*","Resource":"*"}
    - $role boundary AdministratorAccess
    + $role boundary AmazonS3ReadOnlyAccess
    - $role tags team a
    + $role tags team b
    - $role tags env test
    - $role description what it is
    + $role description another
    - $role max_session_duration 3600
    + $role max_session_duration 7200
    - $role trusts $ns/app for sts.amazonaws.com
    + $role trusts $ns/app for vault
    - $sa labels team a
    + $sa labels team b
    - $sa annotations example.com/note hello
    + $sa annotations eks.amazonaws.com/audience vault
    + $sa annotations eks.amazonaws.com/token-expiration 900
    + $sa annotations irsa/audience vault
    + $sa annotations irsa/token-expiration 900
    + provider $issuer audiences vault
"""
"""What it changes; `$issuer` is the last part of the provider's name."""
