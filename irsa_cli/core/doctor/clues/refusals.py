"""The meaning of the API server's words if it refuses a pod, and the command that shows the reason."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass


@dataclass(frozen=True)
class Refusal:
    """A reason: `words` recognize it; `{}` in `meaning` is the name that they find.

    `shown` is the kubectl command for `{name}` and `{namespace}`. Without it, no object is wrong but the
    template: the proposal is to edit it.
    """

    words: re.Pattern[str]
    meaning: str
    shown: str = ""

    def command(self, message: re.Match[str], namespace: str) -> str:
        """The command of kubectl that shows the reason; '' for none."""
        name = message[1] if message.groups() else ""
        return self.shown.format(name=shlex.quote(name), namespace=shlex.quote(namespace))


_WEBHOOKS = "get mutatingwebhookconfigurations,validatingwebhookconfigurations"
_CONSTRAINTS = "get securitycontextconstraints -o yaml"
"""OpenShift's."""
_POLICIES = "get podsecuritypolicies -o yaml"
"""Those of Kubernetes before 1.25."""
CALLING = re.compile(r'failed calling (?:admission )?webhook "([A-Za-z0-9._-]+)"')
_BY_CONSTRAINT = r"(?s)security context constraint.*?"
_PROJECTED = r"\b(projected) volumes are not allowed"
_VOLUME = r"\b([A-Za-z0-9]+) volumes are not allowed"
_NO_PROJECTED = "no pod policy allows {} volumes, which the token needs"
_NO_VOLUME = "no pod policy allows {} volumes"
_NO_POLICY = "no pod policy allows them"

REFUSALS = (
    Refusal(
        re.compile(r'mountPath: Invalid value: "([^"\s]+)": must be unique'),
        "both their template and a webhook mount a volume at {}",
    ),
    Refusal(
        re.compile(r'volumes\[\d+\]\.name: Duplicate value: "([a-z0-9.-]+)"'),
        "both their template and a webhook add a volume {}",
    ),
    Refusal(
        # The API server accepted the template, so somebody dropped restartPolicy after that.
        re.compile(r"may not be set for init containers without restartPolicy"),
        "an old webhook drops the restartPolicy of a sidecar",
        _WEBHOOKS,
    ),
    Refusal(CALLING, "webhook {} does not answer the API server", _WEBHOOKS),
    Refusal(re.compile(r"did not complete within"), "the request timed out, usually in a webhook", _WEBHOOKS),
    Refusal(re.compile(r'admission webhook "([A-Za-z0-9._-]+)" denied'), "webhook {} denies them", _WEBHOOKS),
    Refusal(
        re.compile(r"(?:exceeded|failed) quota: ([a-z0-9.-]+)"),
        "the namespace's quota {} does not allow them",
        "-n {namespace} get resourcequota {name} -o yaml",
    ),
    Refusal(
        re.compile(r'violates PodSecurity "([a-z0-9.:-]+)"'),
        "the namespace enforces Pod Security Standard {}",
        "get namespace {namespace} --show-labels",
    ),
    Refusal(re.compile(_BY_CONSTRAINT + _PROJECTED), _NO_PROJECTED, _CONSTRAINTS),
    Refusal(re.compile(_BY_CONSTRAINT + _VOLUME), _NO_VOLUME, _CONSTRAINTS),
    Refusal(
        re.compile(r"unable to validate against any security context constraint"), _NO_POLICY, _CONSTRAINTS
    ),
    Refusal(re.compile(_PROJECTED), _NO_PROJECTED, _POLICIES),
    Refusal(re.compile(_VOLUME), _NO_VOLUME, _POLICIES),
    Refusal(
        re.compile(r"\bPodSecurityPolicy: |unable to validate against any pod security policy"),
        _NO_POLICY,
        _POLICIES,
    ),
)
"""The first one that matches counts."""
