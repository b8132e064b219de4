"""The verdict: is the identity that this container gets the expected one, why, and who has to do something.

Three answers: yes, no, and unknown, with the service that was not reached. The calls are in
`irsa_cli.preflight.calls`, the order of an SDK's sources in `irsa_cli.preflight.sources`.
"""

from __future__ import annotations

import base64
import json
import os
import re
import time
from dataclasses import dataclass, field
from typing import Any, Mapping

from irsa_cli.preflight import sources
from irsa_cli.preflight.calls import Credentials, Failed, Sender

EXPECTED, WRONG, UNKNOWN = "expected", "wrong", "unknown"
EXIT_CODES: Mapping[str, int] = {EXPECTED: 0, WRONG: 5, UNKNOWN: 1}
ROLE_ARN, TOKEN_FILE = "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"
LARGEST_TOKEN = 1 << 16
RENEW = "cluster administrator: restart the pod; if it happens again, check the node's clock and kubelet"


@dataclass(eq=False)
class Conclusion(Exception):
    """The answer: one sentence, its cause, who has to do something, the evidence, and what was not reached.

    It is raised if it is known before the end. `may_pass`: asked again, the answer may be another one.
    """

    verdict: str
    sentence: str
    cause: str
    do: list[str] = field(default_factory=list)
    evidence: dict[str, Any] = field(default_factory=dict)
    not_reached: list[str] = field(default_factory=list)
    may_pass: bool = False

    @property
    def exit_code(self) -> int:
        """0 for the expected identity, 5 for a wrong one or none, 1 for unknown."""
        return EXIT_CODES[self.verdict]


def _wrong(sentence: str, cause: str, *do: str, may_pass: bool = False) -> Conclusion:
    return Conclusion(WRONG, sentence, cause, list(do), may_pass=may_pass)


def _unknown(sentence: str, failed: Failed, do: str = "") -> Conclusion:
    steps = [do or failed.do] if do or failed.do else []
    return Conclusion(
        UNKNOWN, sentence, str(failed), steps, not_reached=[failed.what], may_pass=failed.passing
    )


def judge(
    env: Mapping[str, str], sender: Sender, *, role: str = "", account: str = "", sdk: str = ""
) -> Conclusion:
    """The verdict for this environment; expected role (ARN or name), account and SDK, '' for any."""
    choices = [sources.choose(env, name) for name in ([sdk] if sdk else sources.ORDERS)]
    evidence: dict[str, Any] = {"sts": sender.sts, "region": sender.region or None}
    evidence["source"] = {choice.sdk: choice.source for choice in choices}
    try:
        choice = _agreed(choices)
        if choice.ignored:
            evidence["ignored"] = choice.ignored
        arn = _identity(env, sender, choice, evidence)
        evidence["identity"] = arn
        expected = role or (env.get(ROLE_ARN, "") if choice.source != sources.CONTAINER else "")
        report = _compared(choice, arn, expected, account)
    except Conclusion as known:
        report = known
    report.evidence = {**evidence, **report.evidence}
    return report


def _agreed(choices: list[sources.Choice]) -> sources.Choice:
    """The source that all of these SDKs take."""
    taken: dict[str, list[str]] = {}
    for choice in choices:
        taken.setdefault(choice.broken or choice.source, []).append(choice.sdk)
    if len(taken) > 1:
        shown = "; ".join(f"{', '.join(sdks)}: {source}" for source, sdks in taken.items())
        cause = f"SDKs look at the sources in different orders: {shown}"
        do = ["owner of the application: name its SDK here (--sdk NAME)"]
        raise Conclusion(UNKNOWN, "Which identity this pod gets depends on its SDK.", cause, do)
    if choices[0].broken:
        step = "owner of the pod template: correct that variable"
        raise _wrong("The SDK stops before it has credentials.", choices[0].broken, step)
    return choices[0]


def _identity(
    env: Mapping[str, str], sender: Sender, choice: sources.Choice, evidence: dict[str, Any]
) -> str:
    """The ARN of the credentials that the SDK gets."""
    settings = choice.profile.settings
    role, path = choice.role, choice.token_file
    if choice.source in (sources.ROLE_PROFILE, sources.PROFILE):
        evidence["profile"] = {"name": choice.profile.name, "file": choice.profile.file}
        role, path = settings.get("role_arn", ""), settings.get("web_identity_token_file", "")
    if choice.source == sources.WEB or (path and "profile" in evidence):
        token = _token(path, role, evidence)
        try:
            return sender.exchange(role, token)
        except Failed as failed:
            raise _refused(failed, role, evidence["token"]) from None
    credentials = _credentials(env, sender, choice, evidence)
    try:
        return sender.identity(credentials)
    except Failed as failed:
        if failed.passing or not failed.code:
            raise _unknown("There are credentials, and whose they are is unknown.", failed) from None
        why = f"STS refuses the credentials of the source '{choice.source}': {failed.why}"
        do = "owner of the pod template: remove or renew them"
        raise _wrong("The pod has credentials that AWS refuses.", why, do) from None


