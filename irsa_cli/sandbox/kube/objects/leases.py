"""Leases of coordination.k8s.io/v1: their fields, and what the API server checks of them.

Nobody's lock is judged here: a Lease that has expired is an object like any other.
https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/lease-v1/
"""

from irsa_cli.sandbox.kube import status
from irsa_cli.sandbox.kube.objects.schema import INT32, METADATA, MICRO_TIME, OBJECT, RAW, JsonObject, Schema

GROUP = "coordination.k8s.io"
LEASE: Schema = {
    **OBJECT,
    "metadata": {**METADATA, "managedFields": RAW},
    "spec": {
        "holderIdentity": str,
        "leaseDurationSeconds": INT32,
        "acquireTime": MICRO_TIME,
        "renewTime": MICRO_TIME,
        "leaseTransitions": INT32,
    },
}


def fill_in(lease: JsonObject) -> None:
    """A spec, if there is none."""
    lease.setdefault("spec", {})


def problems(lease: JsonObject) -> list[status.FieldError]:
    """Errors of the numbers; what is no number, or no time, is no Lease at all."""
    spec = lease["spec"]
    errors = []
    if spec.get("leaseDurationSeconds", 1) <= 0:
        seconds = spec["leaseDurationSeconds"]
        errors.append(status.invalid_value("spec.leaseDurationSeconds", seconds, "must be greater than 0"))
    if spec.get("leaseTransitions", 0) < 0:
        why = "must be greater than or equal to 0"
        errors.append(status.invalid_value("spec.leaseTransitions", spec["leaseTransitions"], why))
    return errors
