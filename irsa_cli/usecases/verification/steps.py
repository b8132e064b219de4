"""The steps of `irsa verify`, each from a result to a verdict; those of IAM are in `iam_steps`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future

from irsa_cli.aws.permissions import ReadCall, Simulated
from irsa_cli.aws.sts import Exchange
from irsa_cli.core.inventory.bindings import NO_AGENT
from irsa_cli.core.marks import lifecycle
from irsa_cli.core.objects.aws import Association, RoleCredentials
from irsa_cli.core.objects.role import Role
from irsa_cli.core.plan.rules import UnreadableNote
from irsa_cli.core.plan.states import SERVICE_ACCOUNT_TAG
from irsa_cli.core.policies.web_identity import REQUESTED_REGION, SESSION_NAME, WebIdentity, region_called
from irsa_cli.core.results.steps import Check, Name, StepStatus, VerificationStep
from irsa_cli.core.results.verification import Permission
from irsa_cli.core.trust import jwt
from irsa_cli.core.trust.assuming import said_to_service
from irsa_cli.core.trust.correction import wide_trusts
from irsa_cli.core.trust.evaluation import Explanation
from irsa_cli.core.trust.jwt import Claims, Keys, read
from irsa_cli.core.trust.rules.rule import Risk
from irsa_cli.core.values.arn import provider_arn, role_arn
from irsa_cli.core.values.cluster import Cluster, Reach
from irsa_cli.core.values.errors import IrsaError, ServiceError, Unreadable
from irsa_cli.core.values.names import Namespaced
from irsa_cli.kube.client import TokenAnswer
from irsa_cli.usecases.read.associations import note_of
from irsa_cli.usecases.verification.iam_steps import (
    FAILED,
    NOT_CHECKED,
    OK,
    STATUS,
    Link,
    attempt,
    open_check,
    role_read,
    step,
)

# STS says AccessDenied for a dozen causes; these are those that a trust policy does not show.
_HIDDEN_REASONS = (
    "a service control policy, a resource control policy or a VPC endpoint policy may deny it",
    "after a change, IAM may need a minute; try again",
)


def token(answer: TokenAnswer | IrsaError, *, account: str, audience: str, pod: str) -> VerificationStep:
    """Whether the cluster gives a token. Not being allowed to ask says nothing about the binding."""
    sent = f"TokenRequest for {account}, audience {audience}" + (f", bound to pod {pod}" if pod else "")
    if not isinstance(answer, IrsaError):
        minutes = (answer.expires.timestamp() - time.time()) / 60
        return step(Name.TOKEN, sent, Check("token", OK, f"issued, valid for {minutes:.0f} min"))
    if isinstance(answer, ServiceError) and answer.status in (400, 404, 409, 422):
        return step(Name.TOKEN, sent, Check("token", FAILED, answer.reason))
    return step(Name.TOKEN, sent, open_check("token", answer))


def claims(
    answer: TokenAnswer | IrsaError,
    cluster: Cluster,
    subject: str,
    audience: str,
    public: Future[Keys],
    own: Future[Keys],
) -> VerificationStep:
    """The claims of the token, and its signature."""
    published = f"{cluster.issuer.rstrip('/')}/.well-known/openid-configuration"
    sent = f"GET {published} and its keys, GET /openid/v1/jwks"
    if isinstance(answer, IrsaError):
        expected = f"expected: {cluster.issuer}, {subject}, {audience}"
        missing = f"not checked (no token); {expected}"
        return step(Name.CLAIMS, sent, Check("claims", NOT_CHECKED, missing))
    checks: list[Check] = []
    for claim in jwt.check_claims(
        read(answer.token), issuer=cluster.issuer, subject=subject, audience=audience, now=time.time()
    ):
        if claim.wrong:
            checks.append(Check(claim.name, FAILED, f"{claim.text}; {claim.wrong}"))
        else:
            checks.append(Check(claim.name, OK, claim.text))
    return step(Name.CLAIMS, sent, *checks, *_signatures(answer.token, public, own))


def _signatures(text: str, public: Future[Keys], own: Future[Keys]) -> Iterator[Check]:
    published = attempt(public.result)
    known = attempt(own.result)
    yield _signature(text, published, "signature", "the issuer publishes")
    yield _signature(text, known, "cluster's keys", "the cluster has")
    if isinstance(published, IrsaError) or isinstance(known, IrsaError):
        return
    own_ids = set(jwt.key_ids(known))
    published_ids = set(jwt.key_ids(published))
    if own_ids != published_ids:
        sides = {"only in the cluster": own_ids - published_ids, "only published": published_ids - own_ids}
        words = "; ".join(f"{side}: {', '.join(sorted(ids))}" for side, ids in sides.items() if ids)
        # A difference that doesn't touch this token's key is worth knowing, and no failure.
        text = f"published and cluster's keys differ (key rotation or another cluster): {words}"
        yield Check("keys", OK, text, needed=False)


def _signature(text: str, keys: Keys | IrsaError, name: str, whose: str) -> Check:
    if isinstance(keys, IrsaError):
        return open_check(name, keys, needed=False)
    verdict = jwt.signature(text, keys)
    if verdict is jwt.Signature.GOOD:
        return Check(name, OK, f"valid, with a key that {whose}", needed=False)
    if verdict is jwt.Signature.UNSUPPORTED:
        return Check(name, NOT_CHECKED, "not checked (neither RS256 nor ES256)", needed=False)
    why = f"it does not match the key with that ID that {whose}"
    if verdict is jwt.Signature.UNKNOWN_KEY:
        ids = ", ".join(jwt.key_ids(keys)) or "none"
        why = f"its key ID is not among those that {whose} ({ids})"
        why += ": the keys changed, or it is another cluster's"
    return Check(name, FAILED, why)


def identity_of(
    cluster: Cluster,
    arn: str,
    subject: str,
    audience: str,
    answer: TokenAnswer | IrsaError,
    *,
    regional_sts: bool = True,
) -> WebIdentity:
    """The identity that STS sees in a pod's exchange (the token's, if any), without its session name."""
    token_claims = Claims({}, {}) if isinstance(answer, IrsaError) else read(answer.token)
    audiences = tuple(name for name in jwt.audiences_of(token_claims) if name != audience)
    return WebIdentity(
        provider_arn(cluster.partition, role_arn(arn).account, cluster.issuer),
        cluster.issuer,
        str(token_claims.claims.get("sub", subject)),
        audience,
        audiences,
        request={REQUESTED_REGION: region_called(cluster.region, regional=regional_sts)},
    )


def wide(reading: Future[Role | None], arn: str, identity: WebIdentity) -> tuple[Risk, ...]:
    state = attempt(reading.result)
    if state is None or isinstance(state, IrsaError):
        return ()
    return wide_trusts(state.trust, (identity.provider_arn,), identity.audience, role=arn)


def exchange(
    result: Exchange | IrsaError, sent: str, session: str, trusted: VerificationStep
) -> VerificationStep:
    """Whether STS, or EKS Auth, issues credentials.

    If the trust policy (step `trusted`) checks the session name, the result says nothing about pods.
    """
    by_session = Explanation(trusted.statements).depends_on(SESSION_NAME)
    own = f"the trust policy checks the session name: it {{}} '{session}', but pods use another one"
    if not isinstance(result, IrsaError):
        until = f"valid until {result.credentials.expires:%H:%M:%S} UTC"
        text = f"issued for {result.subject}, audience {result.audience}, by {result.provider}, {until}"
        checks = [Check("credentials", OK, text)]
        if by_session:
            checks.append(Check("session name", NOT_CHECKED, own.format("allows")))
        return step(Name.EXCHANGE, sent, *checks)
    denied = result.code == "AccessDenied"
    advice = _HIDDEN_REASONS if denied and trusted.status is OK else ()
    if by_session and isinstance(result, ServiceError) and denied:
        check = Check("credentials", NOT_CHECKED, f"not checked: {own.format('rejects')}")
    elif is_refused(result):
        check = Check("credentials", FAILED, result.reason)
    else:
        check = open_check("credentials", result)
    return step(Name.EXCHANGE, sent, check, advice=advice if check.status is FAILED else ())


def whose(result: str | IrsaError, arn: str, session: str) -> VerificationStep:
    """Whether AWS knows the credentials as the role's."""
    parsed = role_arn(arn)
    expected = f"arn:{parsed.partition}:sts::{parsed.account}:assumed-role/{parsed.name}/{session}"
    sent = "GetCallerIdentity with the credentials"
    if isinstance(result, IrsaError):
        return step(Name.IDENTITY, sent, open_check("caller", result))
    right = result == expected
    text = result if right else f"{result}, expected {expected}"
    return step(Name.IDENTITY, sent, Check("caller", OK if right else FAILED, text))


