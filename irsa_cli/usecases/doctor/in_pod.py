"""`irsa doctor --in-pod`: `irsa preflight` in a Job under the ServiceAccount, which irsa always deletes.

A killed run can't: then the Job ends by its deadline, and Kubernetes deletes it a minute later.
https://kubernetes.io/docs/concepts/workloads/controllers/ttlafterfinished/
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import yaml

from irsa_cli.core.doctor.causes.answers import expected_role
from irsa_cli.core.doctor.facts import Subject
from irsa_cli.core.doctor.reported import CONTAINER, REASON, PodAnswer, answer_in, failures, state_of
from irsa_cli.core.plan.states import MANAGED_BY_LABEL
from irsa_cli.core.values.errors import IrsaError, Outcome, ServiceError, Unreadable, read
from irsa_cli.core.values.patience import CommandPatience, current, within
from irsa_cli.kube.client import Json, Kube
from irsa_cli.preflight.manifests import manifest

RUN_LABEL = "irsa/doctor"
"""The label of the Job and its pod. Anyone can copy it: it narrows a list, and proves nothing."""
MOST_BYTES = 1 << 16
PAUSE = 1.0
TO_DELETE = 20.0
"""Seconds for the deletion, also after a signal."""
GRACE = 60


@dataclass(frozen=True)
class InPod:
    """A request for a new pod: its image, and the seconds to wait; `tell` prints a line."""

    image: str
    seconds: int
    tell: Callable[[str], None]

    def job(self, subject: Subject) -> Json:
        """The Job of `irsa preflight --manifest job`; raises `ValueError` for an image without a digest."""
        settings = {"manifest": "job", "image": self.image, "service_account": subject.name, "wait": 10}
        role = expected_role(subject)
        job: Json = yaml.safe_load(
            manifest({**settings, "namespace": subject.namespace, "expect_role": role})
        )
        run = secrets.token_hex(8)
        labels = {MANAGED_BY_LABEL: "irsa", RUN_LABEL: run}
        job["metadata"] |= {"name": f"irsa-doctor-{run}", "labels": labels}
        job["spec"] |= {"activeDeadlineSeconds": self.seconds + GRACE, "ttlSecondsAfterFinished": GRACE}
        job["spec"]["template"]["metadata"] = {"labels": labels}
        job["spec"]["template"]["spec"]["containers"][0]["args"] += ["--output", "json"]
        return job


def look_inside(kube: Kube, subject: Subject, request: InPod) -> PodAnswer | Unreadable:
    """The answer of a new pod of the ServiceAccount, or why there is none."""
    if subject.account is None:
        return Unreadable(f"there is no ServiceAccount {subject.full_name}")
    job = request.job(subject)
    job_name = f"Job {subject.namespace}/{job['metadata']['name']} (ServiceAccount {subject.name})"
    request.tell(f"irsa creates the {job_name}, reads its log, and deletes it with its pod.")
    return read(lambda: _answer(kube, job["metadata"], job, request))


def _answer(kube: Kube, mine: Json, job: Json, request: InPod) -> PodAnswer:
    namespace = mine["namespace"]
    until = time.monotonic() + request.seconds
    with _created(kube, job, request.tell) as uid:
        while True:
            pod = _own_pod(kube, mine, uid)
            ended, why = state_of(pod) if pod else _without_pod(kube, namespace, uid)
            if pod and ended:
                return answer_in(kube.pod_log(namespace, pod["metadata"]["name"], CONTAINER, MOST_BYTES))
            if ended is None:
                raise IrsaError("its pod does not start", reason=why)
            if time.monotonic() >= until:
                raise IrsaError(f"no answer in {request.seconds} s", reason=why)
            current().pause(PAUSE)


def _own_pod(kube: Kube, mine: Json, uid: str) -> Json | None:
    """The pod that the Job owns, None if there is none yet.

    Raises `IrsaError` if there are several: the Job creates one, so somebody else created the others.
    """
    listed = kube.pods(mine["namespace"], f"{RUN_LABEL}={mine['labels'][RUN_LABEL]}")
    own = [pod for pod in listed if ("Job", uid) in _owners(pod)]
    if len(own) > 1:
        raise IrsaError("its pod is unknown", reason=f"{len(own)} pods name its Job as their owner")
    return own[0] if own else None


def _owners(pod: Json) -> list[tuple[str, str]]:
    """Kind and uid of each owner of a pod."""
    owners = pod["metadata"].get("ownerReferences") or []
    return [(owner.get("kind", ""), owner.get("uid", "")) for owner in owners]


def _without_pod(kube: Kube, namespace: str, uid: str) -> tuple[bool | None, str]:
    """The same as `state_of` for a Job that has no pod: the API server's refusal, if there is one."""
    events = read(lambda: failures(kube.events(REASON, namespace)))
    if isinstance(events, Unreadable):
        return False, f"its Job has no pod, and the events can't be read ({events.why})"
    refusals = [failure.why for failure in events if (failure.kind, failure.uid) == ("Job", uid)]
    return (None, refusals[0]) if refusals else (False, "its Job has no pod")


@contextmanager
def _created(kube: Kube, job: Json, tell: Callable[[str], None]) -> Iterator[str]:
    """Create the Job for the block, which gets its uid.

    irsa deletes it afterwards, also if the answer to its creation is lost.
    """
    namespace = job["metadata"]["namespace"]
    name = job["metadata"]["name"]
    is_there = True

    def delete() -> None:
        with within(CommandPatience(TO_DELETE)):
            failed = read(lambda: kube.delete_job(namespace, name))
        if isinstance(failed, Unreadable):
            tell(f"Note: irsa could not delete the Job, which ends by itself: {failed.why}")
            tell(f"To delete it: kubectl delete job {name} -n {namespace}")

    try:
        created = kube.create("jobs", namespace, job)
        yield created["metadata"]["uid"]
    except ServiceError as error:
        is_there = (error.operation, error.outcome) != ("create jobs", Outcome.REFUSED)
        raise
    finally:
        if is_there:
            try:
                delete()
            except KeyboardInterrupt:  # The first signal; a second one ends the process.
                delete()
                raise
