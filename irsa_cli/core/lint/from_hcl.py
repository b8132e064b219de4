"""Terraform files: the roles, policies and ServiceAccounts of a folder, in the form of a plan."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from irsa_cli.core.lint.found import Found, Nodes, Placed, Unjudged, as_dict
from irsa_cli.core.lint.from_aws import PROVIDER_HEAD
from irsa_cli.core.lint.from_terraform import ASSOCIATION, of_plan
from irsa_cli.core.lint.hcl import Block, Module
from irsa_cli.core.lint.local_modules import LocalModules, folder_of
from irsa_cli.core.lint.terraform_accounts import KINDS
from irsa_cli.core.policies.policy import as_list
from irsa_cli.core.trust.rules.rule import FilePlace, Severity
from irsa_cli.core.trust.rules.width import SERVICE_ACCOUNT
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE

_SIGNS = re.compile(r"AssumeRoleWithWebIdentity|eks[\\.]+amazonaws[\\.]+com/role-arn")
_MODULE_SIGNS = re.compile(r"oidc|irsa|service_?account|assume_role|trust_policy|pod_identity", re.IGNORECASE)
_NO_POD_ROLES = re.compile(r"(^|/)terraform-aws-modules/(eks|kms|vpc)/aws$")
"""Modules with roles for the cluster and its nodes only."""
_IAM_MODULE = re.compile(r"terraform-aws-(?:modules/iam/aws|iam(?:\.git)?)//modules/([\w-]+)")


def of_hcl(module: Module, named: Collection[str], local: LocalModules) -> Iterator[Found]:
    """The objects in the given files and in the modules that they call, and the parts that a plan shows."""
    contents = _Contents(local)
    contents.take(module, named)
    yield from contents.unknown
    if module.blocks:
        plan = {
            "planned_values": {"root_module": {"resources": contents.resources}},
            "resource_changes": contents.unused_documents(),
        }
        mark = module.blocks[0].source.mark(module.blocks[0].tree)
        yield from of_plan(Placed(mark.name, module.node(plan, mark), Nodes("")), plan, module.gaps)


def _kind(block: Block) -> str:
    """The type of a resource or data source; of other blocks their keyword."""
    return block.labels[1] if len(block.labels) > 2 else block.labels[0]


@dataclass
class _Contents:
    """The resources of a module and of those that it calls, in the form of a plan, and their data sources."""

    local: LocalModules
    resources: list[dict[str, Any]] = field(default_factory=list)
    unknown: list[Unjudged] = field(default_factory=list)
    _documents: list[tuple[Module, Block, Any]] = field(default_factory=list)
    _used: set[int] = field(default_factory=set)
    """The trust policies of roles by their identity."""

    def take(self, module: Module, named: Collection[str] | None = None) -> None:
        """Add the blocks of a module: all, or those of the named files."""
        for block in module.blocks:
            is_named = named is None or block.source.name in named
            if block.labels[:2] == ("resource", "aws_iam_role"):
                self._role(module, block, is_named=is_named)
            elif is_named:
                self._block(module, block)

    def _role(self, module: Module, block: Block, *, is_named: bool) -> None:
        """A role, and the policy that it uses, which a role in another file may use as well."""
        for values in _instances(module, block):
            self._used.add(id(values.get("assume_role_policy")))
            if is_named:
                self.resources.append(_named(module, block, "aws_iam_role", values=values))

    def _block(self, module: Module, block: Block) -> None:
        if block.labels[:2] == ("data", "aws_iam_policy_document"):
            for document in _documents(module, block):
                self._documents.append((module, block, document))
            return
        if block.labels[0] == "data":
            return
        folder = folder_of(module, block) if block.labels[0] == "module" else None
        if folder is not None and module.is_unset(block):
            self.unknown += _unset(block)
            return
        if folder is not None and self.local.is_readable(folder):
            for child in self.local.instances(module, block, folder):
                self.take(child)
            return
        created = _created(module, block)
        if created is None:
            self.unknown += _unknown(module, block)
        else:
            self.resources += created

    def unused_documents(self) -> list[dict[str, Any]]:
        """The trust policies in data sources that no role of the files has."""
        documents: list[dict[str, Any]] = []
        for module, block, document in self._documents:
            if id(document) not in self._used and "sts:AssumeRole" in block.source.written(block.tree):
                change = {"after": document, "after_unknown": {}}
                documents.append(_named(module, block, _kind(block), change=change))
        return documents


def _unset(block: Block) -> Iterator[Unjudged]:
    """A call that has no element in the files: who uses the folder gives it some."""
    mark = block.source.mark(block.tree)
    place = FilePlace(mark.name, mark.line + 1, mark.column + 1, ".".join(block.labels))
    text = "its for_each is empty in the files, so it was not checked"
    yield Unjudged(place, text, Severity.CRITICAL, "callers of these files")


def _documents(module: Module, block: Block) -> Iterator[Any]:
    """The document of a data source, or one for each element of its known `for_each`."""
    elements = module.get(block, "for_each")
    if module.get(block, "count") == 0:
        return
    if isinstance(elements, dict | list):
        module.budget.spend_instances(len(elements))
        for key in elements:
            yield module.document(block, key)
    elif "count" in block.attributes:
        yield module.document(block, 0)
    else:
        yield module.document(block)


def _created(module: Module, block: Block) -> list[dict[str, Any]] | None:
    """The resources of a block in the form of a plan; None if only a plan shows them."""
    kind = _kind(block)
    if kind.startswith("aws_iam_") or kind in (*KINDS, ASSOCIATION):
        return [_named(module, block, kind, values=values) for values in _instances(module, block)]
    if kind != "module":
        return None
    roles = _of_module(module, block)
    if roles is None:
        return None
    return [_named(module, block, "aws_iam_role", values=role) for role in roles]


def _named(module: Module, block: Block, kind: str, **more: Any) -> Any:
    labels = block.labels[1:] if block.labels[0] == "resource" else block.labels
    resource = {"address": module.prefix + ".".join(labels), "type": kind, **more}
    return module.placed(resource, block.source.mark(block.tree))


def _instances(module: Module, block: Block) -> list[dict[str, Any]]:
    """The block, or one for each element of a known `for_each`."""
    elements = module.get(block, "for_each")
    if module.get(block, "count") == 0 or elements in ([], {}):
        return []
    if not isinstance(elements, dict | list):
        return [module.body(block)]
    module.budget.spend_instances(len(elements))
    pairs = elements.items() if isinstance(elements, dict) else zip(elements, elements, strict=True)
    names = ({"each": {"key": key, "value": value}} for key, value in pairs)
    return [module.body(block, own, without=("for_each", "count")) for own in names]


def _may_create_roles(module: Module, block: Block, written: str) -> bool:
    source = str(module.get(block, "source"))
    return _NO_POD_ROLES.search(source) is None and _MODULE_SIGNS.search(written) is not None


def _unknown(module: Module, block: Block) -> Iterator[Unjudged]:
    """A block that might hide a risk."""
    written = block.source.written(block.tree)
    is_module = _kind(block) == "module" and _may_create_roles(module, block, written)
    if block.labels[0] not in ("module", "resource") or not (is_module or _SIGNS.search(written)):
        return
    mark = block.source.mark(block.tree)
    is_account = block.labels[0] == "resource" and "AssumeRole" not in written
    at_most = Severity.MEDIUM if is_account else Severity.CRITICAL
    place = FilePlace(mark.name, mark.line + 1, mark.column + 1, module.prefix + ".".join(block.labels))
    text = "its resources are known only in a plan, so they were not checked"
    is_module = is_module and folder_of(module, block) is None
    is_decided_here = not is_module or _points_to_a_risk(written) or _MORE.search(written)
    source = "" if is_decided_here else str(module.get(block, "source"))
    yield Unjudged(place, text, at_most, source)


# The modules of terraform-aws-modules/iam by their arguments, whose names differ between versions.

_TESTS = {
    "oidc_fully_qualified_subjects": ("StringEquals", "sub"),
    "oidc_subjects": ("StringEquals", "sub"),
    "oidc_subjects_with_wildcards": ("StringLike", "sub"),
    "oidc_wildcard_subjects": ("StringLike", "sub"),
    "oidc_fully_qualified_audiences": ("StringLike", "aud"),
    "oidc_audiences": ("StringEquals", "aud"),
}
_MORE = re.compile(r"trust_policy|enable_(github|bitbucket|saml)|provider_trust")
"""Arguments that add principals to a module's trust policy."""

