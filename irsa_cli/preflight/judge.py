"""The verdict: is the identity that this container gets the expected one, why, and who has to do something.

Three answers: yes, no, and unknown, with the service that was not reached. `irsa_cli.preflight.sdk` has the
calls, and the order of an SDK's sdk.
"""

from __future__ import annotations

import base64
import json
import os
import re
import time
from typing import Any, Mapping

from irsa_cli.preflight import sdk
from irsa_cli.preflight.files import NotRead, OversizedFile, read_text
from irsa_cli.preflight.sdk import ThisPod
from irsa_cli.preflight.shown import Secrets
from irsa_cli.preflight.wire import Credentials, Failed

EXPECTED = "expected"
WRONG = "wrong"
UNKNOWN = "unknown"
EXIT_CODES: Mapping[str, int] = {EXPECTED: 0, WRONG: 5, UNKNOWN: 1}
ROLE_ARN = "AWS_ROLE_ARN"
WEB_IDENTITY_FILE = "AWS_WEB_IDENTITY_TOKEN_FILE"
ROLE = re.compile(r"arn:[a-z-]{3,20}:iam::[0-9]{12}:role/[!-~]{1,600}")
LARGEST_TOKEN = 20_000
"""STS accepts no longer one.

https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
"""
TEMPLATE = "owner of the pod template:"
UNUSABLE = "The pod gets no identity of its own: its token can't be used."
MOUNT = f"{TEMPLATE} mount a projected ServiceAccount token there"
RENEW = "cluster administrator: restart the pod; if it happens again, check the node's clock and kubelet"


class Conclusion(Exception):
    """The answer: one sentence, its cause, and who has to do something; raised if it is known before the end.

    `may_pass`: asked again, the answer may be another one.
    """

    def __init__(self, verdict: str, sentence: str, cause: str, *do: str, may_pass: bool = False) -> None:
        super().__init__(sentence)
        self.verdict = verdict
        self.sentence = sentence
        self.cause = cause
        self.do = [*filter(None, do)]
        self.may_pass = may_pass
        self.evidence: dict[str, Any] = {"source": {}}
        self.not_reached: list[str] = []

    def cleaned(self, secrets: Secrets) -> Conclusion:
        """The same in texts that may be shown."""
        sentence, cause, *do = secrets.cleaned([self.sentence, self.cause, *self.do])
        cleaned_conclusion = Conclusion(self.verdict, sentence, cause, *do)
        cleaned_conclusion.evidence = secrets.cleaned(self.evidence)
        cleaned_conclusion.not_reached = secrets.cleaned(self.not_reached)
        return cleaned_conclusion


def _unknown(sentence: str, failed: Failed, do: str = "") -> Conclusion:
    conclusion = Conclusion(UNKNOWN, sentence, str(failed), do or failed.do, may_pass=failed.passing)
    conclusion.not_reached.append(failed.what)
    return conclusion


def judge(pod: ThisPod, role: str, account: str) -> Conclusion:
    """The verdict for a pod; expected role (ARN or name) and account, '' for any."""
    pod.evidence["source"] = {}
    try:
        choices = [sdk.choose(pod.env, name) for name in ([pod.sdk] if pod.sdk else sdk.ORDERS)]
        pod.evidence["source"] = {choice.sdk: choice.source for choice in choices}
        choice = _agreed(choices)
        if choice.ignored:
            pod.evidence["ignored"] = choice.ignored
        if pod.region and not sdk.REGION.fullmatch(pod.region):
            cause = f"'{pod.region}' is not the name of a region"
            do = f"{TEMPLATE} correct AWS_REGION"
            raise Conclusion(WRONG, "The SDK stops before it has credentials.", cause, do)
        arn = pod.evidence["identity"] = _identity(pod, choice)
        expected = role or (pod.env.get(ROLE_ARN, "") if choice.source != sdk.CONTAINER else "")
        conclusion = _compared(choice, arn, expected, account)
    except Conclusion as known:
        conclusion = known
    except NotRead as error:
        do = f"{TEMPLATE} put a regular file there"
        conclusion = Conclusion(UNKNOWN, "Which identity this pod gets is unknown.", str(error), do)
    conclusion.evidence = pod.evidence
    return conclusion


