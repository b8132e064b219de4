"""The Kubernetes YAML that runs preflight before or after a rollout."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, Mapping

_HOOK = "  annotations:\n    {0}/hook: {1}\n    {0}/hook-delete-policy: {2}\n"
_HOOKS: Mapping[str, str] = {
    "init": "",
    "job": "",
    "helm-test": _HOOK.format("helm.sh", "test", "before-hook-creation"),
    "argo-presync": _HOOK.format("argocd.argoproj.io", "PreSync", "BeforeHookCreation"),
}
KINDS = tuple(_HOOKS)
_LONGEST = 63
_DIGEST = 8
"""Characters of a Job's name, which is a label of its pods, and of the digest in a shortened one."""


def manifest(options: Mapping[str, Any]) -> str:
    """The YAML for the options: `init` is a patch that adds an init container, the others are Jobs.

    The options of the check are those of the container. The image needs a digest, or is a Helm template.
    """
    kind = options["manifest"]
    image = options["image"] or ""
    account = options["service_account"] or "default"
    if not re.search(r"@sha256:[0-9a-f]{64}$|\{\{", image):
        raise ValueError("--image IMAGE@sha256:DIGEST is needed: a tag can change what a rollout waits for")
    args = ["preflight", "--wait", f"{options['wait'] or 60:g}s"]
    for name in ("expect_role", "expect_account", "sdk", "call"):
        args += [f"--{name.replace('_', '-')}", options[name]] if options.get(name) else []
    import pkgutil
    from string import Template

    texts = (pkgutil.get_data("irsa_cli.preflight", "manifests.yaml") or b"").decode()
    container, job, init = map(Template, texts.split("---\n"))
    lines = container.substitute(image=json.dumps(image), args=json.dumps(args)).rstrip("\n")
    lines = lines.replace("\n", "\n          ")
    if kind == "init":
        return init.substitute(container=lines)
    place = f"  namespace: {json.dumps(options['namespace'])}\n" if options["namespace"] else ""
    name = json.dumps(_job_name(account))
    return job.substitute(name=name, place=place + _HOOKS[kind], account=json.dumps(account), container=lines)


def _job_name(account: str) -> str:
    """The name of a ServiceAccount's Job; a long one is shortened, with a digest that keeps two apart.

    https://kubernetes.io/docs/concepts/workloads/controllers/job/#job-labels
    """
    name = f"irsa-preflight-{account}"
    if len(name) <= _LONGEST or "{{" in account:
        return name
    digest = hashlib.sha256(account.encode()).hexdigest()[:_DIGEST]
    return f"{name[: _LONGEST - _DIGEST - 1].rstrip('-.')}-{digest}"