def chained(result: str | IrsaError, arn: str) -> VerificationStep:
    sent = f"AssumeRole {arn} with the previous credentials"
    if not isinstance(result, IrsaError):
        return step(Name.CHAIN, sent, Check("credentials", OK, result))
    refused = Check("credentials", FAILED, result.reason)
    return step(Name.CHAIN, sent, refused if is_refused(result) else open_check("credentials", result))


def completeness(
    reading: Future[Role | None], arn: str, reach: Reach, subject: str, *, annotated: bool
) -> tuple[VerificationStep, ...]:
    """A step if the run that creates or deletes the role has not finished, whatever STS answers.

    `annotated`: by irsa, which ends the run that creates a role for this subject.
    """
    role = attempt(reading.result)
    if role is None or isinstance(role, IrsaError):
        return ()
    mine = subject.endswith(f":{role.tags.get(SERVICE_ACCOUNT_TAG, '/').replace('/', ':')}")
    life = lifecycle.of(role.tags, named=True, recorded=annotated or not mine)
    if life.is_over:
        return ()
    check = Check("run", FAILED, f"the role is {life.stage.value}: {life.why}")
    advice = life.next_steps(reach.irsa)
    return (step(Name.COMPLETENESS, f"the tags of {arn}", check, advice=advice),)