def _agreed(choices: list[sdk.Choice]) -> sdk.Choice:
    """The source that all of these SDKs take."""
    taken: dict[str, list[str]] = {}
    for choice in choices:
        web = f" with {choice.role or 'no role'}" if choice.source == sdk.WEB else ""
        taken.setdefault(choice.broken or choice.source + web, []).append(choice.sdk)
    if len(taken) > 1:
        shown = "; ".join(f"{', '.join(sdks)}: {source}" for source, sdks in taken.items())
        cause = f"SDKs look at the sources in different orders: {shown}"
        do = "owner of the application: name its SDK here (--sdk NAME)"
        raise Conclusion(UNKNOWN, "Which identity this pod gets depends on its SDK.", cause, do)
    if choices[0].broken:
        do = f"{TEMPLATE} correct that variable"
        raise Conclusion(WRONG, "The SDK stops before it has credentials.", choices[0].broken, do)
    return choices[0]


def _identity(pod: ThisPod, choice: sdk.Choice) -> str:
    """The ARN of the credentials that the SDK gets."""
    if choice.profile.source:
        pod.evidence["profile"] = {"name": choice.profile.name, "file": choice.profile.file}
    if choice.source == sdk.WEB:
        if not re.fullmatch(r"[A-Za-z0-9_+=,.@-]{2,64}", pod.session):
            sentence = "The pod gets no identity of its own: STS refuses the name of its session."
            cause = f"AWS_ROLE_SESSION_NAME is '{pod.session}'"
            raise Conclusion(WRONG, sentence, cause, f"{TEMPLATE} correct AWS_ROLE_SESSION_NAME")
        token = _token(choice.token_file, choice.role, pod)
        try:
            return pod.exchange(choice.role, token)
        except Failed as failed:
            raise _refused(failed, choice.role, pod.evidence["token"]) from None
    credentials = _credentials(pod, choice)
    pod.secrets.add_name(credentials[0])
    pod.secrets.add(credentials[1])
    pod.secrets.add(credentials[2])
    if not all(re.fullmatch("[ -~]*", text) for text in credentials):
        cause = f"the credentials of the source '{choice.source}' have a character that no request can have"
        do = f"{TEMPLATE} correct them"
        raise Conclusion(UNKNOWN, "Whether the SDK can use its credentials is unknown.", cause, do)
    try:
        return pod.identity(credentials)
    except Failed as failed:
        if failed.passing or not failed.code:
            raise _unknown("There are credentials, and whose they are is unknown.", failed) from None
        cause = f"STS refuses the credentials of the source '{choice.source}': {failed.why}"
        do = f"{TEMPLATE} remove or renew them"
        raise Conclusion(WRONG, "The pod has credentials that AWS refuses.", cause, do) from None


def _credentials(pod: ThisPod, choice: sdk.Choice) -> Credentials:
    """The credentials that the SDK gets without a web identity."""
    if choice.source == sdk.CONTAINER:
        return _from_agent(pod)
    if choice.source == sdk.INSTANCE:
        raise _no_identity(pod, choice.profile)
    settings = choice.profile.settings
    if choice.source == sdk.KEYS:
        settings = {name.lower(): value for name, value in pod.env.items()}
    if choice.source == sdk.ROLE_PROFILE or not settings.get("aws_secret_access_key"):
        cause = f"the profile {choice.profile.name} of {choice.profile.file} has {', '.join(settings)}"
        sentence = "The SDK gets its credentials from a profile that only the SDK itself can use."
        do = "owner of the application: run aws sts get-caller-identity in this pod"
        raise Conclusion(UNKNOWN, sentence, cause, do)
    keys = settings.get("aws_access_key_id", ""), settings["aws_secret_access_key"]
    return (*keys, settings.get("aws_session_token", ""))


