"""IAM's SimulatePrincipalPolicy for roles: what their policies and boundary say to some actions.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
Users, groups, further policies in the call and resource policies are not served.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from irsa_cli.sandbox.aws.answer import no_such_entity, xml_result
from irsa_cli.sandbox.aws.callers import powers_of
from irsa_cli.sandbox.conditions import Context, like, listed
from irsa_cli.sandbox.enforce import Act, Powers, verdict

if TYPE_CHECKING:
    from irsa_cli.sandbox.aws.iam.account import Account
    from irsa_cli.sandbox.aws.request import AwsRequest
    from irsa_cli.sandbox.model import Answer


def simulate_principal_policy(account: Account, request: AwsRequest) -> Answer:
    """Each action with each resource."""
    arn = request.params.get("PolicySourceArn", "")
    role = next((role for role in account.iam.roles.values() if role.arn == arn), None)
    if role is None:
        raise no_such_entity(f"The policy source {arn} cannot be found.")
    powers, context = powers_of(account.iam, role), _context(request)
    resources = request.members("ResourceArns")
    acts = [
        Act(action, resource, context)
        for action in request.members("ActionNames")
        for resource in resources or ["*"]
    ]
    results = [_result(powers, act, specific=bool(resources)) for act in acts]
    return xml_result("iam", "SimulatePrincipalPolicy", {"EvaluationResults": results, "IsTruncated": False})


def _context(request: AwsRequest) -> Context:
    found: dict[str, list[str]] = {}
    number = 1
    while f"ContextEntries.member.{number}.ContextKeyName" in request.params:
        base = f"ContextEntries.member.{number}"
        name = request.params[f"{base}.ContextKeyName"].lower()
        found[name] = request.members(f"{base}.ContextKeyValues")
        number += 1
    return found


def _result(powers: Powers, act: Act, *, specific: bool) -> dict[str, Any]:
    """The decision; of a resource that was named it is told once more, with the keys without values.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_ResourceSpecificResult.html
    """
    layers = [powers.identity, *([[powers.boundary]] if powers.boundary is not None else [])]
    verdicts = {verdict(layer, act) for layer in layers}
    decision = "explicitDeny" if "deny" in verdicts else "implicitDeny" if "silent" in verdicts else "allowed"
    missing = sorted(_missing(layers, act))
    one = {
        "EvalResourceName": act.resource,
        "EvalResourceDecision": decision,
        "MissingContextValues": missing,
    }
    return {
        "EvalActionName": act.action,
        "EvalResourceName": act.resource,
        "EvalDecision": decision,
        "MatchedStatements": [],
        "MissingContextValues": [] if specific else missing,
        "ResourceSpecificResults": [one] if specific else [],
    }


def _missing(layers: list[Any], act: Act) -> set[str]:
    """Condition keys of statements about the action for which the call gave no value."""
    statements = [s for layer in layers for document in layer for s in listed(document.get("Statement", []))]
    about = [
        s
        for s in statements
        if any(like(a, act.action, ignore_case=True) for a in listed(s.get("Action", [])))
    ]
    keys = {key for s in about for block in s.get("Condition", {}).values() for key in block}
    return {key for key in keys if key.lower() not in act.context}
