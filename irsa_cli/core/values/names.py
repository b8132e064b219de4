"""Names by the rules of IAM and Kubernetes: checks for those of users (also nearly right), and irsa's own."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection
from datetime import datetime, timedelta, timezone

from irsa_cli.core.values.errors import InvalidInput

# RFC 1123 as Kubernetes applies it:
# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
ATTACH_POLICY = "attachPolicy"
"""The name of a role's inline policy where a file gives only its document."""

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", re.ASCII)
_DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", re.ASCII)
_QUALIFIED = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?", re.ASCII)

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
_IAM_NAME = re.compile(r"[\w+=,.@-]+", re.ASCII)
_NOTHING = re.compile(r"(?!)")
_PROFILE = re.compile(r"(?=.*\S)[^\x00-\x1f\x7f\[\]]+")
_DESCRIPTION = re.compile("[\t\n\r\x20-\x7e\xa1-\xff]*")
# https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
# Letters, digits and spaces of all scripts; Python's \s includes control characters, IAM's \p{Z} does not.
_TAG = re.compile(r"(?:(?![\x00-\x1f\x7f-\x9f])[\w\s.:/=+\-@])*")

# https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
_LABEL_KEY = r"(?:[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_LABEL_VALUE = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?"
_REQUIREMENT = re.compile(
    rf"!?\s*{_LABEL_KEY}|{_LABEL_KEY}\s*(?:==|=|!=)\s*{_LABEL_VALUE}"
    rf"|{_LABEL_KEY}\s+(?:in|notin)\s*\(\s*{_LABEL_VALUE}\s*(?:,\s*{_LABEL_VALUE}\s*)*\)",
    re.ASCII,
)
_BETWEEN_REQUIREMENTS = re.compile(r",(?![^(]*\))")

ROLE_NAME_LIMIT = 64
DIGEST_LENGTH = 8
TAGS_LIMIT = 50
"""Tags that IAM takes a role."""
MAX_USER_TAGS = 45
"""Those of them that are the user's; irsa needs three to five."""


class Namespaced:
    """An object with a namespace and a name, written together."""

    namespace: str
    name: str

    @property
    def full_name(self) -> str:
        return f"{self.namespace}/{self.name}"


def _check(text: str, rule: re.Pattern[str], limit: int, what: str, expected: str) -> str:
    if not text or len(text) > limit or not rule.fullmatch(text):
        raise InvalidInput(
            f"'{text}' is not a valid {what}", reason=f"expected {expected}, at most {limit} characters"
        )
    return text


def _rule(rule: str | re.Pattern[str], limit: int, what: str, expected: str) -> Callable[[str], str]:
    """A function that checks such a name and returns it unchanged; raises `InvalidInput`."""
    pattern = re.compile(rule, re.ASCII) if isinstance(rule, str) else rule
    return lambda text: _check(text, pattern, limit, what, expected)


namespace = _rule(
    _DNS_LABEL,
    63,
    "namespace",
    "lower-case letters, digits and '-', starting and ending with a letter or digit",
)
namespace_pattern = _rule(
    r"[a-z0-9*?-]+", 63, "pattern of namespaces", "lower-case letters, digits, '-', '*' and '?'"
)
service_account = _rule(
    _DNS_SUBDOMAIN,
    253,
    "ServiceAccount name",
    "lower-case letters, digits, '-' and '.', each part starting and ending with a letter or digit",
)
config_map = _rule(
    _DNS_SUBDOMAIN, 253, "name of a ConfigMap", "lower-case letters, digits, '-' and '.', as in DNS"
)
# https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateCluster.html
cluster = _rule(r"[0-9A-Za-z][A-Za-z0-9\-_]*", 100, "cluster name", "letters, digits, '-' and '_'")
region = _rule(r"[a-z]+(-[a-z]+)+-[0-9]+", 32, "region", "a name like eu-west-1")
"""Only the form; which regions there are, boto3 knows."""
role = _rule(_IAM_NAME, ROLE_NAME_LIMIT, "role name", "letters, digits and _+=,.@-")
inline_policy = _rule(_IAM_NAME, 128, "policy name", "letters, digits and _+=,.@-")
audience = _rule(r"[\x21-\x7e]+", 255, "audience", "visible ASCII characters")
"""Client ids, as IAM takes them."""
thumbprint = _rule(r"[0-9A-Fa-f]{40}", 40, "thumbprint", "40 hexadecimal digits")
"""The SHA-1 of a certificate."""
subject_of_many = _rule(
    r"system:serviceaccount:[a-z0-9*?-]{1,63}:[a-z0-9.*?-]{1,253}",
    340,
    "subject",
    "system:serviceaccount:NAMESPACE:NAME",
)
"""A subject whose two names may have wildcards."""
well_known = _rule(r"[A-Za-z0-9]+", 64, "well-known policy", "letters and digits")
attribute = _rule(r"[a-z_]+", 64, "attribute", "lower-case letters and '_'")
role_id = _rule(r"\w+", 128, "role id", "letters, digits and '_'")
"""The unique id that IAM gives a role."""
role_pattern = _rule(
    r"[\w+=,.@*?\[\]!-]+", 256, "pattern of role names", "letters, digits, _+=,.@- and wildcards"
)


