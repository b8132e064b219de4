"""The file of `irsa audit --accounts`: accounts, and the role to assume in each."""

from __future__ import annotations

from irsa_cli.core.config.entry_fields import access
from irsa_cli.core.config.nodes import compose
from irsa_cli.core.config.reader import Reader
from irsa_cli.core.values.errors import InvalidInput

OWN = ("irsa/v1", "Accounts")


def parse(text: str, source: str) -> tuple[str, ...]:
    """The roles of the accounts; raises `InvalidInput` with all problems."""
    reader = Reader(source)
    found: dict[str, str] = {}
    for node in compose(text, source):
        fields = reader.fields(node, ("apiVersion", "kind", "accounts"), "Accounts", {})
        kind = tuple(reader.text(fields[key]) for key in ("apiVersion", "kind") if key in fields)
        if kind != OWN:
            reader.problem(node, f"expected {' '.join(OWN)}")
        for item in reader.items(fields["accounts"], "accounts") if "accounts" in fields else ():
            account, role = access(reader, reader.fields(item, ("account", "assumeRole"), "accounts", {}))
            if not role or account in found:
                reader.problem(item, f"account {account} is there twice" if role else "expected assumeRole")
            found[account] = role
    reader.finish()
    if not found:
        raise InvalidInput(f"{source} names no account")
    return tuple(found.values())