def _credentials(
    env: Mapping[str, str], sender: Sender, choice: sources.Choice, evidence: dict[str, Any]
) -> Credentials:
    """The credentials that the SDK gets without a web identity."""
    given = env if choice.source == sources.KEYS else choice.profile.settings
    names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
    key, secret, token = (given.get(name.upper() if given is env else name, "") for name in names)
    if choice.source == sources.CONTAINER:
        return _from_agent(env, sender)
    if choice.source == sources.INSTANCE:
        raise _no_identity(env, sender, evidence, choice.profile)
    if choice.source == sources.ROLE_PROFILE or not secret:
        cause = f"the profile {choice.profile.name} of {choice.profile.file} has {', '.join(given)}"
        sentence = "The SDK gets its credentials from a profile that only the SDK itself can use."
        do = ["owner of the application: run aws sts get-sender-identity in this pod"]
        raise Conclusion(UNKNOWN, sentence, cause, do)
    return Credentials(key, secret, token)


def _token(path: str, role: str, evidence: dict[str, Any]) -> str:
    """The token of the file, if it may be sent to STS; its claims are shown, and never the token."""
    evidence["tokenFile"] = path
    nothing = "The pod gets no identity of its own: its token can't be used."
    template = "owner of the pod template:"
    if not role:
        cause = f"{TOKEN_FILE} is set and {ROLE_ARN} is not"
        raise _wrong(nothing, cause, f"{template} remove the variable, so that EKS's webhook sets both")
    try:
        with open(path, encoding="utf-8") as file:
            token = file.read(LARGEST_TOKEN).strip()
    except FileNotFoundError:
        cause = f"{TOKEN_FILE} is {path}, which does not exist: the volume is not mounted in this container"
        do = f"{template} remove the AWS_ variables, so that EKS's webhook sets them and mounts the token"
        raise _wrong(nothing, cause, do) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        cause = f"{path} is not readable by uid {os.getuid()}: {reason}"
        raise _wrong(nothing, cause, f"{template} set securityContext.fsGroup of the pod") from None
    claims = _claims(token)
    if claims is None:
        do = f"{template} mount a projected ServiceAccount token there"
        raise _wrong(nothing, f"{path} holds no JWT, so it is not a ServiceAccount token", do)
    now = time.time()
    expires, age = _seconds(claims, "exp", now), _seconds(claims, "iat", now)
    shown = {key: claims.get(key) for key in ("iss", "sub", "aud")}
    evidence["token"] = {**shown, "expiresIn": expires, "age": None if age is None else -age}
    if expires is not None and expires <= 0:
        cause = f"{path} expired {-expires} s ago: the kubelet does not renew the token, or a clock is wrong"
        raise _wrong(nothing, cause, RENEW, may_pass=True)
    return token


def _seconds(claims: Mapping[str, Any], key: str, now: float) -> int | None:
    """The seconds from now to the moment of a claim."""
    value = claims.get(key)
    return int(value - now) if isinstance(value, (int, float)) else None


def _claims(token: str) -> dict[str, Any] | None:
    """The claims of a JWT (RFC 7519), without checking its signature; None if it is none."""
    parts = token.split(".")
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (IndexError, ValueError):
        return None
    return found if isinstance(found, dict) and len(parts) == 3 else None