_POLICY = re.compile(r"system:serviceaccount:[^\"]*[*?]|\bassume_role_policy *=")
_SUBJECTS = re.compile(r"(?:service_?account|namespace|subject)\w* *=([^=]*)", re.IGNORECASE)
"""Arguments of any module that are about ServiceAccounts, with their values."""


def _points_to_a_risk(written: str) -> bool:
    """Whether the arguments of a module may lead to a broad trust policy: patterns, or a whole policy."""
    if _POLICY.search(written):
        return True
    for argument in _SUBJECTS.finditer(written):
        texts = re.findall(r'"([^"]*)"', argument[1])
        if any("*" in text or "?" in text for text in texts):
            return True
    return False


Arguments = Mapping[str, Any]
"""The arguments of a module by their names; the values are of any kind in HCL."""


def _of_module(module: Module, block: Block) -> list[dict[str, Any]] | None:
    """The roles that a module creates from its arguments; None if unknown."""
    source = _IAM_MODULE.search(str(module.get(block, "source")))
    if source is None:
        return None
    instances = _instances(module, block)
    created: list[dict[str, Any]] = []
    for arguments in instances:
        role = _of_arguments(module, source[1], arguments)
        if role is None:
            return None
        if role:
            created.append(role)
    return created


def _of_arguments(module: Module, kind: str, arguments: Arguments) -> dict[str, Any] | None:
    """The role, empty if none is created; None if unknown."""
    if any(arguments.get(name) is False for name in ("create", "create_role", "enable_oidc")):
        return {}
    statements: list[dict[str, Any]] = []
    if kind.startswith("iam-role-for-service-accounts"):
        statements += _of_providers(module, arguments)
    elif kind in ("iam-assumable-role-with-oidc", "iam-role"):
        statements += _of_urls(arguments)
    if not statements or any(_MORE.search(name) and arguments[name] is not False for name in arguments):
        return None
    policies = arguments.get("role_policy_arns") or arguments.get("policies") or []
    if isinstance(policies, dict):
        policies = [*policies.values()]
    return {"assume_role_policy": {"statement": statements}, "managed_policy_arns": as_list(policies)}


