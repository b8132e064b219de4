"""Who owns a ServiceAccount's role annotation: who would write it again, by what is noted on the object."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from irsa_cli.core.binding.field_owner import (
    NO_OVERRIDE,
    Override,
    check_role_owner,
    other_owner,
    owner_of_role,
)
from irsa_cli.core.objects.field_owners import LAST_APPLIED
from irsa_cli.core.objects.service_accounts import service_account
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION, ROLE_MARK
from irsa_cli.core.values.errors import Refused
from tests.support.thoroughness import examples

THEIRS = "arn:aws:iam::111122223333:role/theirs"
OURS = "arn:aws:iam::111122223333:role/irsa/demo/ours"
Json = dict[str, Any]
Texts = Mapping[str, str]
HELM = {"meta.helm.sh/release-name": "app", "meta.helm.sh/release-namespace": "web"}
ARGO = {"argocd.argoproj.io/tracking-id": "shop:/ServiceAccount:web/app"}
FLUX = {"kustomize.toolkit.fluxcd.io/name": "apps"}


def entry(manager: str, operation: str = "Update", key: str = ROLE_ARN_ANNOTATION, **more: Any) -> Json:
    """An entry of managedFields with one annotation."""
    fields: Json = {"f:metadata": {"f:annotations": {".": {}, f"f:{key}": {}}}}
    return {"manager": manager, "operation": operation, "fieldsType": "FieldsV1", "fieldsV1": fields, **more}


def applied(role: str | None = THEIRS) -> Texts:
    """The annotation that a client-side apply leaves; None: of a manifest without a role."""
    annotations = {} if role is None else {ROLE_ARN_ANNOTATION: role}
    return {LAST_APPLIED: json.dumps({"metadata": {"annotations": annotations}})}


def body(
    *entries: Json, role: str | None = THEIRS, labels: Texts | None = None, notes: Texts | None = None
) -> Json:
    """A ServiceAccount as the API has it; `notes` are further annotations."""
    annotations = {**(notes or {}), **({} if role is None else {ROLE_ARN_ANNOTATION: role})}
    metadata = {"namespace": "web", "name": "app", "uid": "u", "annotations": annotations}
    return {"metadata": {**metadata, "labels": labels or {}, "managedFields": list(entries)}}


BY_HAND = ("kubectl-annotate", "kubectl-edit", "kubectl-patch", "kubectl-create", "k9s", "Mozilla", "unknown")


@pytest.mark.parametrize(
    ("account", "owner"),
    [
        (body(entry("kustomize-controller", "Apply")), "Flux"),
        (body(entry("helm"), notes=HELM), "Helm"),
        (body(entry("argocd-controller"), notes=ARGO), "Argo CD"),
        (body(entry("HashiCorp")), "Terraform"),
        (body(entry("eks")), "an EKS add-on"),
        (body(entry("kubectl", "Apply")), "kubectl apply"),
        (body(entry("kubectl", "Update")), None),
        (body(entry("my-operator", "Apply")), "my-operator"),
        (body(entry("pulumi-kubernetes-1a2b", "Apply"), notes={"pulumi.com/autonamed": "true"}), "Pulumi"),
        (body(entry("my-operator")), None),
        (body(entry("eksctl")), None),
        (body(entry("irsa")), None),
        # Both own it if a tool has applied the value that irsa wrote.
        (body(entry("irsa"), entry("kustomize-controller", "Apply")), "Flux"),
        (body(entry("helm", key="meta.helm.sh/release-name"), entry("irsa"), notes=HELM), None),
        (body(entry("helm", key="team"), entry("kubectl-annotate"), notes=HELM), None),
        (body(entry("kustomize-controller", "Apply", subresource="status")), "Flux"),
        (body(entry("kubectl-client-side-apply"), notes=applied()), "kubectl apply"),
        (body(entry("kubectl-client-side-apply"), notes=applied(None)), None),
        (body(entry("kubectl-client-side-apply")), "kubectl apply"),
        (body(entry("kubectl-client-side-apply"), notes={LAST_APPLIED: "{"}), "kubectl apply"),
        (body(entry("irsa"), role=OURS, notes=applied()), "kubectl apply"),
        (body(entry("irsa"), role=OURS, notes={**applied(), **ARGO}), "Argo CD"),
        (body(role=None, notes=applied()), "kubectl apply"),
        # helm template | kubectl apply
        (body(labels={"app.kubernetes.io/managed-by": "Helm"}, notes=applied()), "kubectl apply"),
        (body(entry("irsa"), role=OURS, notes={LAST_APPLIED: "[]"}), None),
        (body(entry("irsa"), role=OURS, notes={LAST_APPLIED: "null"}), None),
    ],
)
def test_whoever_would_write_it_again_owns_it(account: Json, owner: str | None) -> None:
    found = owner_of_role(service_account(account))
    assert (found.tool if found else None) == owner
    if found is not None:
        assert (found.role_arn, found.doubt) == (THEIRS, "")


@pytest.mark.parametrize("manager", BY_HAND)
def test_a_person_does_not_write_it_again(manager: str) -> None:
    assert owner_of_role(service_account(body(entry(manager)))) is None
    # Also if a tool manages the object: its source does not have the key.
    assert owner_of_role(service_account(body(entry(manager), labels=FLUX))) is None


MALFORMED: list[Json] = [
    {"manager": "helm"},
    {"manager": "helm", "fieldsV1": None},
    {"manager": "helm", "fieldsV1": []},
    {"manager": "helm", "fieldsV1": {"f:metadata": "x"}},
    {"manager": "helm", "fieldsV1": {"f:metadata": {"f:annotations": []}}},
]


@pytest.mark.parametrize("entries", [[], *([item] for item in MALFORMED), [entry("irsa"), MALFORMED[0]]])
def test_what_is_not_noted_is_neither_yes_nor_no(entries: list[Json]) -> None:
    known = owner_of_role(service_account(body(*entries, notes=HELM)))
    assert known is not None
    assert known.doubt
    # Without a tool there is nobody who could own it, and what irsa wrote is irsa's.
    assert owner_of_role(service_account(body(*entries, notes={**HELM, ROLE_MARK: THEIRS}))) is None
    # The manifest of the last apply is known, and has no role.
    assert owner_of_role(service_account(body(*entries, notes={**HELM, **applied(None)}))) is None
    if not entries:
        assert owner_of_role(service_account(body())) is None


def test_only_another_role_than_irsas_is_refused() -> None:
    account = service_account(body(entry("kustomize-controller", "Apply"), labels=FLUX))
    assert other_owner(account, THEIRS) is None
    assert other_owner(account, None) is None, "to remove it is never refused"
    assert other_owner(None, OURS) is None
    # What irsa wrote already is not written again, whatever the manifest has.
    written = service_account(body(role=OURS, notes=applied()))
    check_role_owner("web/app", written, OURS, NO_OVERRIDE)
    check_role_owner("web/app", account, OURS, Override(is_given=True))
    with pytest.raises(Refused) as caught:
        check_role_owner("web/app", account, OURS, Override(export="irsa export app -n web -c demo"))
    error = caught.value
    assert str(error).startswith(f"Flux owns the annotation {ROLE_ARN_ANNOTATION} of web/app: its next recon")
    assert error.next_steps == (
        f'add to its manifest: metadata: {{annotations: {{{ROLE_ARN_ANNOTATION}: "{OURS}"}}}}',
        "irsa export app -n web -c demo --role-name ours --to manifests  # prints it for Flux",
        "or write it to the cluster: run this again with --override-existing-serviceaccounts",
    )


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just(THEIRS),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["f:metadata", "f:annotations", "metadata", "annotations", ".", ROLE_ARN_ANNOTATION]
            )
            | st.just(f"f:{ROLE_ARN_ANNOTATION}"),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(VALUES, VALUES, st.text(max_size=8), st.sampled_from(["Apply", "Update", ""]))
@settings(max_examples=examples(200))
def test_any_note_is_read_without_an_error(fields: Any, manifest: Any, manager: str, operation: str) -> None:
    note = {"manager": manager, "operation": operation, "fieldsV1": fields}
    account = service_account(body(note, notes={LAST_APPLIED: json.dumps(manifest)}))
    found = owner_of_role(account)
    assert found is None or found.role_arn in (account.role_arn, account.applied_role)
