"""`irsa init`: the bindings of a cluster as a configuration file."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from irsa_cli.aws import iam
from irsa_cli.core.inventory.bindings import Bindings, BoundRole
from irsa_cli.core.inventory.bindings_file import text_of
from irsa_cli.core.values.arn import Arn
from irsa_cli.usecases.command.connect import WireLog, connect
from irsa_cli.usecases.read.readable import read
from irsa_cli.usecases.show.get_sa import Request, bindings_of


def file_of(request: Request, log: WireLog) -> tuple[Bindings, str]:
    """The bindings and their file; raises as `get_bindings` does."""
    connection = connect(request.target, kube=True, log=log)
    found = bindings_of(connection, request)
    roles = [item.role for item in found.items if isinstance(item.role, BoundRole) and item.role.inline]
    with ThreadPoolExecutor(8) as pool:
        reads = {}
        for role in roles:
            session = connection.session_of(Arn.parse(role.arn).account)
            if session is not None:
                reads[role.arn] = pool.submit(
                    read, partial(iam.inline_policies, session.client("iam"), role.name)
                )
    return found, text_of(found, {arn: future.result() for arn, future in reads.items()})
