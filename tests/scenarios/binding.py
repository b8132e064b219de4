"""A working binding made without irsa: provider, role and ServiceAccount, as by somebody else."""

from tests.scenarios.foreign import admitting, issuer_of, make_role
from tests.support.stage import READ_ONLY, ROLE_ARN, Stage


def make_binding(stage: Stage, namespace: str, name: str = "reader") -> str:
    """Make the ServiceAccount with a role that may read S3; returns the role's ARN."""
    iam, url = stage.iam(), f"https://{issuer_of(stage)}"
    provider = iam.create_open_id_connect_provider(Url=url, ClientIDList=["sts.amazonaws.com"])
    statement = admitting(stage, f"system:serviceaccount:{namespace}:{name}")
    statement["Principal"] = {"Federated": provider["OpenIDConnectProviderArn"]}
    role = f"{namespace}-{name}"
    arn = make_role(stage, role, statement, path="/own/")
    iam.attach_role_policy(RoleName=role, PolicyArn=READ_ONLY.replace("aws", arn.split(":")[1], 1))
    stage.make_account(namespace, name, annotations={ROLE_ARN: arn})
    return arn
