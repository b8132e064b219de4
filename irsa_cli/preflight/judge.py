"""The verdict: is the identity that this container gets the expected one, why, and who has to do what.

Three answers: yes, no, and unknown, which says what was not reached. How calls are made is in
`irsa_cli.preflight.calls`, which source an SDK takes in `irsa_cli.preflight.sources`.
"""

from __future__ import annotations

import base64
import json
import os
import re
import time
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Tuple

from irsa_cli.preflight import sources
from irsa_cli.preflight.calls import Caller, Credentials, Failed, session_name

EXPECTED, WRONG, UNKNOWN = "expected", "wrong", "unknown"
EXIT_CODES: Mapping[str, int] = {EXPECTED: 0, WRONG: 5, UNKNOWN: 1}
ROLE_ARN, TOKEN_FILE = "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"  # noqa: S105 - a name
LARGEST_TOKEN = 1 << 16


@dataclass
class Wanted:
    """What is expected: a role (ARN or name), an account, an SDK; '' for what is not said."""

    role: str = ""
    account: str = ""
    sdk: str = ""
    call: str = ""


@dataclass
class Report:
    """The answer: one sentence, its cause, what shows it, what to do, and what was not reached.

    `may_pass`: asked again, the answer may be another one.
    """

    verdict: str
    sentence: str
    cause: str = ""
    do: List[str] = field(default_factory=list)
    evidence: Dict[str, Any] = field(default_factory=dict)
    not_reached: List[str] = field(default_factory=list)
    may_pass: bool = False

    @property
    def exit_code(self) -> int:
        """0 for the expected identity, 5 for a wrong one or none, 1 for unknown."""
        return EXIT_CODES[self.verdict]


class _Decided(Exception):
    """The verdict is known before the end."""

    def __init__(self, report: Report) -> None:
        super().__init__(report.sentence)
        self.report = report


def _wrong(sentence: str, cause: str, *do: str, may_pass: bool = False) -> _Decided:
    return _Decided(Report(WRONG, sentence, cause, list(do), may_pass=may_pass))


def _unknown(sentence: str, failed: Failed, *do: str) -> _Decided:
    return _Decided(Report(UNKNOWN, sentence, str(failed), list(do), not_reached=[failed.what], may_pass=True))


def judge(env: Mapping[str, str], wanted: Wanted, caller: Caller) -> Report:
    """The verdict for this environment."""
    choices = [sources.choose(env, sdk) for sdk in ([wanted.sdk] if wanted.sdk else sources.ORDERS)]
    evidence: Dict[str, Any] = {"sts": caller.sts, "region": caller.region or None}
    try:
        report = _judge(env, wanted, caller, choices, evidence)
    except _Decided as decided:
        report = decided.report
    report.evidence = {**evidence, **report.evidence}
    return report


def _judge(
    env: Mapping[str, str],
    wanted: Wanted,
    caller: Caller,
    choices: List[sources.Choice],
    evidence: Dict[str, Any],
) -> Report:
    taken: Dict[str, List[str]] = {}
    for choice in choices:
        taken.setdefault(choice.broken or choice.source, []).append(choice.sdk)
    evidence["source"] = {choice.sdk: choice.source for choice in choices}
    if len(taken) > 1:
        said = "; ".join("%s: %s" % (", ".join(sdks), source) for source, sdks in taken.items())
        cause = "SDKs look at the sources in different orders: " + said
        return Report(UNKNOWN, "Which identity this pod gets depends on its SDK.", cause, ["name it: --sdk NAME"])
    choice = choices[0]
    if choice.broken:
        raise _wrong("The SDK stops before it has credentials.", choice.broken, "remove AWS_PROFILE from the pod")
    if choice.ignored:
        evidence["ignored"] = choice.ignored
    credentials, arn = _credentials(env, caller, choice, evidence)
    if not arn and credentials is not None:
        try:
            arn = caller.identity(credentials)
        except Failed as failed:
            if failed.passing:
                raise _unknown("There are credentials, and whose they are is unknown.", failed) from None
            why = "STS refuses the credentials of the source: %s" % failed.why
            raise _wrong("The pod has credentials that AWS refuses.", why) from None
    evidence["identity"] = arn
    return _compared(env, wanted, choice, arn)


