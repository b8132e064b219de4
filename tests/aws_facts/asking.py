"""Asking the sandbox and stock moto for the facts, and telling how true their answers are."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from irsa_cli.sandbox import ClusterSpec, Sandbox
from irsa_cli.sandbox.model import ExternalCluster
from tests.aws_facts import tokens
from tests.aws_facts.fact import ABSENT, Call, Fact, Refusal, Success

Verdict = Literal["as AWS", "right code only", "not"]
CLUSTER = "facts"
REGION = "eu-west-1"
_PLACE = re.compile(r"<([A-Za-z][\w.-]*)>")


@dataclass
class Target:
    """Who is asked. `reset` brings an empty account, if told so with a cluster."""

    url: str
    account: str
    key: tuple[str, str]
    reset: Callable[[bool], None]
    unsigned: frozenset[str] = frozenset({"AssumeRoleWithWebIdentity"})
    clients: dict[tuple[str, ...], Any] = field(default_factory=dict)

    def client(self, service: str, key: tuple[str, ...]) -> Any:
        """A client that checks nothing itself and tries once; an empty key signs nothing."""
        name = (service, *key)
        if name not in self.clients:
            make: Any = boto3.client
            config = Config(
                retries={"total_max_attempts": 1},
                parameter_validation=False,
                signature_version=None if key else UNSIGNED,
            )
            names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
            made = make(
                service,
                region_name=REGION,
                endpoint_url=self.url,
                config=config,
                **dict(zip(names, key or ("none", "none"), strict=False)),
            )
            if len(key) > 2:
                return made
            self.clients[name] = made
        return self.clients[name]


@contextmanager
def sandbox() -> Iterator[Target]:
    """irsa's sandbox."""
    external = ExternalCluster("https://127.0.0.1:1", "", tokens.ISSUER, tokens.jwks)
    with Sandbox(clusters=(ClusterSpec(CLUSTER, external=external),)) as made:
        env = made.env()
        key = (env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"])
        yield Target(made.url, "111122223333", key, lambda _: made.reset())


@contextmanager
def moto() -> Iterator[Target]:
    """Moto's server as it comes."""
    from moto.core.base_backend import BackendDict
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        target = Target(
            f"http://{host}:{port}", "123456789012", ("AKIAMOTOMOTOMOTOMOTO", "none"), lambda _: None
        )

        def reset(with_cluster: bool) -> None:
            BackendDict.reset()
            if not with_cluster:
                return
            subnets = {"subnetIds": ["subnet-1", "subnet-2"]}
            role = f"arn:aws:iam::{target.account}:role/eks"
            target.client("eks", target.key).create_cluster(
                name=CLUSTER, roleArn=role, resourcesVpcConfig=subnets
            )

        target.reset = reset
        yield target
    finally:
        server.stop()


def ask(target: Target, fact: Fact) -> Verdict:
    """How true the target's answer is."""
    return compare(fact, *answer_of(target, fact))


def answer_of(target: Target, fact: Fact) -> tuple[Refusal | dict[str, Any], dict[str, Any]]:
    """The answer to a fact's last call, or to the first one that is refused, and all that was saved."""
    target.reset(any(call.service == "eks" for call in fact.calls))
    saved: dict[str, Any] = {
        "account": target.account,
        "cluster": CLUSTER,
        "issuer": tokens.ISSUER,
        "host": tokens.ISSUER.removeprefix("https://"),
    }
    answer: Refusal | dict[str, Any] = {}
    for number, call in enumerate(fact.calls):
        answer = _answer(target, call, saved)
        if call.save:
            saved[call.save] = answer
        if isinstance(answer, Refusal) and number < len(fact.calls) - 1:
            return Refusal("", 0, f"call {number + 1} is refused: {answer}"), saved
    return answer, saved


def _answer(target: Target, call: Call, saved: dict[str, Any]) -> Refusal | dict[str, Any]:
    if call.service == "eks" and call.operation == "DescribeCluster":
        call = Call("eks", call.operation, {"name": call.parameters["clusterName"]})
    if "<token>" in call.parameters.values():
        saved["token"] = tokens.make(**call.token)
    key: tuple[str, ...] = () if call.operation in target.unsigned else target.key
    if call.caller:
        session = saved[call.caller]
        # EKS Auth writes the same names with a small letter.
        credentials = session.get("Credentials") or session["credentials"]
        texts = {name.lower(): text for name, text in credentials.items()}
        key = (texts["accesskeyid"], texts["secretaccesskey"], texts["sessiontoken"])
    return answer_from(target.client(call.service, key), call, saved)


def answer_from(client: Any, call: Call, saved: Mapping[str, Any]) -> Refusal | dict[str, Any]:
    """What a client is answered to a call, or how that is refused."""
    try:
        answer = client._make_api_call(call.operation, filled(call.parameters, saved))
    except ClientError as error:
        said = error.response["Error"]
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return Refusal(said.get("Code", ""), status, said.get("Message", ""))
    except (BotoCoreError, ResponseParserError) as error:
        return Refusal(type(error).__name__, 0, str(error))
    assert isinstance(answer, dict)
    answer.pop("ResponseMetadata")
    return answer


def filled(value: Any, saved: Mapping[str, Any]) -> Any:
    """`value` with what the names in angle brackets stand for."""
    if isinstance(value, str):
        return _PLACE.sub(lambda found: str(_member(saved, found[1], found[0])), value)
    if isinstance(value, Mapping):
        return {key: filled(item, saved) for key, item in value.items()}
    return [filled(item, saved) for item in value] if isinstance(value, (list, tuple)) else value


def _member(answer: Any, path: str, default: Any = ABSENT) -> Any:
    for name in path.split("."):
        try:
            answer = answer[int(name)] if isinstance(answer, list) else answer[name]
        except (KeyError, IndexError, TypeError, ValueError):
            return default
    return answer


def compare(fact: Fact, answer: Refusal | dict[str, Any], saved: Mapping[str, Any]) -> Verdict:
    """How true an answer is."""
    if isinstance(fact.answer, Success):
        if isinstance(answer, Refusal):
            return "not"
        wanted = filled(fact.answer.members, saved)
        return "as AWS" if all(_fits(answer, path, value) for path, value in wanted.items()) else "not"
    if not isinstance(answer, Refusal) or answer.code != (fact.answer.code or answer.code):
        return "not"
    if not fact.answer.code:
        return "as AWS"
    message = filled(fact.answer.message, saved)
    same = answer.status == fact.answer.status and (not message or _equals(answer.message, message))
    return "as AWS" if same else "right code only"


def _fits(answer: dict[str, Any], path: str, value: Any) -> bool:
    if path.startswith("keys of "):
        found = _member(answer, path.removeprefix("keys of ")) if path != "keys of " else answer
        return isinstance(found, dict) and sorted(found) == sorted(value)
    if path.startswith("count of "):
        found = _member(answer, path.removeprefix("count of "))
        return found is not ABSENT and len(found) == value
    return _equals(_member(answer, path), value)


def _equals(found: Any, value: Any) -> bool:
    if isinstance(value, str) and value.startswith("~"):
        return re.fullmatch(value[1:], str(found), re.DOTALL) is not None
    return bool(found == value)
