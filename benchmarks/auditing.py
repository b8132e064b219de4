"""An audit of a large account: processor time and memory, among many clusters and ServiceAccounts.

What is read is made here: reading grows with pages, see tests/scenarios. Called by `benchmarks.run`.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Iterator

from benchmarks.measuring import report
from irsa_cli.core.audit.auditing import Audit
from irsa_cli.core.audit.estate import AuditedAccount, AuditedCluster, Estate
from irsa_cli.core.audit.reach import who_can
from irsa_cli.core.objects.role import Role
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.rbac.objects import RbacBinding, RbacObjects, RbacRole, RbacRule, RbacSubject, RoleRef
from tests.support.estates import ADMIN, READ, SA, account, admits, arn_of, cluster, estate, role

ROLES, ACCOUNTS, CLUSTERS = 5000, 3000, 20
SECONDS, MEGABYTES = 20.0, 300
SPACES = 60


def auditing() -> list[bool]:
    """5,000 roles x 3,000 ServiceAccounts in each of 20 clusters, in a process of its own."""
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.auditing"], check=True, capture_output=True, text=True
    )
    seconds, megabytes, risks = map(float, ran.stdout.split())
    print(f"      audit of {ROLES} roles, {CLUSTERS} clusters of {ACCOUNTS}: {risks:.0f} risks")
    return [
        report("audit: processor time", f"{seconds:.1f} s", f"{SECONDS:.0f} s", holds=seconds <= SECONDS),
        report("audit: peak memory", f"{megabytes:.0f} MB", f"{MEGABYTES} MB", holds=megabytes <= MEGABYTES),
    ]


def large() -> Estate:
    """The account: nine roles in ten are tight, the others wide in one of the usual ways."""
    names = [f"c{number}" for number in range(CLUSTERS)]
    return estate(map(_role, range(ROLES)), map(_cluster, names))


def _cluster(name: str) -> AuditedCluster:
    return cluster(name, *_accounts(int(name[1:])), rbac=_rbac())


def _rbac() -> RbacObjects:
    """Ten bindings in each namespace and 200 in the whole cluster, of 100 roles; some are for everybody."""
    rules = (RbacRule(("create", "get"), ("", "apps"), ("pods", "deployments")),)
    roles = tuple(RbacRole(RoleRef("ClusterRole", f"role-{number}"), rules) for number in range(100))
    refs = [role.ref for role in roles]
    users = tuple((RbacSubject("User", f"user-{number}"),) for number in range(200))
    everybody = (RbacSubject("Group", "system:authenticated"),)
    everywhere = [
        RbacBinding("ClusterRoleBinding", f"b-{number}", refs[number % 100], users[number])
        for number in range(200)
    ]
    limited = [
        RbacBinding("RoleBinding", f"b-{number}", refs[number], users[number], f"ns-{space}")
        for space in range(SPACES)
        for number in range(10)
    ]
    limited += [
        RbacBinding("RoleBinding", "all", refs[0], everybody, f"ns-{space}") for space in range(0, SPACES, 10)
    ]
    everywhere.append(RbacBinding("ClusterRoleBinding", "all", refs[0], everybody))
    return RbacObjects((), roles, tuple(limited), tuple(everywhere))


def _accounts(place: int) -> Iterator[AuditedAccount]:
    for number in range(ACCOUNTS):
        bound = number < ROLES // CLUSTERS
        yield account(
            f"app-{number}", f"r{number * CLUSTERS + place}" if bound else "", f"ns-{number % SPACES}"
        )


def _role(number: int) -> Role:
    place, own = number % CLUSTERS, number // CLUSTERS
    home, space = f"c{place}", f"ns-{own % SPACES}"
    statements: tuple[Document, ...] = (admits(home, f"{SA}{space}:app-{own}"),)
    if number % 100 == 0:
        statements = tuple(admits(f"c{other}", None) for other in range(CLUSTERS))
    elif number % 10 == 0:
        statements = (admits(home, f"{SA}{space}:app-{own}*", operator="StringLike"),)
    elif number % 10 == 1:
        hop = {"Effect": "Allow", "Principal": {"AWS": arn_of(f"r{number - 1}")}, "Action": "sts:AssumeRole"}
        statements = (*statements, hop)
    return role(f"r{number}", *statements, attached=(ADMIN if number % 50 == 0 else READ,))


def main() -> None:
    """Print processor seconds, megabytes, and how many risks were found."""
    began = time.process_time()
    audit = Audit(large())
    made = time.process_time()
    risks = len(audit.risks)
    judged = time.process_time()
    can = sum(1 for _ in who_can(audit.reach, "s3:DeleteBucket"))
    seconds = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    asked = time.process_time() - judged
    told = f"made {made - began:.1f} s, judged {judged - made:.1f} s, who-can {asked:.1f} s ({can})"
    print(told, file=sys.stderr)
    print(f"{seconds} {peak} {risks}")


if __name__ == "__main__":
    main()