def _credentials(
    env: Mapping[str, str], caller: Caller, choice: sources.Choice, evidence: Dict[str, Any]
) -> Tuple[Optional[Credentials], str]:
    """The credentials that the SDK gets, and the ARN that they are for, '' if that has to be asked."""
    profile = choice.profile
    settings = profile.settings
    if choice.source == sources.KEYS:
        token = env.get("AWS_SESSION_TOKEN", "")
        return Credentials(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], token), ""
    if choice.source == sources.WEB:
        return _exchange(env.get(ROLE_ARN, ""), env[TOKEN_FILE], env, caller, evidence)
    if choice.source in (sources.ROLE_PROFILE, sources.PROFILE):
        evidence["profile"] = {"name": profile.name, "file": profile.file}
        if "web_identity_token_file" in settings:
            role = settings.get("role_arn", "")
            return _exchange(role, settings["web_identity_token_file"], env, caller, evidence)
        if choice.source == sources.PROFILE and "aws_secret_access_key" in settings:
            key, token = settings["aws_access_key_id"], settings.get("aws_session_token", "")
            return Credentials(key, settings["aws_secret_access_key"], token), ""
        cause = "the profile %s of %s %s" % (profile.name, profile.file, profile.kind)
        sentence = "The SDK takes its credentials from a profile, which only the SDK itself can do."
        raise _Decided(Report(UNKNOWN, sentence, cause, ["--call 'sts get-caller-identity' lets boto3 do it"]))
    if choice.source == sources.CONTAINER:
        return _from_agent(env, caller), ""
    raise _no_identity(env, caller, evidence, profile)


def _exchange(
    role: str, path: str, env: Mapping[str, str], caller: Caller, evidence: Dict[str, Any]
) -> Tuple[Credentials, str]:
    token = _token(path, role, evidence)
    try:
        return caller.exchange(role, token, session_name(env))
    except Failed as failed:
        raise _refused(failed, role, evidence) from None


def _token(path: str, role: str, evidence: Dict[str, Any]) -> str:
    """The token of the file, if it may be sent to STS; its claims are shown, and never the token."""
    evidence["tokenFile"] = path
    nothing = "The pod gets no identity of its own: its token can't be used."
    if not role:
        cause = "%s is set and %s is not" % (TOKEN_FILE, ROLE_ARN)
        raise _wrong(nothing, cause, "remove the variable that the pod's template sets, and restart the pod")
    try:
        with open(path, encoding="utf-8") as file:
            token = file.read(LARGEST_TOKEN).strip()
    except FileNotFoundError:
        cause = "%s names %s, which does not exist: the volume is not mounted in this container" % (TOKEN_FILE, path)
        do = "let the webhook add it: remove the variables from the pod's template, and restart the pod"
        raise _wrong(nothing, cause, do) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        cause = "%s is not readable by uid %d: %s" % (path, os.getuid(), reason)
        raise _wrong(nothing, cause, "set securityContext.fsGroup in the pod's template") from None
    claims = _claims(token)
    if claims is None:
        raise _wrong(nothing, "%s holds no JWT" % path, "mount a projected ServiceAccount token there")
    now = time.time()
    named = {key: claims.get(key) for key in ("iss", "sub", "aud")}
    evidence["token"] = {**named, "expiresIn": _seconds(claims, "exp", -now), "age": _seconds(claims, "iat", now, -1)}
    left = evidence["token"]["expiresIn"]
    if left is not None and left <= 0:
        cause = "the token in %s expired %d s ago: kubelet does not renew it, or a clock is wrong" % (path, -left)
        raise _wrong(nothing, cause, "restart the pod", may_pass=True)
    return token


def _seconds(claims: Mapping[str, Any], key: str, add: float, sign: int = 1) -> Optional[int]:
    value = claims.get(key)
    return int(sign * value + add) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _claims(token: str) -> Optional[Dict[str, Any]]:
    """The claims of a JWT (RFC 7519), without looking at its signature; None if it is none."""
    parts = token.split(".")
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (IndexError, ValueError):
        return None
    return found if isinstance(found, dict) and len(parts) == 3 else None


def _refused(failed: Failed, role: str, evidence: Mapping[str, Any]) -> _Decided:
    """Why STS gave no credentials for the token."""
    token = evidence["token"]
    account = role.split(":")[4] if role.count(":") >= 5 else "of the role"
    nothing = "STS does not give this pod the role %s." % role
    if failed.code == "AccessDenied":
        cause = "the trust policy does not allow %s with the audience %s, or there is no such role" % (
            token["sub"], token["aud"],
        )  # fmt: skip
        return _wrong(nothing, cause, *_irsa("verify", token), may_pass=True)
    if failed.code == "InvalidIdentityToken":
        cause = "account %s has no OIDC provider for %s, or it does not accept the audience %s" % (
            account, token["iss"], token["aud"],
        )  # fmt: skip
        return _wrong(nothing, "%s (%s)" % (cause, failed.why), "irsa associate-oidc -c CLUSTER", may_pass=True)
    if failed.code == "ExpiredTokenException":
        return _wrong(nothing, "STS says that the token expired: %s" % failed.why, "restart the pod", may_pass=True)
    if failed.code == "RegionDisabledException" or failed.code == "ValidationError":
        return _wrong(nothing, failed.why, "correct the annotation eks.amazonaws.com/role-arn or the region")
    return _unknown("Whether STS gives this pod its role is unknown.", failed, *_network(failed))


