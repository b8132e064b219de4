"""What to do next, in terms of configuration files.

The steps are written where errors are made, for the commands about one ServiceAccount. What is no option of
`apply`, `diff` or `delete -f` becomes a field of the file, or the command that has it.
"""

from __future__ import annotations

import re
import shlex

from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import IrsaError

_FIELDS = (
    (r"run this again with --associate-oidc", "say withOIDC: true in the file, and run this again"),
    (
        r"run this again with --attach-role-arn (\S+)",
        r"say attachRoleARN: \1 in the entry, and run this again",
    ),
    (r"use a --subject-pattern", "say subjectPattern in an entry"),
    (
        r"(a role of another name: )run this again with --role-name",
        r"\1say roleName in the entry, and run this again",
    ),
)


def in_terms_of_files(
    error: Exception | None, cluster: Cluster, full_name: str, *, forces: bool = False, deletes: bool = False
) -> Exception | None:
    """The error with next steps that can be gone; `forces`: the command that runs has `--force`.

    `deletes`: it is a deletion of the ServiceAccount `full_name` that failed.
    """
    if not isinstance(error, IrsaError):
        return error
    steps = [_step(step, cluster, full_name, forces, deletes) for step in error.next_steps]
    return error.but(next_steps=steps)


def _step(step: str, cluster: Cluster, full_name: str, forces: bool, deletes: bool) -> str:
    for pattern, words in _FIELDS:
        step = re.sub(pattern, words, step)
    if not deletes:
        return step
    namespace, _, name = full_name.partition("/")
    where = (
        f"-n {shlex.quote(namespace)} -c {shlex.quote(cluster.name)} -r {cluster.region}{cluster.home_option}"
    )
    delete = f"irsa delete-sa {shlex.quote(name)} {where}"
    step = step.replace("keep it: --keep-role", f"keep it: {delete} --keep-role")
    step = step.replace("run this again without --role-only, or with --force", "run this again with --force")
    return step if forces else step.replace("run this again with --force", f"{delete} --force")
