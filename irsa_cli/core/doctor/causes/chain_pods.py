"""Causes in pods that should go on to a target role and stay with the role of their ServiceAccount.

Whether they may go on to it is judged in `irsa_cli.core.doctor.causes.chain`.
"""

from __future__ import annotations

from irsa_cli.core.doctor.clues.chain_profile import config_map_of, leaves_the_token_to_it, takes_profile
from irsa_cli.core.doctor.facts import Facts
from irsa_cli.core.doctor.finding import Group, Judgement, cause, hint, ok, suspect
from irsa_cli.core.doctor.subjects import pod_names, users_of, where
from irsa_cli.core.objects.unreadable import have

_SDK = "https://docs.aws.amazon.com/sdkref/latest/guide"


@cause(
    "chain-pod",
    Group.PODS,
    46,
    title="The pods stay with the ServiceAccount's role, and do not go on to the target role.",
    symptom="AccessDenied for the role in the cluster's account, where the target role was expected",
    looks_at="AWS_CONFIG_FILE, AWS_PROFILE, AWS_WEB_IDENTITY_TOKEN_FILE, mounts of the pods' containers",
    remedy="Mount the ConfigMap, set AWS_CONFIG_FILE to its file and AWS_PROFILE to 'target'. The SDKs for"
    " Go, Java, .NET and PHP also need AWS_WEB_IDENTITY_TOKEN_FILE set to nothing: they take a token before a"
    " profile.",
    source=f"{_SDK}/standardized-credentials.html",
)
def _pods(facts: Facts) -> Judgement:
    have(facts.named.account)
    name = config_map_of(facts.named)
    if not name:
        return ok("irsa has written no AWS configuration for it")
    pods = users_of(facts.named)
    going = [(pod, item) for pod in pods for item in pod.containers if takes_profile(facts, pod, item)]
    staying = [pod for pod in pods if pod not in [other for other, _ in going]]
    if staying:
        return suspect(
            "no container takes the profile of the ConfigMap; some programs assume the target themselves",
            pods=pod_names(staying),
            config_map=name,
        )
    by_token = [(pod, item) for pod, item in going if not leaves_the_token_to_it(item)]
    if by_token:
        text = "most SDKs go by the profile; those for Go, Java, .NET and PHP go by the token first"
        return hint(text, containers=where(by_token))
    return ok("the pods take the profile of the ConfigMap", config_map=name)