def _irsa(command: str, token: Mapping[str, Any]) -> List[str]:
    found = re.fullmatch(r"system:serviceaccount:([a-z0-9.-]+):([a-z0-9.-]+)", str(token["sub"]))
    return ["irsa %s %s -n %s -c CLUSTER" % (command, found[2], found[1])] if found else []


def _network(failed: Failed) -> List[str]:
    if failed.code:
        return []
    return ["allow the pod to reach it: NetworkPolicy, VPC endpoint, HTTPS_PROXY and NO_PROXY, AWS_CA_BUNDLE"]


def _from_agent(env: Mapping[str, str], caller: Caller) -> Credentials:
    try:
        return caller.container()
    except Failed as failed:
        do = ["add the agent: aws eks create-addon --addon-name eks-pod-identity-agent --cluster-name CLUSTER"]
        if any(env.get(name) for name in ("HTTP_PROXY", "http_proxy")):
            do.insert(0, "add 169.254.170.23 and fd00:ec2::23 to NO_PROXY")
        sentence = "The pod gets no credentials from EKS Pod Identity."
        if failed.code.startswith("HTTP 4") or "token file" in failed.why:
            do = ["aws eks list-pod-identity-associations --cluster-name CLUSTER"]
            raise _wrong(sentence, failed.why, *do, may_pass=True) from None
        raise _unknown(sentence, failed, *do) from None


def _no_identity(
    env: Mapping[str, str], caller: Caller, evidence: Dict[str, Any], profile: sources.Profile
) -> _Decided:
    """Why the SDK finds no source of the pod's own, and what it takes instead: the node's role, or nothing."""
    missing = [name for name in (ROLE_ARN, TOKEN_FILE) if not env.get(name)]
    if len(missing) == 1:
        cause = "%s is not set, and the SDK needs both variables" % missing[0]
    else:
        cause = "neither the variables of IRSA nor those of EKS Pod Identity are set in this container"
    if profile.unreadable:
        cause += "; %s" % profile.unreadable
    do = [
        "annotate the ServiceAccount, or create its role: irsa create-sa NAME -n NAMESPACE -c CLUSTER",
        "then restart the pod: only new pods get the variables",
    ]
    if env.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        evidence["instanceRole"] = "not asked: AWS_EC2_METADATA_DISABLED"
        return _wrong("The pod has no AWS identity.", cause, *do)
    try:
        role = caller.instance_role()
    except Failed as failed:
        evidence["instanceRole"] = str(failed)
        sentence = "The pod has no AWS identity: it can't reach the node's either."
        report = _wrong(sentence, cause + "; IMDS does not answer pods (hop limit 1, or blocked)", *do)
        report.report.not_reached.append("IMDS")
        return report
    evidence["instanceRole"] = role or None
    sentence = "The pod would use the node's role %s, and no role of its own." % role
    return _wrong(sentence if role else "The pod has no AWS identity.", cause, *do)


def _compared(env: Mapping[str, str], wanted: Wanted, choice: sources.Choice, arn: str) -> Report:
    """Whether the identity is the expected one: the role's name and the account, as far as they are said."""
    account, role = _role_of(arn)
    expected = wanted.role or (env.get(ROLE_ARN, "") if choice.source != sources.CONTAINER else "")
    names = [("role", _name(expected), role)] if expected else []
    accounts = [wanted.account, expected.split(":")[4] if expected.count(":") >= 5 else ""]
    names += [("account", value, account) for value in accounts if value]
    other = ["%s %s instead of %s" % (what, there or "none", value) for what, value, there in names if value != there]
    if other:
        cause = "the SDK takes %s: %s" % (choice.source, arn)
        do = ["remove it from the pod, so that the SDK takes the pod's own identity"]
        return Report(WRONG, "The pod has another identity: %s." % " and ".join(other), cause, do)
    if not expected and choice.source in (sources.KEYS, sources.PROFILE):
        cause = "the SDK takes %s: %s" % (choice.source, arn)
        return Report(WRONG, "The pod uses keys, and no role of its own.", cause, ["name it: --expect-role ROLE"])
    return Report(EXPECTED, "The pod is %s." % arn, "by %s" % choice.source)


def _name(role: str) -> str:
    return role.rsplit("/", 1)[-1]


def _role_of(arn: str) -> Tuple[str, str]:
    """The account and the name of the role, '' for a user, of the ARN of a caller."""
    parts = arn.split(":", 5)
    if len(parts) < 6:
        return "", ""
    kind, _, rest = parts[5].partition("/")
    return parts[4], rest.split("/")[0] if kind == "assumed-role" else ""
