"""Who still manages what irsa takes over, what comes of that, and how it is made to let go; in words.

Who made it, is told by `irsa_cli.core.marks.makers`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from irsa_cli.core.marks import makers
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION

_UNDOES = "takes away what irsa has changed, these tags included"
_ROLES: Mapping[str, str] = {
    makers.EKSCTL: "the role still belongs to its CloudFormation stack: whoever deletes that (eksctl delete"
    " iamserviceaccount, or eksctl delete cluster) deletes the role, too",
    makers.CLOUDFORMATION: "the role still belongs to its CloudFormation stack: whoever deletes or updates"
    " that changes the role, too",
    makers.CDK: "the role still belongs to CDK's CloudFormation stack: whoever deploys or destroys that"
    " changes or deletes the role, too",
    makers.TERRAFORM: f"Terraform still manages the role: its next apply {_UNDOES} (take it out of the state:"
    " terraform state rm ADDRESS)",
    makers.PULUMI: f"Pulumi still manages the role: its next up {_UNDOES} (take it out of the state: pulumi"
    " state delete URN)",
    # https://docs.crossplane.io/latest/managed-resources/managed-resources/
    makers.CROSSPLANE: "Crossplane's controller still manages the role: its next reconciliation writes it"
    f" again, and {_UNDOES} (make it let go first: managementPolicies Observe, or deletionPolicy Orphan, then"
    " delete its object in Kubernetes)",
    # https://aws-controllers-k8s.github.io/community/docs/user-docs/deletion-policy/
    makers.ACK: "ACK's controller still manages the role: its next reconciliation writes it again, and"
    f" {_UNDOES} (make it let go first: annotation services.k8s.aws/deletion-policy retain, then delete its"
    " object in Kubernetes)",
    makers.KOPS: f"kOps still manages the role: kops update cluster {_UNDOES}, and kops delete cluster"
    " deletes it",
    makers.ROSA: "rosa still manages the role: rosa upgrade and rosa delete change or delete it",
    makers.CCOCTL: "ccoctl still manages the role: ccoctl aws delete deletes it, too",
}


def role(maker: str) -> Iterator[str]:
    """What its maker will do to a role that irsa has taken over; nothing where that isn't known."""
    when = makers.writes_again(maker)
    if maker in _ROLES:
        yield _ROLES[maker]
    elif when:
        yield f"{maker} still manages the role: {when} {_UNDOES}"


def account(name: str, maker: str) -> Iterator[str]:
    """What its maker will do to a ServiceAccount, named `namespace/name`."""
    when = makers.writes_again(maker)
    if when:
        yield (
            f"ServiceAccount {name} is managed by {maker}: {when} writes it again, and may undo what irsa"
            " changes there"
        )


def annotated(name: str, maker: str, role_arn: str) -> Iterator[str]:
    """What its maker will do to a ServiceAccount's annotation, and what is to be put where it keeps that.

    The last part is YAML on one line, to be pasted. Charts have `serviceAccount.annotations` in their values
    by convention (https://helm.sh/docs/chart_best_practices/rbac); other tools write manifests.
    """
    when = makers.writes_again(maker)
    if not when or maker == makers.EKSCTL:
        return
    where, key = ("values", "serviceAccount") if maker == makers.HELM else ("manifest", "metadata")
    yaml = f'{key}: {{annotations: {{{ROLE_ARN_ANNOTATION}: "{role_arn}"}}}}'
    yield (
        f"ServiceAccount {name} is managed by {maker}: {when} may drop the annotation;"
        f" put into its {where}: {yaml}"
    )
