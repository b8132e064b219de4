"""The state of the sandbox's AWS: moto's backends, by account and partition, and how moto is called.

moto keeps its state in the process and has no locks; all that touches it holds `Cloud.lock`. moto is
imported for a new `Cloud`. AWS's refusals are decided elsewhere, before moto is called.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Any

from irsa_cli.sandbox.aws.messages import AwsError, AwsRequest, read_request
from irsa_cli.sandbox.exchange import Incoming, call_app
from irsa_cli.sandbox.model import BY_NAME, Answer, RoleSpec, table

_ERROR_CODE = re.compile(rb"<Code>([^<]*)</Code>")
_PRINCIPAL = re.compile(r"arn:([^:]+):iam::(\d{12}):(user|role)/.+")
MANAGED: list[str] = table("managed policies")
"""The policies that AWS manages which every account has; the path is / but for those in `_PATHS`."""
_PATHS = {"AmazonEBSCSIDriverPolicy": "/service-role/"}
_DEMO_BUCKETS = ("reports", "images")
_OF_SERVER = ("access-control", "connection", "content-length", "server")
"""Beginnings of headers that are moto's server's."""


class Cloud:
    """moto, with accounts that are created at first use."""

    def __init__(self) -> None:
        _teach_moto_all_partitions()
        self.lock = threading.RLock()
        self._opened: set[tuple[str, str]] = set()
        self._with_buckets: set[tuple[str, str]] = set()

    def close(self) -> None:
        """Forget everything, also the accounts."""
        from moto.core.base_backend import BackendDict

        with self.lock:
            BackendDict.reset()
            self._opened.clear()
            self._with_buckets.clear()

    def reset(self) -> None:
        """Forget everything in all accounts; the accounts themselves and their administrators stay."""
        with self.lock:
            opened = self.accounts()
            self.close()
            for account, partition in opened:
                self.open_account(account, partition)

    def accounts(self) -> list[tuple[str, str]]:
        """The accounts that exist, each as (account id, partition)."""
        return sorted(self._opened)

    def iam(self, account: str, partition: str) -> Any:
        from moto.iam.models import iam_backends

        return iam_backends[account][partition]

    def open_account(self, account: str, partition: str) -> None:
        """Give a new account AWS's managed policies and the user `admin`."""
        from moto.iam.models import AWSManagedPolicy

        with self.lock:
            if (account, partition) in self._opened:
                return
            self._opened.add((account, partition))
            iam = self.iam(account, partition)
            for name in MANAGED:
                policy = AWSManagedPolicy(  # type: ignore[abstract] # as in moto
                    name,
                    account_id=account,
                    region=partition,
                    path=_PATHS.get(name, "/"),
                    document=json.dumps(published(name)),
                )
                iam.aws_managed_policies.append(policy)
                iam.managed_policies[policy.arn] = policy
            self.add_user(account, partition, "admin")
            iam.attach_user_policy(f"arn:{partition}:iam::aws:policy/AdministratorAccess", "admin")

    def add_user(
        self, account: str, partition: str, name: str, policy: Mapping[str, Any] | None = None
    ) -> None:
        from moto.iam.models import AccessKey

        with self.lock:
            iam = self.iam(account, partition)
            if name in iam.users:
                raise ValueError(f"user {name} exists in account {account}")
            user = iam.create_user(BY_NAME[partition].home, name)
            user.id = f"AIDA{user.id[:17].upper()}"
            if policy is not None:
                user.put_policy("sandbox", json.dumps(policy))
            key = AccessKey(  # type: ignore[abstract] # as in moto
                name, prefix="AKIA", account_id=account
            )
            key.access_key_id, key.secret_access_key = user_key(account, partition, name)
            user.access_keys.append(key)
            iam.access_keys[key.access_key_id] = key

    def put_role(self, account: str, partition: str, spec: RoleSpec) -> None:
        """Put a role there, without moto's search for one of the same name."""
        from moto.iam.models import Role
        from moto.iam.utils import random_role_id

        with self.lock:
            iam = self.iam(account, partition)
            number = random_role_id(account)
            tags = [{"Key": key, "Value": value} for key, value in spec.tags.items()]
            named = (account, partition, number, spec.name, json.dumps(spec.trust), spec.path)
            role = Role(*named, None, "", tags, "3600")  # type: ignore[abstract] # as in moto
            for arn in spec.policies:
                iam.managed_policies[arn].attach_to(role)
            iam.roles[number] = role

    def age_roles(self, account: str, partition: str, days: float) -> None:
        """Let all roles have been created so many days ago, and not have been used since."""
        with self.lock:
            for role in self.iam(account, partition).roles.values():
                role.create_date -= timedelta(days=days)
                role.last_used = None

    def principal(self, arn: str) -> Any:
        match = _PRINCIPAL.fullmatch(arn)
        if match is None or match.group(2, 1) not in self.accounts():
            return None
        iam = self.iam(match[2], match[1])
        holders = iam.users if match[3] == "user" else iam.roles
        return next((holder for holder in holders.values() if holder.arn == arn), None)

    def forget_principal(self, arn: str, unique_id: str) -> None:
        """In all trust policies, put the unique id of a role that is gone in the place of its ARN.

        https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
        """

        def renamed(principal: dict[str, Any]) -> dict[str, Any]:
            names = principal.get("AWS")
            if isinstance(names, list):
                return {**principal, "AWS": [unique_id if name == arn else name for name in names]}
            return {**principal, "AWS": unique_id} if names == arn else principal

        for account, partition in self.accounts():
            for role in self.iam(account, partition).roles.values():
                text = role.assume_role_policy_document
                if f'"{arn}"' in text:
                    role.assume_role_policy_document = json.dumps(json.loads(text, object_hook=renamed))

    def add_bucket(self, account: str, partition: str, name: str) -> None:
        from moto.s3.models import s3_backends

        with self.lock:
            self._ensure_demo_buckets(account, partition)
            s3_backends[account][partition].create_bucket(name, BY_NAME[partition].home)

    def _ensure_demo_buckets(self, account: str, partition: str) -> None:
        from moto.s3.models import s3_backends

        if (account, partition) not in self._with_buckets:
            self._with_buckets.add((account, partition))
            for topic in _DEMO_BUCKETS:
                name = f"demo-{topic}-{account}-{partition}"
                s3_backends[account][partition].create_bucket(name, BY_NAME[partition].home)

    def forward(self, request: AwsRequest, account: str, partition: str) -> Answer:
        """Let moto execute a call. It reads service and region from one header, the account from another."""
        region = request.region or BY_NAME[partition].home
        key = request.signature.access_key if request.signature else "AKIASANDBOXSANDBOX00"
        scope = f"AWS4-HMAC-SHA256 Credential={key}/20260101/{region}/{request.service}/aws4_request"
        own = {"authorization": f"{scope}, SignedHeaders=host, Signature=0", "x-moto-account-id": account}
        call = Incoming(request.method, request.target, {**request.headers, **own}, request.body)
        with self.lock:
            if request.service == "s3":
                self._ensure_demo_buckets(account, partition)
            try:
                code, headers, body = call_app(_app(request.service), call)
            except Exception as error:
                # moto raises what it doesn't implement and what it trips over.
                message = f"The sandbox can't execute {request.operation}: {error!r}"
                raise AwsError("NotImplemented", message, 501) from error
        error_code = ""
        if code >= 400:
            written = _ERROR_CODE.search(body)
            error_code = written[1].decode() if written else str(code)
        answer_headers = {
            name: value for name, value in headers.items() if not name.lower().startswith(_OF_SERVER)
        }
        if request.method == "HEAD":
            answer_headers["Content-Length"] = headers.get("Content-Length", "0")
        return Answer(code, body, answer_headers, error_code)

    def warm(self, account: str, partition: str) -> None:
        """Make moto load what its first call would have to wait for, a tenth of a second."""
        headers = {"content-type": "application/x-www-form-urlencoded"}
        body = b"Action=ListAccountAliases&Version=2010-05-08"
        self.forward(read_request(Incoming("POST", "/", headers, body)), account, partition)


