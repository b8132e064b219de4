"""The Kubernetes YAML that runs preflight before or after a rollout."""

from __future__ import annotations

import json
import re
from typing import Any, Mapping

_CONTAINER = """\
name: irsa-preflight
image: {image}
args: {args}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  runAsUser: 65532  # With the application's user, it also checks that this user can read the token.
  capabilities:
    drop: [ALL]
  seccompProfile:
    type: RuntimeDefault
resources:
  requests: {{cpu: 10m, memory: 32Mi}}
  limits: {{memory: 128Mi}}
terminationMessagePolicy: FallbackToLogsOnError
"""

_JOB = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: {name}
{place}spec:
  backoffLimit: 0
  activeDeadlineSeconds: 180
  ttlSecondsAfterFinished: 3600
  template:
    spec:
      serviceAccountName: {account}
      automountServiceAccountToken: false
      restartPolicy: Never
      containers:
        - {container}"""

_INIT = """\
# kubectl patch deployment NAME --patch-file FILE
spec:
  template:
    spec:
      initContainers:
        - {container}"""

_HOOK = "  annotations:\n    {0}/hook: {1}\n    {0}/hook-delete-policy: {2}\n"
_ANNOTATIONS: Mapping[str, str] = {
    "init": "",
    "job": "",
    "helm-test": _HOOK.format("helm.sh", "test", "before-hook-creation"),
    "argo-presync": _HOOK.format("argocd.argoproj.io", "PreSync", "BeforeHookCreation"),
}
KINDS = tuple(_ANNOTATIONS)


def manifest(given: Mapping[str, Any]) -> str:
    """The YAML for the options: `init` is a patch that adds an init container, the others are Jobs.

    The options of the check are those of the container. The image needs a digest, or is a Helm template.
    """
    kind, image, account = given["manifest"], given["image"] or "", given["service_account"] or "default"
    if not re.search(r"@sha256:[0-9a-f]{64}$|\{\{", image):
        raise ValueError("--image IMAGE@sha256:DIGEST is needed: a tag can change what a rollout waits for")
    args = ["preflight", "--wait", f"{given['wait'] or 60:g}s"]
    for name in ("expect_role", "expect_account", "sdk", "call"):
        args += [f"--{name.replace('_', '-')}", given[name]] if given.get(name) else []
    container = _CONTAINER.format(image=json.dumps(image), args=json.dumps(args))
    container = container.rstrip("\n").replace("\n", "\n          ") + "\n"
    if kind == "init":
        return _INIT.format(container=container)
    place = f"  namespace: {json.dumps(given['namespace'])}\n" if given["namespace"] else ""
    name = json.dumps(f"irsa-preflight-{account}"[: 255 if "{{" in account else 63].rstrip("-."))
    place += _ANNOTATIONS[kind]
    return _JOB.format(name=name, place=place, account=json.dumps(account), container=container)