def _of_providers(module: Module, arguments: Arguments) -> Iterator[dict[str, Any]]:
    test = (
        arguments.get("assume_role_condition_test") or arguments.get("trust_condition_test") or "StringEquals"
    )
    for provider in map(as_dict, as_dict(arguments.get("oidc_providers")).values()):
        arn = str(provider.get("provider_arn") or module.gaps.gap("provider_arn", module.prefix))
        issuer = arn.partition("oidc-provider/")[2] or module.gaps.gap(f"{module.gaps.name(arn)} issuer")
        names = as_list(provider.get("namespace_service_accounts") or module.gaps.gap("service accounts"))
        subjects = [f"{SERVICE_ACCOUNT}{name}" for name in names]
        yield _statement(arn, issuer, [(test, "sub", subjects), (test, "aud", [DEFAULT_AUDIENCE])])


def _of_urls(arguments: Arguments) -> Iterator[dict[str, Any]]:
    tests = [(*how, as_list(arguments[name])) for name, how in _TESTS.items() if arguments.get(name)]
    for name in ("provider_url", "provider_urls", "oidc_provider_urls"):
        for url in as_list(arguments.get(name) or []):
            issuer = str(url).removeprefix("https://")
            yield _statement(PROVIDER_HEAD + issuer, issuer, tests)


def _statement(arn: str, issuer: str, tests: list[tuple[str, str, list[Any]]]) -> dict[str, Any]:
    """A statement in the form of a data source."""
    return {
        "actions": ["sts:AssumeRoleWithWebIdentity"],
        "principals": [{"type": "Federated", "identifiers": [arn]}],
        "condition": [
            {"test": test, "variable": f"{issuer}:{claim}", "values": values} for test, claim, values in tests
        ],
    }
