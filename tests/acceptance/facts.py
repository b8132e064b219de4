"""Facts of tests/aws_facts, asked of an account with names of its own; those that nobody has seen come first.

Only what nobody can do harm with: roles; Pod Identity associations in the run's own namespace, where no pods
are; and exchanges of what is no token. Facts that need inline policies are left out: who may write those may
do everything. Associations need permissions that the documented policy does not have: without them, they are
not asked.
"""

import json
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from tests.acceptance import marked
from tests.acceptance.place import IN_A_ROW, MARK, POLICIES, Json, Place
from tests.aws_facts import asking
from tests.aws_facts.fact import Call, Fact, Refusal
from tests.aws_facts.table import FACTS

_ASSOCIATION = "PodIdentityAssociation"
OPERATIONS = {
    "iam": frozenset(
        [
            *("CreateRole", "GetRole", "DeleteRole", "UpdateRole", "UpdateRoleDescription", "ListRoles"),
            *("TagRole", "UntagRole", "ListRoleTags", "UpdateAssumeRolePolicy"),
            *("AttachRolePolicy", "DetachRolePolicy", "ListAttachedRolePolicies"),
            *("GetRolePolicy", "DeleteRolePolicy", "ListRolePolicies", "GetPolicy"),
        ]
    ),
    "eks": frozenset(
        [
            *(f"{verb}{_ASSOCIATION}" for verb in ("Create", "Update", "Describe", "Delete")),
            *("TagResource", "UntagResource", "ListTagsForResource"),
        ]
    ),
    "sts": frozenset(["AssumeRoleWithWebIdentity"]),
}
DOUBT = ("unknown", "rule of a guide", "code only", "words")
"""What the sources of facts have, the most doubtful first."""
_PASSES = ("NoSuchEntity", "DeleteConflict", "ConcurrentModification", "EntityTemporarilyUnmodifiable")
_PASSES_BEFORE = (*_PASSES, "MalformedPolicyDocument", "InvalidParameterException")
"""Of calls before the question, which succeed: a new role is not known as a principal at once."""
_DENIED = ("AccessDenied", "AccessDeniedException")
ATTEMPTS = 3
_DOCUMENTS = ("AssumeRolePolicyDocument", "PolicyDocument")
_SECRET = re.compile(r"arn:|\d{12}|AKIA|ASIA|AROA|AIDA|eyJ|[0-9a-f]{8}-[0-9a-f]{4}-|https?:|a-[a-z0-9]{17}")


@dataclass
class Asked:
    """How true the answers were: verdicts by the ids of facts, and the codes of the answers that differ.

    `words` are those of refusals whose words no source has, unless there are names or numbers in them.
    """

    verdicts: dict[str, asking.Verdict] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    not_asked: int = 0


def askable() -> list[Fact]:
    """The facts that can be asked safely, of any account, in the order in which they are asked."""
    safe = [fact for fact in FACTS if not fact.not_simulated and all(_is_safe(call) for call in fact.calls)]
    return sorted(safe, key=lambda fact: DOUBT.index(fact.evidence))


def is_about_associations(fact: Fact) -> bool:
    """Whether asking it needs what the documented policy does not allow."""
    return any(call.service == "eks" for call in fact.calls)


def _is_safe(call: Call) -> bool:
    if call.caller or call.operation not in OPERATIONS.get(call.service, ()):
        return False
    if call.service == "eks":
        return _is_in_own_namespace(call)
    if call.service == "sts":
        # It is refused before anybody looks at it.
        return bool(call.parameters["WebIdentityToken"] != "<token>")
    # The documented IAM policy can't allow to attach what is no ARN, nor roles in paths of AWS.
    policy = str(call.parameters.get("PolicyArn", "arn:"))
    is_known = policy.startswith("arn:") and ":policy/aws-service-role/" not in policy
    return is_known and not str(call.parameters.get("Path", "/")).startswith("/aws-")


def _is_in_own_namespace(call: Call) -> bool:
    """Whether it is about an association that the fact itself has created, or creates."""
    parameters = call.parameters
    if call.operation == f"Create{_ASSOCIATION}":
        own = str(parameters["roleArn"]).startswith("arn:aws:iam::<account>:role/")
        place = (parameters["clusterName"], parameters["namespace"])
        return own and place == ("<cluster>", "shop") and parameters["serviceAccount"] is not None
    about = parameters.get("associationId", parameters.get("resourceArn", ""))
    return str(about).startswith("<made.")


def ask_all(place: Place, asked: Asked, tell: Callable[[int], None]) -> None:
    """Ask as many as may be, until `place` is out of its budget."""
    facts = askable()
    asked.not_asked = len(facts)
    may_associate = True
    for number, fact in enumerate(facts[: place.args.facts]):
        if not may_associate and is_about_associations(fact):
            continue
        verdict, refusal = _ask(place, fact, number)
        if is_about_associations(fact) and refusal.code in _DENIED:
            may_associate = False
            continue
        asked.verdicts[fact.id] = verdict
        if verdict != "as AWS":
            asked.codes[fact.id] = refusal.code
        if refusal.message and fact.evidence != "words" and not _SECRET.search(refusal.message):
            asked.words[fact.id] = _without_names(place, refusal.message)
        asked.not_asked -= 1
        tell(number + 1)


def _without_names(place: Place, words: str) -> str:
    for name, shown in ((place.name, "NAME"), (place.args.cluster, "CLUSTER"), (place.region, "REGION")):
        words = words.replace(name, shown)
    return words