def _refused(failed: Failed, role: str, token: Mapping[str, Any]) -> Conclusion:
    """Why STS returned no credentials for the token."""
    issuer, subject, audience = token["iss"], token["sub"], token["aud"]
    account = _role_of(role)[0] or "of the role"
    named = re.fullmatch(r"system:serviceaccount:([a-z0-9.-]+):([a-z0-9.-]+)", str(subject))
    verify = f"irsa verify {named[2]} -n {named[1]} -c CLUSTER" if named else "compare the trust policy"
    causes = {
        "AccessDenied": (
            f"no such role, or its trust policy does not allow {subject} with the audience {audience}",
            f"AWS administrator: {verify}",
        ),
        "InvalidIdentityToken": (
            f"account {account} has no OIDC provider for {issuer} and the audience {audience} ({failed.why})",
            "AWS administrator: irsa associate-oidc -c CLUSTER",
        ),
        "ExpiredTokenException": (failed.why, RENEW),
        "RegionDisabledException": (failed.why, "AWS administrator: enable STS in this region"),
        "ValidationError": (
            failed.why,
            "cluster administrator: correct the ServiceAccount's annotation eks.amazonaws.com/role-arn",
        ),
    }
    if failed.code not in causes:
        return _unknown("Whether this pod can assume its role is unknown.", failed)
    cause, do = causes[failed.code]
    return _wrong(f"STS does not allow this pod to assume the role {role}.", cause, do, may_pass=True)


def _from_agent(env: Mapping[str, str], sender: Sender) -> Credentials:
    sentence = "The pod gets no credentials from EKS Pod Identity."
    try:
        return sender.container()
    except Failed as failed:
        administrator = "cluster administrator: aws eks"
        if failed.code.startswith("HTTP 4"):
            do = f"{administrator} list-pod-identity-associations --cluster-name CLUSTER"
            raise _wrong(sentence, failed.why, do, may_pass=True) from None
        if not failed.passing:
            raise _wrong(sentence, failed.why, failed.do) from None
        do = f"{administrator} create-addon --addon-name eks-pod-identity-agent --cluster-name CLUSTER"
        if any(env.get(name) for name in ("HTTP_PROXY", "http_proxy")):
            do = "owner of the pod template: add 169.254.170.23 and fd00:ec2::23 to NO_PROXY"
        raise _unknown(sentence, failed, do) from None


def _no_identity(
    env: Mapping[str, str], sender: Sender, evidence: dict[str, Any], profile: sources.Profile
) -> Conclusion:
    """Why the SDK finds no source of the pod's own, and what it uses instead: the node's role, or nothing."""
    variables = [name for name in (ROLE_ARN, TOKEN_FILE) if env.get(name)]
    cause = "neither the variables of IRSA nor those of EKS Pod Identity are set in this container"
    do = [
        "if the ServiceAccount has no role, AWS administrator: irsa create-sa NAME -n NAMESPACE -c CLUSTER",
        "if it has one, owner of the pod: restart it, because only new pods get the variables",
    ]
    if variables:
        cause = f"only {variables[0]} is set, and the SDK needs both {ROLE_ARN} and {TOKEN_FILE}"
        do = [f"owner of the pod template: remove {variables[0]}, so that EKS's webhook sets both"]
    if profile.unreadable:
        cause += f"; {profile.unreadable}"
    try:
        role = sender.instance_role()
    except Failed as failed:
        role, evidence["instanceRole"] = "", failed.why
    if not role:
        return _wrong("The pod has no AWS identity.", cause, *do)
    evidence["instanceRole"] = role
    return _wrong(f"The pod would use the node's role {role}, and no role of its own.", cause, *do)


def _compared(choice: sources.Choice, arn: str, expected: str, expected_account: str) -> Conclusion:
    """Whether the identity is the expected one: the role's name and the account, as far as they are given."""
    account, role = _role_of(arn)
    cause = f"the SDK's first source is {choice.source}"
    names = [("role", expected.rsplit("/", 1)[-1], role)]
    names += [("account", value, account) for value in (expected_account, _role_of(expected)[0])]
    other = [
        f"{what} {there or 'none'} instead of {value}"
        for what, value, there in names
        if value not in ("", there)
    ]
    if other:
        do = "owner of the pod template: remove this source, or correct what you expect"
        if choice.source in (sources.WEB, sources.CONTAINER):
            do = "AWS administrator: correct the ServiceAccount's role, then restart the pod"
        return Conclusion(WRONG, f"The pod has another identity: {' and '.join(other)}.", cause, [do])
    if not expected and choice.source in (sources.KEYS, sources.PROFILE):
        do = "owner of the pod template: remove the keys, or name their role (--expect-role ROLE)"
        return Conclusion(WRONG, "The pod uses keys, and no role of its own.", cause, [do])
    return Conclusion(EXPECTED, f"The pod is {arn}.", cause)


def _role_of(arn: str) -> tuple[str, str]:
    """The account of an ARN, '' for none, and the role of a caller's ARN, '' for a user."""
    parts = arn.split(":", 5)
    if len(parts) < 6:
        return "", ""
    kind, _, rest = parts[5].partition("/")
    return parts[4], rest.split("/")[0] if kind == "assumed-role" else ""
