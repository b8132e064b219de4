"""`irsa policies`: the catalog of well-known policies in `irsa_cli.core.policies.wellknown`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import click

from irsa_cli.cli.help.helping import HelpedGroup
from irsa_cli.cli.options import completion
from irsa_cli.cli.options.fields import argument, bound, many, once
from irsa_cli.cli.options.kinds import TEXT, Checked
from irsa_cli.cli.options.outputs import output_flag
from irsa_cli.cli.options.values import wrong_usage
from irsa_cli.cli.output.report import Report
from irsa_cli.cli.output.speaking import in_form
from irsa_cli.core.policies import wellknown, wellknown_uses
from irsa_cli.core.policies.policy import WellKnown
from irsa_cli.core.policies.wellknown import Resolved, WellKnownPolicy
from irsa_cli.core.results.envelope import DocumentKind, Envelope, ReadOutcome
from irsa_cli.core.values import arn
from irsa_cli.core.values.names import account_json

_FORMS = ("text", "json", "yaml", "name")


@click.group("policies", cls=HelpedGroup, epilog="  irsa policies list -o name")
def command() -> None:
    """List and show well-known policies.

    These are the policies of common controllers, from their own documentation. Use one with create-sa
    --well-known-policy, or wellKnownPolicies in a configuration file.
    """


@dataclass(frozen=True, kw_only=True)
class ListOptions:
    """The form of the list."""

    output: str = output_flag(*_FORMS)


@command.command("list", epilog="  irsa policies list")
@bound(ListOptions)
def listing(options: ListOptions) -> None:
    """List the policies."""
    output = options.output
    policies = [wellknown.get(name) for name in wellknown.names()]
    if output != "text":
        documents = [_facts(policy) for policy in policies]
        click.echo(in_form(Report(Envelope(DocumentKind.POLICIES, ReadOutcome.OK, items=documents)), output))
        return
    width = max(len(policy.name) for policy in policies)
    for policy in policies:
        click.echo(f"{policy.name:<{width}}  {policy.title}")


@dataclass(frozen=True, kw_only=True)
class ShowPolicyOptions:
    """The policy, and the values of its parameters."""

    name: str = argument(kind=click.STRING, required=True, complete=completion.well_known_policies)
    partition: str = once(
        "--partition",
        kind=Checked("partition", arn.check_partition),
        default="aws",
        help="Partition of the ARNs: aws, aws-cn, aws-us-gov, ... [default: aws]",
    )
    parameters: tuple[str, ...] = many(
        "--param", kind=TEXT, metavar="K=V,...", help="Parameter and its values (repeat)."
    )
    output: str = output_flag(*_FORMS)


@command.command("show")
@bound(ShowPolicyOptions)
def show(options: ShowPolicyOptions) -> None:
    """Show a policy: documents, parameters and source.

    Required parameters without a value are shown as ${name}.

    Examples:
      irsa policies show externalDNS
      irsa policies show externalDNS --partition aws-cn -o json
    """
    name = options.name
    with wrong_usage():
        policy = wellknown.get(name)
        use = WellKnown(name, wellknown_uses.read_parameters(options.parameters))
        resolved = wellknown_uses.sketch(use, options.partition)
    if options.output == "text":
        for line in _lines(policy, resolved):
            click.echo(line)
        return
    facts = {**_facts(policy), "policyARNs": list(resolved.policies), "document": resolved.inline.get(name)}
    report = Report(Envelope(DocumentKind.POLICIES, ReadOutcome.OK, items=[facts]))
    click.echo(in_form(report, options.output))


def _facts(policy: WellKnownPolicy) -> dict[str, Any]:
    """The facts about a policy that do not depend on its parameters."""
    parameters = [
        {
            "name": parameter.name,
            "description": parameter.description,
            "required": parameter.name in policy.required,
            "many": parameter.many,
            "default": list(parameter.default),
        }
        for parameter in policy.parameters.values()
    ]
    return {
        "name": policy.name,
        "title": policy.title,
        "serviceAccount": account_json(policy.service_account),
        "source": policy.source,
        "version": policy.version,
        "date": policy.date,
        "notes": list(policy.notes),
        "parameters": parameters,
    }


def _lines(policy: WellKnownPolicy, resolved: Resolved) -> Iterator[str]:
    yield f"{policy.name}: {policy.title}"
    yield f"  source: {policy.source} ({policy.version}, {policy.date})"
    if policy.service_account:
        yield f"  usual ServiceAccount: {policy.service_account}"
    yield from (f"  note: {note}" for note in policy.notes)
    for parameter in policy.parameters.values():
        rules = ["required" if parameter.name in policy.required else "optional"]
        if parameter.default:
            rules = [f"default {', '.join(parameter.default)}"]
        if parameter.many:
            rules.append("several")
        yield f"  parameter {parameter.name}: {parameter.description} ({', '.join(rules)})"
    yield from (f"  managed policy: {arn}" for arn in resolved.policies)
    for document in resolved.inline.values():
        yield from json.dumps(document, indent=2).splitlines()