def _ask(place: Place, fact: Fact, number: int) -> tuple[asking.Verdict, Refusal]:
    """The verdict, and a refusal; asked again with new names if late reads may be the reason."""
    for attempt in range(ATTEMPTS if len(fact.calls) > 1 else 1):
        mine = rewritten(place, fact, number * ATTEMPTS + attempt)
        answer, saved = _answer_of(place, mine)
        verdict = asking.compare(mine, answer, saved)
        if verdict == "as AWS":
            break
    return verdict, answer if isinstance(answer, Refusal) else Refusal("")


def rewritten(place: Place, fact: Fact, number: int) -> Fact:
    """The fact with the run's own names and paths, in its calls and in what AWS answers."""
    parameters = [call.parameters for call in fact.calls]
    names = {"nobody", "cart", *(item["RoleName"] for item in parameters if "RoleName" in item)}
    paths = {item[key] for item in parameters for key in ("Path", "PathPrefix") if key in item}
    text = _Text(place, f"{place.name}-f{number}-", names, paths)
    if is_about_associations(fact):
        text.move_associations()
    calls = tuple(replace(call, parameters=_marked(text(call.parameters), place)) for call in fact.calls)
    answer: Any = fact.answer
    if isinstance(answer, Refusal):
        return replace(fact, calls=calls, answer=replace(answer, message=text(answer.message)))
    return replace(fact, calls=calls, answer=replace(answer, members=text(answer.members)))


class _Text:
    """Rewrites all strings of a value."""

    def __init__(self, place: Place, prefix: str, names: Iterable[str], paths: Iterable[str]) -> None:
        self._place = place
        self._names = {name: _long(prefix, name) for name in names}
        words = "|".join(re.escape(name) for name in sorted(self._names, key=len, reverse=True))
        self._name = re.compile(rf"(?<![\w+=,.@<-])(?:{words})(?![\w+=,@-]|\.\w)")
        inner = f"{place.path}{prefix[len(place.name) + 1 : -1]}"
        self._plain = {
            "arn:aws:": f"arn:{place.partition}:",
            "AmazonS3ReadOnlyAccess": POLICIES[0],
            "policy/nothing": f"policy/{MARK}-none",
            **{path: inner + path for path in paths if re.fullmatch("/([a-z]+/)+", path)},
        }

    def move_associations(self) -> None:
        """Also rewrite the namespace and the region."""
        self._plain |= {"shop": self._place.name, "eu-west-1": self._place.region}

    def __call__(self, value: Any) -> Any:
        if isinstance(value, str):
            value = self._name.sub(lambda found: self._names[found[0]], value)
            for old, new in self._plain.items():
                value = value.replace(old, new)
            return value
        if isinstance(value, dict):
            return {key: self(item) for key, item in value.items()}
        return [self(item) for item in value] if isinstance(value, (list, tuple)) else value


def _long(prefix: str, name: str) -> str:
    """The name with the prefix; one that is about its length keeps it."""
    return prefix + (name[len(prefix) :] if len(name) > 60 else name)


def _marked(parameters: Json, place: Place) -> Json:
    """Trust policies have the mark, as tags are what many facts are about."""
    found = dict(parameters)
    for key in _DOCUMENTS:
        try:
            document = json.loads(found[key])
        except (KeyError, ValueError):
            continue
        if isinstance(document, dict):
            found[key] = json.dumps(marked.trust_of(document, place.id), ensure_ascii=False)
    return found


def _answer_of(place: Place, fact: Fact) -> tuple[Refusal | Json, Json]:
    saved: Json = {"account": place.account, "cluster": place.args.cluster}
    answer: Refusal | Json = {}
    made: set[str] = set()
    associated = False
    try:
        for number, call in enumerate(fact.calls):
            is_last = number == len(fact.calls) - 1
            answer = _patient(place, fact, call, saved, is_last)
            associated |= call.operation == f"Create{_ASSOCIATION}" and not isinstance(answer, Refusal)
            if call.save:
                saved[call.save] = answer
            if isinstance(answer, Refusal) and not is_last:
                return Refusal(answer.code, 0), saved
            if call.operation == "CreateRole" and not isinstance(answer, Refusal):
                made.add(call.parameters["RoleName"])
        return answer, saved
    finally:
        if associated:
            marked.delete_associations(place, place.name)
        for name in made:
            marked.delete_role(place, name)


def _patient(place: Place, fact: Fact, call: Call, saved: Json, is_last: bool) -> Refusal | Json:
    """The answer, asked for again as long as it may be late."""
    until = time.monotonic() + place.args.settle
    reads = call.operation.startswith(("Get", "List", "Describe"))
    client = {"iam": place.iam, "sts": place.sts, "eks": place.eks}[call.service]
    answer, seen = asking.answer_from(client, call, saved), 1
    while time.monotonic() < until:
        if is_last:
            passes = reads or (isinstance(answer, Refusal) and answer.code in _PASSES)
            done = asking.compare(fact, answer, saved) == "as AWS" or not passes
        elif isinstance(answer, Refusal):
            done = answer.code not in _PASSES_BEFORE
        else:
            done = seen == IN_A_ROW or not reads
        if done:
            break
        time.sleep(0.1)
        before, answer = answer, asking.answer_from(client, call, saved)
        seen = seen + 1 if answer == before else 1
    return answer
