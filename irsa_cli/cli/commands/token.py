"""`irsa token`: its options and output; the work is in `irsa_cli.usecases.exec.identity`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from irsa_cli.cli.commands.identity import IdentityFlags, account_of, settled
from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options.fields import bound, group, once, switch
from irsa_cli.cli.options.kinds import AUDIENCE, WholeSeconds
from irsa_cli.cli.options.outputs import OutputFlags
from irsa_cli.cli.output.report import Report
from irsa_cli.cli.output.speaking import in_form
from irsa_cli.core.results.envelope import DocumentKind, Envelope, ReadOutcome
from irsa_cli.core.trust.jwt import Claims, read
from irsa_cli.core.values.shown import visible

if TYPE_CHECKING:
    from irsa_cli.usecases.exec.identity import Token
    from irsa_cli.usecases.read.identity import NamedServiceAccount

_MOMENTS = ("iat", "nbf", "exp", "auth_time")
"""Claims that are moments, in Unix seconds (RFC 7519, section 4.1)."""


@dataclass(frozen=True, kw_only=True)
class TokenOptions:
    """The ServiceAccount, and what its token is for."""

    identity: IdentityFlags = group(IdentityFlags)
    decode: bool = switch("--decode", help="Print the header and claims instead of the token.")
    audience: str | None = once(
        "--audience", kind=AUDIENCE, help="Audience of the token. [default: the ServiceAccount's]"
    )
    duration: int = once(
        "--duration",
        kind=WholeSeconds("10m", "24h"),
        default=3600,
        help="Lifetime to request, 10m to 24h. [default: 1h]",
    )
    output: OutputFlags = group(OutputFlags)


@click.command("token", cls=HelpedCommand)
@bound(TokenOptions)
def command(options: TokenOptions) -> int:
    """Print a ServiceAccount's token.

    Keep the token secret: until it expires, it gives anybody the ServiceAccount's permissions. With
    --decode, irsa prints the claims without verifying them. The cluster may shorten the lifetime.

    Examples:
      irsa token s3-reader -n backend -c prod --decode
      irsa token s3-reader -n backend -c prod --audience vault
    """
    from irsa_cli.usecases.exec.identity import audience_of, issue_token

    speaking = options.output.speaking()

    def work() -> str:
        account = account_of(options.identity, speaking)
        audience = options.audience or audience_of(account, speaking.progress.note)
        token = issue_token(account, audience, options.duration)
        if speaking.output == "text" and not options.decode:
            return token.text
        return _shown(account, token, audience, speaking.output, decode=options.decode)

    click.echo(settled(work, speaking, "TokenList"))
    return 0


def _shown(account: NamedServiceAccount, token: Token, audience: str, output: str, *, decode: bool) -> str:
    claims = read(token.text)
    if output == "text":
        return "\n".join(map(visible, decoded(claims, time.time())))
    document = {
        "serviceAccount": {"namespace": account.namespace, "name": account.name},
        "audience": audience,
        "expires": token.expiration,
        "token": None if decode else token.text,
        "header": claims.header if decode else None,
        "claims": claims.claims if decode else None,
    }
    cluster = account.connection.cluster
    envelope = Envelope(DocumentKind.TOKENS, ReadOutcome.OK, cluster=cluster, items=[document])
    return in_form(Report(envelope), output)


def decoded(token: Claims, now: float) -> Iterator[str]:
    """A token's readable parts, line by line; moments also by this machine's clock and time zone."""
    yield "Header"
    yield from _lines(token.header, "  ", now)
    yield "Claims (not verified)"
    yield from _lines(token.claims, "  ", now)


def _lines(values: Mapping[str, Any], indent: str, now: float) -> Iterator[str]:
    width = max((len(key) for key in values), default=0)
    for key, value in values.items():
        if isinstance(value, dict):
            yield f"{indent}{key}"
            yield from _lines(value, indent + "  ", now)
        elif key in _MOMENTS and isinstance(value, int | float):
            yield f"{indent}{key:<{width}}  {value}  {when(value, now)}"
        elif isinstance(value, list):
            yield f"{indent}{key:<{width}}  {', '.join(map(str, value))}"
        else:
            yield f"{indent}{key:<{width}}  {value}"


def when(moment: float, now: float) -> str:
    """A moment in words, by this machine's clock: `in 59 minutes, 14:30:05 CET`."""
    local = datetime.fromtimestamp(moment).astimezone()
    time_of_day = f"{local:%H:%M:%S %Z}"
    if local.date() != datetime.fromtimestamp(now).astimezone().date():
        time_of_day = f"{local:%Y-%m-%d} {time_of_day}"
    seconds = int(moment - now)
    distance = _distance(abs(seconds))
    if not distance:
        return f"now, {time_of_day}"
    return f"in {distance}, {time_of_day}" if seconds > 0 else f"{distance} ago, {time_of_day}"


def _distance(seconds: int) -> str:
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count = round(seconds / size)
        if seconds >= 2 * size or (count and unit == "second"):
            return f"{count} {unit}{'s' if count != 1 else ''}"
    return ""