role_path = _rule(
    r"/|/([\x21-\x2e\x30-\x7e]+/)+",
    512,
    "role path",
    "'/' or printable characters between a leading and a trailing '/', without empty segments",
)
# https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
external_id = _rule(r"[\w+=,.@:/-]{2,}", 1224, "external id", "2 or more letters, digits and _+=,.@:/-")
"""The value of `sts:ExternalId` that a trust policy may require of a caller."""


def cluster_if_any(text: str) -> str:
    """Check the name of a cluster, or its absence."""
    return cluster(text) if text else text


def profile(text: str) -> str:
    """Check the name of a profile of the AWS configuration."""
    rule = _PROFILE if text.isprintable() else _NOTHING
    return _check(text, rule, 128, "profile", "printable characters, and no brackets")


def selector(text: str) -> str:
    """Check a label selector by Kubernetes' grammar; what it selects is the API server's business."""
    terms = [term.strip() for term in _BETWEEN_REQUIREMENTS.split(text)]
    wrong = next((term for term in terms if not _REQUIREMENT.fullmatch(term)), None)
    if wrong is not None:
        raise InvalidInput(
            f"'{text}' is not a label selector",
            reason=f"'{wrong}': expected app=web, app!=web, app, !app, app in (a,b) or app notin (a,b)",
        )
    return ",".join(terms)


def description(text: str) -> str:
    if len(text) > 1000 or not _DESCRIPTION.fullmatch(text):
        raise InvalidInput(
            "the description is not valid", reason="expected Latin-1 text of at most 1000 characters"
        )
    return text


def seconds(least: int, most: int, what: str) -> Callable[[int], int]:
    """A function that checks such a duration and returns it unchanged; raises `InvalidInput`."""

    def check(number: int) -> int:
        if not least <= number <= most:
            raise InvalidInput(
                f"{number} is not a valid {what}", reason=f"expected {least} to {most} seconds"
            )
        return number

    return check


session_duration = seconds(3600, 43200, "session duration")
"""A role's longest session."""
token_expiration = seconds(600, 86400, "token expiration")
"""The lifetime that the pod's token is to have: EKS allows at most 24 hours."""


def token_seconds(text: str) -> int:
    """`token_expiration` in an annotation: seconds in decimal digits."""
    if not re.fullmatch(r"[1-9][0-9]{0,5}", text, re.ASCII):
        raise InvalidInput(f"expected seconds in decimal digits, not '{text}'")
    return token_expiration(int(text))


def regional_endpoints(text: str) -> bool:
    """Whether an annotation asks for STS's regional endpoints."""
    if text not in ("true", "false"):
        raise InvalidInput(f'expected "true" or "false", not \'{text}\'')
    return text == "true"


def tags(pairs: dict[str, str]) -> dict[str, str]:
    """Check the user's tags; `aws:` and `irsa/` are taken, and keys are compared without regard to case."""
    if len(pairs) > MAX_USER_TAGS:
        raise InvalidInput(
            f"{len(pairs)} tags are too many",
            reason=f"IAM allows {TAGS_LIMIT} per role, and irsa leaves you {MAX_USER_TAGS}",
        )
    seen: dict[str, str] = {}
    for key, value in pairs.items():
        if not key or len(key) > 128 or not _TAG.fullmatch(key):
            raise InvalidInput(
                f"tag key '{key}' is not valid", reason="1 to 128 letters, digits, spaces and _.:/=+-@"
            )
        if len(value) > 256 or not _TAG.fullmatch(value):
            raise InvalidInput(
                f"value of tag '{key}' is not valid",
                reason="at most 256 letters, digits, spaces and _.:/=+-@",
            )
        if key.lower().startswith(("aws:", "irsa/")):
            raise InvalidInput(
                f"tag key '{key}' is reserved", reason="the prefixes aws: and irsa/ can't be used"
            )
        if key.lower() in seen:
            raise InvalidInput(
                f"tags '{seen[key.lower()]}' and '{key}' are the same key in IAM",
                reason="tag keys ignore case",
            )
        seen[key.lower()] = key
    return pairs


def _qualified_key(text: str, what: str) -> str:
    prefix, slash, name = text.rpartition("/")
    if slash:
        _check(prefix, _DNS_SUBDOMAIN, 253, f"prefix of a {what}", "a DNS name")
    _check(name, _QUALIFIED, 63, what, "[prefix/]name of letters, digits and -_.")
    return text


def labels(pairs: dict[str, str]) -> dict[str, str]:
    """Check labels (https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/)."""
    for key, value in pairs.items():
        _qualified_key(key, "label key")
        if value:
            _check(value, _QUALIFIED, 63, f"value of label '{key}'", "letters, digits and -_.")
    return pairs


