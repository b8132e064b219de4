"""Whether a container goes on to the target role by the AWS configuration that irsa wrote for its pods.

What the configuration says is in `irsa_cli.core.trust.chaining.aws_config`; the causes that are made of this
in `irsa_cli.core.doctor.causes.chain` and `irsa_cli.core.doctor.causes.settings`.
"""

from __future__ import annotations

from irsa_cli.core.doctor.facts import Facts, Subject
from irsa_cli.core.doctor.subjects import ROLE_ENV, TOKEN_ENV, annotations_of
from irsa_cli.core.objects.kinds import Container, Pod
from irsa_cli.core.objects.variables import variable
from irsa_cli.core.plan.noted import noted_or_none
from irsa_cli.core.plan.states import CONFIG_MAP_ANNOTATION
from irsa_cli.core.trust.chaining.aws_config import KEY, PROFILE

_FILE, _PROFILE = variable("AWS_CONFIG_FILE"), variable("AWS_PROFILE")
_USUAL = ("/.aws", f"/.aws/{KEY}")
"""Where SDKs look for it in the home folder, if they are told of no other file."""


def config_map_of(subject: Subject) -> str:
    """The ConfigMap that irsa notes for the ServiceAccount, '' for none."""
    return noted_or_none(annotations_of(subject), CONFIG_MAP_ANNOTATION)


def takes_profile(facts: Facts, pod: Pod, container: Container) -> bool:
    """Whether a container is told of the profile `target`, and has the ConfigMap where it looks for it."""
    name = config_map_of(facts.named)
    if not name or container.env.get(_PROFILE) != PROFILE:
        return False
    volumes = [volume.name for volume in pod.volumes if name in volume.config_maps]
    places = [container.mounts[volume].rstrip("/") for volume in volumes if volume in container.mounts]
    if _FILE in container.env:
        file = container.env[_FILE] or ""
        return any(file == place or file.startswith(f"{place}/") for place in places)
    return any(place.endswith(_USUAL) for place in places)


def goes_by_profile(facts: Facts, pod: Pod) -> bool:
    """Whether a container of the pod takes the profile in place of the webhook's variables."""
    return any(leaves_the_token_to_it(item) and takes_profile(facts, pod, item) for item in pod.containers)


def leaves_the_token_to_it(container: Container) -> bool:
    """Whether the container's template keeps the webhook's variables out, by an empty one.

    SDKs that take a token before a profile take the profile then.
    """
    return ROLE_ENV not in container.env and container.env.get(TOKEN_ENV) == ""