def pods(
    association: Association | Unreadable | None, arn: str, cluster: Cluster
) -> tuple[VerificationStep, ...]:
    """A step if an EKS Pod Identity association gives the pods another role, or may do so."""
    if isinstance(association, Unreadable):
        open_ended = Check("credentials", NOT_CHECKED, f"pods may use EKS Pod Identity: {association.why}")
        return (step(Name.PODS, f"ListPodIdentityAssociations of {cluster.name}", open_ended),)
    if association is None or arn == association.last_role:
        return ()
    check = Check("credentials", FAILED, association.effect)
    if not association.role_arn:
        text = f"pods use EKS Pod Identity ({association.id}); EKS did not return its role"
        check = Check("credentials", NOT_CHECKED, text)
    return (step(Name.PODS, f"ListPodIdentityAssociations of {cluster.name}", check),)


def of_pod_identity(association: Association | Unreadable | None, arn: str) -> Iterator[str]:
    """Notes on associations that are unreadable or give pods the same role."""
    if isinstance(association, Unreadable) or (
        isinstance(association, Association) and arn == association.last_role
    ):
        yield from note_of(association, arn)


_DENIALS = {
    "implicitDeny": "no policy of the role allows it",
    "explicitDeny": "a Deny statement in a policy denies it",
}


def simulated(results: Sequence[Simulated] | IrsaError, actions: Sequence[str]) -> Iterator[Permission]:
    kind = "simulation"
    if isinstance(results, IrsaError):
        text = open_check("", results).text
        yield from (Permission(kind, action, NOT_CHECKED, text) for action in actions)
        return
    for result in results:
        if result.missing:
            missing = ", ".join(result.missing)
            text = f"unknown: the simulation returned {result.decision} without values for {missing}"
            yield Permission(kind, result.action, NOT_CHECKED, text, result.resource)
        elif result.allowed:
            yield Permission(kind, result.action, OK, "allowed by IAM's simulation", result.resource)
        else:
            text = _DENIALS.get(result.decision, "denied by IAM's simulation")
            yield Permission(kind, result.action, FAILED, f"{text} ({result.decision})", result.resource)


