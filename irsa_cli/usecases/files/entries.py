"""What the entries of configuration files mean in one cluster: a wish for each of them.

Which files and clusters there are is `irsa_cli.usecases.files.targets`' business, making it true that of
`irsa_cli.usecases.files.apply`.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property

from irsa_cli.core.binding.spec import DesiredState
from irsa_cli.core.config import Binding, OtherCluster
from irsa_cli.core.values.errors import IrsaError, Refused
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.files.from_config import request_of
from irsa_cli.usecases.files.kept_role import with_kept_role
from irsa_cli.usecases.files.request import Request
from irsa_cli.usecases.files.targets import Place
from irsa_cli.usecases.read.snapshot import WORKERS, Snapshot
from irsa_cli.usecases.write.create_sa import bounded, desired_state_of


@dataclass(frozen=True)
class Entries:
    """The entries of one cluster, and what is there of it."""

    place: Place
    request: Request
    connection: Connection
    snapshot: Snapshot

    def desired_states(self) -> list[DesiredState | IrsaError]:
        """What each entry means here, or why it can't be meant."""
        with suppress(IrsaError):
            _ = self._issuers  # Looked up once, before several threads ask for them.
        with ThreadPoolExecutor(WORKERS) as pool:
            return list(pool.map(self._desired, self.place.bindings))

    def _desired(self, binding: Binding) -> DesiredState | IrsaError:
        cluster = self.connection.cluster
        try:
            request = replace(
                request_of(binding, self.place.target, self._issuers),
                override=self.request.override,
                force=self.request.force,
                update_trust=self.request.update_trust and bool(binding.attach_role_arn),
                verify=self.request.verify and not binding.role_only,
                boundaries=self.request.boundaries,
            )
            if not binding.attach_role_arn:
                request = bounded(request)
            account = self.snapshot.account(binding.namespace, binding.name, needed=not binding.role_only)
            request = with_kept_role(self.connection, request, account)
            try:
                return desired_state_of(request, cluster)
            except Refused:  # By IAM's default quota; the account's own may be higher.
                return desired_state_of(request, cluster, self.snapshot.trust_quota)
        except IrsaError as error:
            return error

    @cached_property
    def _issuers(self) -> dict[OtherCluster, str]:
        """The issuers of the further clusters that entries name."""
        others = {item for binding in self.place.bindings for item in binding.clusters if not item.issuer}
        return {item: self._issuer(item.name, item.region) for item in others}

    def _issuer(self, name: str, region: str) -> str:
        from irsa_cli.aws.cluster import describe
        from irsa_cli.aws.session import AwsSession

        target = self.place.target
        aws: AwsSession = self.connection.aws
        if region and region != aws.region:
            aws = AwsSession(
                profile=target.profile,
                region=region,
                assume_role=target.assume_role,
                log=self.connection.wire_log,
            )
        return describe(aws, name).cluster.issuer
