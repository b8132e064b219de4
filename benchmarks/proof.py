"""What proving costs: `irsa verify` of one ServiceAccount and of 300, and the evaluation of trust policies.

Also on its own: `python -m benchmarks.proof`.
"""

from __future__ import annotations

import base64
import json
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3

from benchmarks.measuring import LATENCY, alone, irsa, measure, report, sequential
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust.evaluation import explain
from irsa_cli.sandbox import Sandbox
from tests.support.eks import bearer
from tests.support.kubeclient import KubeClient
from tests.support.trusts import trust_of

ROUND_TRIPS = 6
ACCOUNTS = 300
SINGLE_RUNS = 5
"""Single runs that are measured; 300 of them would take minutes, so their best is taken 300 times."""
SHARE = 0.1
POLICIES = 20_000
NAMESPACE = "many"
AUDIENCE = "sts.amazonaws.com"


def results(sandbox: Sandbox, env: Mapping[str, str]) -> list[bool]:
    """Measure everything; whether each limit holds."""
    _make_accounts(env)
    sandbox.latency = LATENCY
    single, trips = float("inf"), sys.maxsize
    for number in range(SINGLE_RUNS):
        sandbox.calls.clear()
        single = min(single, measure(_verify(f"sa-{number}"), env).seconds)
        # A busy machine may put calls one after the other that would go out together.
        trips = min(trips, sequential(list(sandbox.calls)))
    everything = min(measure(_verify("-A"), env).seconds for _ in range(2))
    sandbox.latency = 0.0
    share = everything / (ACCOUNTS * single)
    rate = evaluations()
    print(f"      verify {single * 1000:.0f} ms (best of {SINGLE_RUNS}), -A of {ACCOUNTS} {everything:.1f} s")
    return [
        report("verify, sequential round trips", f"{trips}", f"{ROUND_TRIPS}", holds=trips <= ROUND_TRIPS),
        report(
            f"verify -A of {ACCOUNTS} / {ACCOUNTS} single runs (scaled)",
            f"1/{1 / share:.0f}",
            f"1/{1 / SHARE:.0f}",
            holds=share <= SHARE,
        ),
        report(
            "trust policies evaluated in a second of CPU time",
            f"{rate:,.0f}",
            f"{POLICIES:,}",
            holds=rate >= POLICIES,
        ),
    ]


def _verify(which: str) -> list[str]:
    return [irsa(), "verify", which, "-n", NAMESPACE, "-c", "demo", "-q"]


def _make_accounts(env: Mapping[str, str]) -> None:
    """ServiceAccounts, each with a role of its own, made as by somebody else."""
    eks, iam = _client("eks", env), _client("iam", env)
    cluster = eks.describe_cluster(name="demo")["cluster"]
    issuer = cluster["identity"]["oidc"]["issuer"]
    ca = base64.b64decode(cluster["certificateAuthority"]["data"]).decode()
    kube = KubeClient(cluster["endpoint"], ca, bearer(env, "demo"))
    kube.create("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    (provider,) = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]

    def make(name: str) -> None:
        identity = _identity(provider["Arn"], issuer, name)
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust_of(identity)))["Role"]
        metadata = {"name": name, "annotations": {"eks.amazonaws.com/role-arn": role["Arn"]}}
        answer = kube.create(f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts", {"metadata": metadata})
        assert answer.status == 201, answer.text

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(make, (f"sa-{number}" for number in range(ACCOUNTS))))


def _client(service: str, env: Mapping[str, str]) -> Any:
    keys = {name: env[name.upper()] for name in ("aws_access_key_id", "aws_secret_access_key")}
    place = {"endpoint_url": env["AWS_ENDPOINT_URL"], "region_name": env["AWS_REGION"]}
    return boto3.client(service, **place, **keys)  # type: ignore[call-overload]


def _identity(provider: str, issuer: str, name: str) -> WebIdentity:
    return WebIdentity(provider, issuer, f"system:serviceaccount:{NAMESPACE}:{name}", AUDIENCE)


def evaluations(rounds: int = 3) -> float:
    """Trust policies evaluated in a second of processor time, each another, with all that verify asks."""
    cases = list(_policies(POLICIES))
    best = 0.0
    for _ in range(rounds):
        started = time.process_time()
        for document, identity in cases:
            explain(document, identity)
        best = max(best, len(cases) / (time.process_time() - started))
    return best


def _policies(count: int) -> Iterator[tuple[dict[str, Any], WebIdentity]]:
    """Policies for one subject, for a pattern, and of three statements; half of them do not admit."""
    issuer = "https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
    provider = f"arn:aws:iam::111122223333:oidc-provider/{issuer.removeprefix('https://')}"
    for number in range(count):
        identity = _identity(provider, issuer, f"sa-{number}")
        other = _identity(provider, issuer, f"other-{number}")
        first = identity if number % 2 else other
        kind = number % 3
        document = trust_of(first)
        if kind == 1:
            pattern = WebIdentity(provider, issuer, f"{first.subject[:-1]}*", AUDIENCE)
            document = trust_of(pattern, pattern=True)
        elif kind == 2:
            document["Statement"] = [*trust_of(other)["Statement"] * 2, *document["Statement"]]
        yield document, identity


if __name__ == "__main__":
    sys.exit(alone(results))