@cache
def _app(service: str) -> Any:
    from moto.moto_server.werkzeug_app import create_backend_app

    return create_backend_app(service)  # type: ignore[arg-type]


@cache
def published(name: str) -> dict[str, Any] | None:
    """A managed policy's document by moto's large collection, parsed alone; None if it has none."""
    from moto.iam.aws_managed_policies import aws_managed_policies_data as collection

    at = collection.find(f"\n {json.dumps(name)}:")
    if at < 0:
        return None
    entry, _ = json.JSONDecoder().raw_decode(collection, collection.index("{", at))
    document: dict[str, Any] = entry["Document"]
    return document


def user_key(account: str, partition: str, name: str) -> tuple[str, str]:
    """The access key (id and secret) of a user of the sandbox: the same after every start and reset."""
    digest = hashlib.sha256(f"{partition}/{account}/{name}".encode()).digest()
    return "AKIA" + base64.b32encode(digest)[:16].decode(), base64.b64encode(digest)[:40].decode()


def _teach_moto_all_partitions() -> None:
    """Moto 5.2.5 takes the regions of the two newest isolated partitions for those of `aws`."""
    from moto.utilities import utils

    for partition in BY_NAME.values():
        if partition.name not in utils.PARTITION_NAMES:
            utils.PARTITION_NAMES.append(partition.name)
            utils.REGION_PREFIX_TO_PARTITION[partition.region_prefix] = partition.name
    import moto.iam.models as iam_models

    # Names that other modules have copied from `utils`.
    iam_models.ARN_PARTITION_REGEX = (  # type: ignore[attr-defined]
        r"^arn:(" + "|".join(sorted(utils.PARTITION_NAMES)) + ")"
    )


