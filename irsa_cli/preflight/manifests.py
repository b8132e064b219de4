"""The Kubernetes YAML that runs preflight where a rollout can wait for it."""

from __future__ import annotations

_CONTAINER = """\
name: irsa-preflight
image: {image}
args: [preflight, --wait, 60s]
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  capabilities:
    drop: [ALL]
  seccompProfile:
    type: RuntimeDefault
resources:
  requests: {{cpu: 10m, memory: 32Mi}}
  limits: {{memory: 128Mi}}
"""

_JOB = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: irsa-preflight-{account}
{namespace}{annotations}spec:
  backoffLimit: 0
  activeDeadlineSeconds: 180
  ttlSecondsAfterFinished: 3600
  template:
    spec:
      serviceAccountName: {account}
      restartPolicy: Never
      containers:
        - {container}"""

_INIT = """\
# A patch for a Deployment: kubectl patch deployment NAME --patch-file FILE
spec:
  template:
    spec:
      initContainers:
        - {container}"""

_ANNOTATIONS = {
    "job": "",
    "helm-test": """\
  annotations:
    helm.sh/hook: test
    helm.sh/hook-delete-policy: before-hook-creation
""",
    "argo-presync": """\
  annotations:
    argocd.argoproj.io/hook: PreSync
    argocd.argoproj.io/hook-delete-policy: BeforeHookCreation
""",
}


def manifest(kind: str, image: str, account: str, namespace: str) -> str:
    """The YAML of one kind: `init` is a patch that adds an init container, the others are Jobs."""
    container = _CONTAINER.format(image=image).rstrip("\n").replace("\n", "\n          ") + "\n"
    if kind == "init":
        return _INIT.format(container=container)
    place = "  namespace: %s\n" % namespace if namespace else ""
    annotations = _ANNOTATIONS[kind]
    return _JOB.format(account=account, namespace=place, annotations=annotations, container=container)