def _token(path: str, role: str, pod: ThisPod) -> str:
    """The token of the file, if it may be sent to STS; its claims are shown, and never the token."""
    evidence = pod.evidence
    evidence["tokenFile"] = path
    if not role:
        cause = f"{WEB_IDENTITY_FILE} is set and {ROLE_ARN} is not"
        raise Conclusion(WRONG, UNUSABLE, cause, f"{TEMPLATE} remove it, so that EKS's webhook sets both")
    if not ROLE.fullmatch(role):
        cause = f"'{role}' is not the ARN of a role"
        do = "cluster administrator: correct the ServiceAccount's annotation eks.amazonaws.com/role-arn"
        raise Conclusion(WRONG, "The pod gets no identity of its own: its role is invalid.", cause, do)
    token = _read_token(path)
    claims = _claims(token)
    if claims is None:
        cause = f"{path} holds no JWT, so it is not a ServiceAccount token"
        raise Conclusion(WRONG, UNUSABLE, cause, MOUNT)
    pod.secrets.add(token)
    now = time.time()
    moments = {key: _moment(claims.get(key)) for key in ("exp", "iat")}
    seconds = {key: int(moment - now) for key, moment in moments.items() if moment is not None}
    evidence["token"] = {key: _claim(claims.get(key)) for key in ("iss", "sub", "aud")}
    evidence["token"].update(expiresIn=seconds.get("exp"), age=-seconds["iat"] if "iat" in seconds else None)
    if seconds.get("exp", 1) <= 0:
        cause = f"{path} expired {-seconds['exp']} s ago: the kubelet does not renew it, or a clock is wrong"
        raise Conclusion(WRONG, UNUSABLE, cause, RENEW, may_pass=True)
    return token


def _read_token(path: str) -> str:
    try:
        return read_text(path, LARGEST_TOKEN).strip()
    except (FileNotFoundError, NotADirectoryError):
        cause = f"{WEB_IDENTITY_FILE} is {path}, which does not exist"
        cause += ": the volume is not mounted in this container"
        do = f"{TEMPLATE} remove the AWS_ variables, so that EKS's webhook sets them and mounts the token"
        raise Conclusion(WRONG, UNUSABLE, cause, do) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        cause = f"{path} is not readable by uid {os.getuid()}: {reason}"
        do = MOUNT
        if isinstance(error, PermissionError):
            do = f"{TEMPLATE} set the pod's securityContext.fsGroup"
        raise Conclusion(WRONG, UNUSABLE, cause, do) from None
    except OversizedFile as error:
        cause = f"{error}, so it is not a ServiceAccount token"
        raise Conclusion(WRONG, UNUSABLE, cause, MOUNT) from None


def _claims(token: str) -> dict[str, Any] | None:
    """The claims of a JWT (RFC 7519), without checking its signature; None if it is none."""
    fields = token.split(".")
    try:
        claims = json.loads(base64.urlsafe_b64decode(fields[1] + "=" * (-len(fields[1]) % 4)))
    except (IndexError, RecursionError, ValueError):
        return None
    return claims if isinstance(claims, dict) and len(fields) == 3 else None


def _claim(value: object) -> str | list[str] | None:
    """A claim that is a text or a list of texts, None for any other."""
    if isinstance(value, list):
        return [text for text in value if isinstance(text, str)]
    return value if isinstance(value, str) else None