def called(call: ReadCall, result: str | IrsaError) -> Permission:
    if not isinstance(result, IrsaError):
        return Permission("call", call.text, OK, f"succeeded: {result}")
    if is_refused(result) and isinstance(result, ServiceError) and 400 <= result.status < 500:
        return Permission("call", call.text, FAILED, result.reason)
    return Permission("call", call.text, NOT_CHECKED, open_check("", result).text)


def at_aws(
    reading: Future[Role | None],
    result: Exchange | IrsaError,
    association: Association,
    cluster: Cluster,
    named: Namespaced,
    *,
    bound: bool,
) -> Iterator[VerificationStep]:
    """Trust policy and exchange; `bound`: the token is bound to a pod, as those of pods are."""
    sent = f"GetRole {association.role_arn}, its trust policy evaluated for EKS Pod Identity"
    trusted = role_read(reading, association.role_arn, sent)
    if not isinstance(trusted, VerificationStep):
        answers = said_to_service(trusted.trust, cluster, named, tagged=not association.without_tags)
        texts = (
            (STATUS[verdict.answer], f"{verdict.action}: {verdict.why or 'allowed'}") for verdict in answers
        )
        checks = (Check("trust policy", status, text) for status, text in texts)
        trusted = step(Name.TRUST, sent, *checks)
    yield trusted
    sent = f"eks-auth AssumeRoleForPodIdentity, association {association.id}"
    denied = isinstance(result, ServiceError) and result.status == 403
    unbound = isinstance(result, ServiceError) and result.code == "InvalidTokenException" and not bound
    if isinstance(result, IrsaError) and (denied or unbound):
        advice = ("add --pod NAME: EKS may want a token that is bound to a pod",) if unbound else ()
        yield step(Name.EXCHANGE, sent, open_check("credentials", result), advice=advice)
    else:
        yield exchange(result, sent, "", trusted)


def missing_agent(answer: bool | Unreadable) -> Iterator[VerificationStep]:
    """A step if the cluster has no agent, or may have none: its pods then get no credentials."""
    sent = "ListAddons, and the DaemonSets of kube-system"
    if isinstance(answer, Unreadable):
        text = f"irsa can't see if the EKS Pod Identity agent runs: {answer.why}"
        yield step(Name.PODS, sent, Check("agent", NOT_CHECKED, text))
    elif not answer:
        yield step(Name.PODS, sent, Check("agent", FAILED, NO_AGENT))


def is_refused(result: object) -> bool:
    """Whether a service answered with a refusal that stays: no failure that may pass, and no silence."""
    return isinstance(result, ServiceError) and bool(result.status) and not result.transient


def unreadable_step(note: UnreadableNote) -> VerificationStep:
    """The link that is noted in a way that nobody can follow."""
    check = Check("annotation", StepStatus.NOT_CHECKED, f"not checked: {note.message}: {note.reason}")
    return step(Name.CHAIN, "nothing, because the target role is unknown", check)


def link(ends: Link, result: RoleCredentials | IrsaError) -> VerificationStep:
    """The whole link: what STS said, and what the policies say."""
    sent = f"AssumeRole {ends.chain.target_arn} with the role's credentials"
    sent += f", external id {ends.chain.external_id}" if ends.chain.external_id else ""
    if not isinstance(result, IrsaError):
        # STS's answer is proof, whatever a policy seems to say.
        own = (check for check in ends.checks() if check.status is not FAILED)
        return step(Name.CHAIN, sent, *own, Check("credentials", OK, result.role_session))
    why = f"not checked: {result.reason or result.message}"
    tried = Check("credentials", NOT_CHECKED, why)
    if is_refused(result):
        tried = Check("credentials", FAILED, result.reason)
    return step(Name.CHAIN, sent, *ends.checks(), tried)
