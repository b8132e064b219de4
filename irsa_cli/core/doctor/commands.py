"""Commands that causes propose, to be pasted: each reaches what was looked at, and every name is one word.

What they are proposed for is in `irsa_cli.core.doctor.causes`.
"""

from __future__ import annotations

import shlex

from irsa_cli.core.doctor import doubt
from irsa_cli.core.doctor.facts import Facts, Subject
from irsa_cli.core.doctor.owners import restart
from irsa_cli.core.doctor.proposals import comment
from irsa_cli.core.doctor.subjects import ROLE_ENV, audience_of
from irsa_cli.core.objects.aws import Role
from irsa_cli.core.objects.kinds import Pod
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.policies.policy import Document, dump
from irsa_cli.core.values.issuer import DEFAULT_AUDIENCE
from irsa_cli.core.values.shown import unspaced


def webhook_shown(facts: Facts, configuration: str) -> str:
    """The command that shows the configuration of a webhook."""
    name = shlex.quote(configuration)
    return facts.reach.kubectl(f"get mutatingwebhookconfiguration {name} -o yaml")


def annotate(facts: Facts, value: str, key: str = ROLE_ARN_ANNOTATION) -> str:
    """The command that sets an annotation to a role's ARN, which has no space or invisible character."""
    pair = shlex.quote(f"{key}={unspaced(value)}")
    return _annotation(facts, f"--overwrite {pair}")


def unannotate(facts: Facts, key: str) -> str:
    """The command that takes an annotation off the ServiceAccount."""
    return _annotation(facts, shlex.quote(f"{key}-"))


def _annotation(facts: Facts, what: str) -> str:
    subject = facts.named
    return facts.reach.kubectl(
        f"annotate serviceaccount {shlex.quote(subject.name)} {what}", subject.namespace
    )


def annotate_anew(facts: Facts, value: str, key: str = ROLE_ARN_ANNOTATION, *, more: str = "") -> str:
    """The same with the commands that have those pods made anew which don't have this role yet.

    `more` is appended to the first command: other annotations that it writes or takes away.
    """
    subject = facts.named
    pods = subject.pods if isinstance(subject.pods, tuple) else ()
    users = [pod for pod in pods if pod.service_account == subject.name and pod.is_alive]
    stale = [pod for pod in users if not _asks_for(pod, unspaced(value))]
    lines = "\n".join(filter(None, (annotate(facts, value, key) + more, restart(facts, stale))))
    return doubt.proposed(doubt.of_role(facts, subject, unspaced(value)), value, lines)


def _asks_for(pod: Pod, role: str) -> bool:
    return any(item.env.get(ROLE_ENV) == role for item in pod.containers)


def of_account(facts: Facts, command: str, subject: Subject, more: str = "") -> str:
    """An irsa command about a ServiceAccount; `more` are arguments that follow."""
    return facts.reach.for_irsa(f"{command} {words(subject.name, subject.namespace)}", more)


def words(name: str, namespace: str) -> str:
    """A ServiceAccount as irsa's commands name it."""
    return f"{shlex.quote(name)} -n {shlex.quote(namespace)}"


def admit(facts: Facts, subject: Subject, role: str) -> str:
    """The command that adds the statement which the role's trust policy lacks, and annotates."""
    return attach(facts, subject, role, more=" --update-trust")


def attach(facts: Facts, subject: Subject, role: str, *, more: str = "") -> str:
    """The command that binds the ServiceAccount to a role that is there; it makes what is missing."""
    audience = audience_of(facts, subject)
    extra = "" if audience == DEFAULT_AUDIENCE else f" --audience {shlex.quote(audience)}"
    line = of_account(facts, "create-sa", subject, f"--attach-role-arn {shlex.quote(role)}{more}{extra}")
    return doubt.proposed(doubt.of_role(facts, subject, role, audience=audience), role, line)


def create(facts: Facts) -> str:
    """The commands that make the ServiceAccount alone, and its namespace where that is not there either."""
    subject = facts.named
    name, namespace = shlex.quote(subject.name), shlex.quote(subject.namespace)
    commands = [facts.reach.kubectl(f"create serviceaccount {name}", subject.namespace)]
    if subject.namespace_labels is None:
        commands.insert(0, facts.reach.kubectl(f"create namespace {namespace}"))
    return "\n".join(commands)


def make(facts: Facts, subject: Subject) -> str:
    """The command that makes a role of the ServiceAccount's own."""
    return of_account(facts, "create-sa", subject, "--attach-policy-arn ARN")


def rewrite_trust(facts: Facts, role: Role, document: Document, why: str) -> str:
    """The command that writes a role's trust policy, in the role's own account; `why` is a doubt about it."""
    name, text = shlex.quote(role.name), shlex.quote(dump(document))
    command = f"iam update-assume-role-policy --role-name {name} --policy-document {text}"
    return doubt.proposed(why, role.arn, in_account(facts, role.account, command))


def in_account(facts: Facts, account: str, command: str) -> str:
    """A command of the AWS CLI; a comment where it is another account's: it wants credentials from there."""
    if account == facts.cluster.account:
        return facts.reach.aws(command)
    return comment(f"aws {command} # in account {account}")


def eks(facts: Facts, command: str, more: str = "") -> str:
    """A command of EKS about the cluster; `more` are options that follow."""
    cluster = facts.cluster
    what = f"eks {command} --cluster-name {shlex.quote(cluster.name)}"
    return facts.reach.aws(f"{what} {more}".rstrip(), cluster.region)