def _moment(value: object) -> float | None:
    """A claim that is a time, in seconds since 1970, None for any other."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if abs(value) < 1 << 40 else None


_SUBJECT = re.compile(r"system:serviceaccount:([a-z0-9][a-z0-9.-]*):([a-z0-9][a-z0-9.-]*)")


def _refused(failed: Failed, role: str, token: Mapping[str, Any]) -> Conclusion:
    """Why STS returned no credentials for the token."""
    issuer = token["iss"]
    subject = token["sub"]
    audience = token["aud"]
    account = _role_of(role)[0] or "of the role"
    verify = "compare the trust policy"
    account_name = _SUBJECT.fullmatch(str(subject))
    if account_name:
        verify = f"irsa verify {account_name[2]} -n {account_name[1]} -c CLUSTER"
    trust = f"no such role, or its trust policy does not allow {subject} with the audience {audience}"
    lost = f"account {account} has no OIDC provider for {issuer} and the audience {audience} ({failed.why})"
    annotation = "correct the ServiceAccount's annotation eks.amazonaws.com/role-arn"
    causes = {
        "AccessDenied": (trust, f"AWS administrator: {verify}"),
        "InvalidIdentityToken": (lost, "AWS administrator: irsa associate-oidc -c CLUSTER"),
        "ExpiredTokenException": (failed.why, RENEW),
        "RegionDisabledException": (failed.why, "AWS administrator: enable STS in this region"),
        "ValidationError": (failed.why, f"cluster administrator: {annotation}"),
    }
    if failed.code not in causes:
        return _unknown("Whether this pod can assume its role is unknown.", failed)
    cause, do = causes[failed.code]
    sentence = f"STS does not allow this pod to assume the role {role}."
    return Conclusion(WRONG, sentence, cause, do, may_pass=True)


def _from_agent(pod: ThisPod) -> Credentials:
    sentence = "The pod gets no credentials from EKS Pod Identity."
    try:
        return pod.container()
    except Failed as failed:
        administrator = "cluster administrator: aws eks"
        if failed.code.startswith("HTTP 4") and not failed.passing:
            do = f"{administrator} list-pod-identity-associations --cluster-name CLUSTER"
            raise Conclusion(WRONG, sentence, failed.why, do, may_pass=True) from None
        if not failed.passing:
            raise Conclusion(WRONG, sentence, failed.why, failed.do) from None
        do = f"{administrator} create-addon --addon-name eks-pod-identity-agent --cluster-name CLUSTER"
        raise _unknown(sentence, failed, failed.do if "NO_PROXY" in failed.do else do) from None


def _no_identity(pod: ThisPod, profile: sdk.Profile) -> Conclusion:
    """Why the SDK finds no source of the pod's own, and what it uses instead: the node's role, or nothing."""
    variables = [name for name in (ROLE_ARN, WEB_IDENTITY_FILE) if pod.env.get(name)]
    cause = "neither the variables of IRSA nor those of EKS Pod Identity are set in this container"
    do = [
        "if the ServiceAccount has no role, AWS administrator: irsa create-sa NAME -n NAMESPACE -c CLUSTER",
        "if it has one, owner of the pod: restart it, because only new pods get the variables",
    ]
    if variables:
        cause = f"only {variables[0]} is set, and the SDK needs both {ROLE_ARN} and {WEB_IDENTITY_FILE}"
        do = [f"{TEMPLATE} remove {variables[0]}, so that EKS's webhook sets both"]
    if profile.unreadable:
        cause += f"; {profile.unreadable}"
    try:
        role = pod.instance_role()
    except Failed as failed:
        role = ""
        pod.evidence["instanceRole"] = failed.why
    if not role:
        return Conclusion(WRONG, "The pod has no AWS identity.", cause, *do)
    pod.evidence["instanceRole"] = role
    return Conclusion(WRONG, f"The pod would use the node's role {role}, and no role of its own.", cause, *do)


def _compared(choice: sdk.Choice, arn: str, expected: str, expected_account: str) -> Conclusion:
    """Whether the identity is the expected one: the role's name and the account, as far as they are given."""
    account, role = _role_of(arn)
    cause = f"the SDK's first source is {choice.source}"
    facts = [("role", expected.rsplit("/", 1)[-1], role)]
    facts += [("account", value, account) for value in (expected_account, _role_of(expected)[0])]
    differences: list[str] = []
    for name, expectation, actual in facts:
        if expectation and expectation != actual:
            differences.append(f"{name} {actual or 'none'} instead of {expectation}")
    if differences:
        do = f"{TEMPLATE} remove this source, or correct what you expect"
        if choice.source in (sdk.WEB, sdk.CONTAINER):
            do = "AWS administrator: correct the ServiceAccount's role, then restart the pod"
        return Conclusion(WRONG, f"The pod has another identity: {' and '.join(differences)}.", cause, do)
    if not expected and choice.source in (sdk.KEYS, sdk.PROFILE):
        do = f"{TEMPLATE} remove the keys, or name their role (--expect-role ROLE)"
        return Conclusion(WRONG, "The pod uses keys, and no role of its own.", cause, do)
    return Conclusion(EXPECTED, f"The pod is {arn}.", cause)


def _role_of(arn: str) -> tuple[str, str]:
    """The account of an ARN, '' for none, and the role of a caller's ARN, '' for a user."""
    fields = arn.split(":", 5)
    if len(fields) < 6:
        return "", ""
    kind, _, path = fields[5].partition("/")
    return fields[4], path.split("/")[0] if kind == "assumed-role" else ""