def service_account_annotations(pairs: dict[str, str]) -> dict[str, str]:
    """Check annotations; those of the pod identity webhook have flags of their own."""
    for key in pairs:
        _qualified_key(key, "annotation key")
        if key.startswith(("eks.amazonaws.com/", "irsa/")):
            raise InvalidInput(f"annotation '{key}' is set by irsa", reason="use the matching flag")
    if sum(len(k.encode()) + len(v.encode()) for k, v in pairs.items()) > 200 * 1024:
        raise InvalidInput("the annotations are too large", reason="Kubernetes allows 256 KiB per object")
    return pairs


def default_role_name(cluster_name: str, cluster_arn: str, namespace_name: str, name: str) -> str:
    """The name irsa gives the role of a ServiceAccount.

    Readable, at most 64 characters, and deterministic, so that the role's ARN is known before the
    role exists; the digest keeps clusters of one name in two regions, and `a-b/c` and `a/b-c`, apart.
    """
    identity = "\0".join((cluster_arn, namespace_name, name))
    digest = hashlib.sha256(identity.encode()).hexdigest()[:DIGEST_LENGTH]
    readable = f"{cluster_name}-{namespace_name}-{name}"[: ROLE_NAME_LIMIT - DIGEST_LENGTH - 1]
    return f"{readable.rstrip('-.')}-{digest}"


def default_role_path(cluster_name: str) -> str:
    """The path of a cluster's roles, so that one ListRoles with PathPrefix finds them all."""
    return f"/irsa/{cluster_name}/"


def subject(namespace_name: str, name: str) -> str:
    """The `sub` claim of a ServiceAccount's token (https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/)."""
    return f"system:serviceaccount:{namespace_name}:{name}"


def subject_pattern(text: str) -> str:
    """Check a pattern (`*`, `?`) for a subject's name: only characters of names, as `*` matches `:`."""
    if text and (len(text) > 253 or not re.fullmatch(r"[a-z0-9.*?-]+", text, re.ASCII)):
        raise InvalidInput(
            f"'{text}' is not a valid subject pattern",
            reason="give only the name, with the wildcards * and ?",
        )
    return text


def parse_full_name(text: str) -> tuple[str, str] | None:
    """Namespace and name of `NAMESPACE/NAME`; None for a text that names no ServiceAccount."""
    first, _, second = text.partition("/")
    try:
        return namespace(first), service_account(second)
    except InvalidInput:
        return None


def full_name(text: str) -> str:
    """Check `NAMESPACE/NAME` of a ServiceAccount."""
    first, _, second = text.partition("/")
    return f"{namespace(first)}/{service_account(second)}"


def account_json(full_name: str | None) -> dict[str, str] | None:
    """A ServiceAccount by `NAMESPACE/NAME`; null for any other text."""
    namespace, slash, name = (full_name or "").partition("/")
    plain = slash and namespace and name and not {" ", "("} & set(full_name or "")
    return {"namespace": namespace, "name": name} if plain else None


_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)


def is_run_name(text: str) -> bool:
    """Whether a run can be called so: who reads a mark, or a file's name, may find anything there."""
    return _RUN.fullmatch(text) is not None


MINIMUM_AGE = 600.0
"""Seconds for which a run on another machine may still be alive: longer than `--timeout` and the rollback."""

_TRANSACTION = re.compile(r"(\d{8}T\d{6})\d{3}Z-[0-9a-f]{8}", re.ASCII)


def began(transaction: str, now: datetime | None = None) -> list[datetime]:
    """The start of a run by its clock; None for another name, or a moment long after `now` (wrong clock)."""
    match = _TRANSACTION.fullmatch(transaction)
    try:
        moment = datetime.strptime(match[1], "%Y%m%dT%H%M%S") if match else None
    except ValueError:
        moment = None
    known = moment.replace(tzinfo=timezone.utc) if moment else None
    wrong = known and now and known - now > timedelta(seconds=MINIMUM_AGE)
    return [known] if known and not wrong else []


_SHORT = 2
"""So few characters begin too many words."""


def near(name: str, known: Collection[str]) -> tuple[str, ...]:
    """The three known words most like this one, whatever its case, then those that begin with it."""
    import difflib  # Few runs have a slip.

    by_lower = {word.lower(): word for word in known if word != name}
    close = difflib.get_close_matches(name.lower(), by_lower, 3, 0.65)
    begun = sorted(word for word in by_lower if len(name) > _SHORT and word.startswith(name.lower()))
    return tuple(by_lower[word] for word in dict.fromkeys((*close, *begun)))[:3]


def did_you_mean(name: str, known: Collection[str]) -> str:
    """A question that names the nearest of the known words, whatever its case; '' when none is near."""
    words = near(name, known)
    return f"did you mean '{words[0]}'?" if words else ""