def iam_world(iam: Any) -> dict[str, Any]:
    """The roles, own policies and OIDC providers of moto's backend. Taken with `Cloud.lock` held."""
    own = [policy for policy in iam.managed_policies.values() if ":iam::aws:" not in policy.arn]
    return {
        "roles": {role.name: _role(role) for role in iam.roles.values()},
        "policies": {policy.arn: _policy(policy) for policy in own},
        "oidc_providers": {arn: _provider(provider) for arn, provider in iam.open_id_providers.items()},
    }


def _role(role: Any) -> dict[str, Any]:
    return {
        "arn": role.arn,
        "path": role.path,
        "trust": json.loads(role.assume_role_policy_document),
        "description": role.description or "",
        "max_session_duration": int(role.max_session_duration or 3600),
        "boundary": role.permissions_boundary_arn,
        "tags": pairs(role.tags),
        "attached": sorted(role.managed_policies),
        "inline": {name: json.loads(text) for name, text in sorted(role.policies.items())},
    }


def _policy(policy: Any) -> dict[str, Any]:
    return {
        "name": policy.name,
        "path": policy.path,
        "default_version": policy.default_version_id,
        "versions": {version.version_id: json.loads(version.document) for version in policy.versions},
        "attachments": policy.attachment_count,
        "tags": pairs(policy.get_tags()),
    }


def _provider(provider: Any) -> dict[str, Any]:
    return {
        "url": provider.url,
        "audiences": sorted(provider.client_id_list),
        "thumbprints": list(provider.thumbprint_list or []),
        "tags": pairs(provider.get_tags()),
    }


def pairs(tags: list[dict[str, str]]) -> dict[str, str]:
    """Tags as a mapping, in the order of their keys."""
    return {tag["Key"]: tag["Value"] for tag in sorted(tags, key=lambda tag: tag["Key"])}
