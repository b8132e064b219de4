"""What completes the values of options: names, as far as they are known without asking.

Where they are known from is `irsa_cli.usecases.local`'s business. Nothing here fails: who presses a key wants
no error. Imported with every option, so it imports nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import click
from click.core import ParameterSource

LIVE = "IRSA_COMPLETE_LIVE"
"""Not empty: clusters and ServiceAccounts are also asked live, within a second."""
Completer = Callable[[click.Context, click.Parameter, str], "list[str]"]


def completed(kind: str) -> Completer:
    """What completes a value of a kind: clusters, regions, namespaces, accounts, profiles, policies."""

    def complete(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
        try:
            return [name for name in _names(kind, context) if name.startswith(incomplete)]
        except Exception:
            return []

    return complete


def _names(kind: str, context: click.Context) -> Sequence[str]:
    if kind == "policies":
        from irsa_cli.core.policies import wellknown

        return [*wellknown.names()]
    from irsa_cli.cli.help.state_folder import state_dir
    from irsa_cli.usecases.local import known_names

    state = state_dir(context.params.get("state_dir") or os.environ.get("IRSA_STATE_DIR"))
    if kind == "profiles":
        return known_names.profiles()
    if kind == "regions":
        return known_names.regions(state)
    if kind == "clusters":
        return [*dict.fromkeys((*known_names.clusters(state), *_live("clusters", context)))]
    cluster = context.params.get("cluster") or known_names.cluster_in_force()
    found = [*known_names.accounts(state, cluster), *(_live("accounts", context, cluster) if cluster else ())]
    if kind == "namespaces":
        more = [name.partition("/")[0] for name in found]
        return [*dict.fromkeys((*known_names.namespaces(state, cluster), *more))]
    if kind == "places":
        return [*dict.fromkeys(found)]
    namespace = context.params.get("namespace") or "default"
    if context.get_parameter_source("namespace") is ParameterSource.DEFAULT:
        namespace = known_names.namespace_in_force()
    return [*dict.fromkeys(name.partition("/")[2] for name in found if name.startswith(f"{namespace}/"))]


def _live(kind: str, context: click.Context, cluster: str = "") -> Sequence[str]:
    if not os.environ.get(LIVE, "").strip():
        return ()
    from irsa_cli.usecases.local import known_names, live

    region, profile = (str(context.params.get(name) or "") for name in ("region", "profile"))
    return known_names.safe(live.names(kind, region=region, profile=profile, cluster=cluster))
