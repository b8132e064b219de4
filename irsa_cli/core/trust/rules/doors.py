"""The write actions of services that can use a role: a rule, because the list of services is open.

Whoever passes a role to a service needs `iam:PassRole` and an action of that service. AWS does not publish
which actions take a role, so each one counts that neither only reads nor only ends something.
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

import re

_PRINCIPAL = re.compile(r"(?P<labels>[a-z0-9.-]+?)\.(?:amazonaws\.(?:com|eu)(?:\.cn)?|aws\.internal)")
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d+")

_PREFIXES = {
    "airflow-env": ("airflow",),
    "config-multiaccountsetup": ("config",),
    "dms-data-migrations": ("dms",),
    "ec2": (
        "ec2",
        "autoscaling",
        "batch",
        "cloud9",
        "datapipeline",
        "ecs",
        "eks",
        "elasticbeanstalk",
        "elasticmapreduce",
        "imagebuilder",
        "opsworks",
        "pcs",
    ),
    "ec2fleet": ("ec2",),
    "ec2scheduled": ("ec2",),
    "ecs-tasks": ("ecs", "batch"),
    "edgelambda": ("lambda", "cloudfront"),
    "eks-fargate": ("eks",),
    "eks-fargate-pods": ("eks",),
    "eks-nodegroup": ("eks",),
    "elasticmapreduce": ("elasticmapreduce", "datapipeline"),
    "keyspaces": ("cassandra",),
    "lambda": ("lambda", "synthetics"),
    "lexv2": ("lex",),
    "location": ("geo",),
    "macie": ("macie2",),
    "monitoring": ("cloudwatch",),
    "opensearchservice": ("es",),
    "osis-pipelines": ("osis",),
    "pinpoint": ("mobiletargeting",),
    "prometheus": ("aps",),
    "redshift": ("redshift", "redshift-serverless"),
    "spot": ("ec2",),
    "spotfleet": ("ec2",),
    "ssm": ("ssm", "config", "eks", "ssm-quicksetup"),
    "supplychain": ("scn",),
    "transitgateway": ("ec2",),
    "vmie": ("ec2",),
    "vpc-flow-logs": ("ec2",),
}
"""The prefixes of the actions that use the roles of a principal; for others, its last label is the prefix."""

_READS = (
    "batchcheck",
    "batchdescribe",
    "batchget",
    "batchlist",
    "check",
    "count",
    "decode",
    "describe",
    "detect",
    "discover",
    "estimate",
    "evaluate",
    "explain",
    "filter",
    "get",
    "head",
    "list",
    "lookup",
    "preview",
    "query",
    "read",
    "retrieve",
    "scan",
    "search",
    "select",
    "simulate",
    "test",
    "validate",
    "verify",
    "view",
)
_ENDS = (
    "abort",
    "acknowledge",
    "addtags",
    "batchdelete",
    "cancel",
    "createtags",
    "delete",
    "deregister",
    "detach",
    "disable",
    "disassociate",
    "pause",
    "purge",
    "reboot",
    "reject",
    "remove",
    "revoke",
    "stop",
    "suspend",
    "tag",
    "terminate",
    "unsubscribe",
    "untag",
)
_USES_A_ROLE = ("states:teststate",)
"""Actions that take a role although their verb reads."""


def prefixes_of(principal: str) -> tuple[str, ...]:
    """The prefixes of the actions that use roles which trust a service principal; none for other names."""
    match = _PRINCIPAL.fullmatch(principal.lower())
    if match is None:
        return ()
    labels = [label for label in match["labels"].split(".") if not _REGION.fullmatch(label)]
    if not labels:
        return ()
    return _PREFIXES.get(labels[-1], (labels[-1],))


def may_use_a_role(action: str) -> bool:
    """Whether an action, or one that matches a pattern of actions, might use a role."""
    name = action.lower()
    if name in _USES_A_ROLE:
        return True
    verb = re.split(r"[*?]", name.partition(":")[2], maxsplit=1)[0]
    return not verb.startswith((*_READS, *_ENDS))
