"""The credentials of new pods: by the templates, and by a pod created as a dry run."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from irsa_cli.core.objects import kinds
from irsa_cli.core.objects.kinds import Pod
from irsa_cli.core.objects.workloads import Workload
from irsa_cli.core.uses.new_pods import NewPods, Templates, check, doubts_of, of_pod, of_template
from irsa_cli.core.uses.ways import IdentitySource
from irsa_cli.core.values.errors import Unreadable, read

if TYPE_CHECKING:
    from irsa_cli.usecases.command.connect import Connection


@dataclass
class NewPodsOf:
    """The new pods of a ServiceAccount; each template is created as a dry run once at most."""

    connection: Connection
    namespace: str
    name: str
    templates: Templates
    _created: dict[str, Pod | Unreadable] = field(default_factory=dict)

    def check_templates(self, way: IdentitySource, role: str, *, alone: bool = False) -> list[str]:
        """Judge the text of the templates; returns what is not known.

        Raises `Refused` if new pods would lose the role by this way; `alone`: the other way goes.
        """
        judged = [of_template(workload, way, role) for workload in self.templates.of(self.name)]
        return self._checked(judged, way, alone=alone)

    def check_created(self, way: IdentitySource, role: str, *, alone: bool = False) -> list[str]:
        """The same of pods that are created as a dry run, which shows what the webhook does.

        A refusal of such a pod, by a quota, by admission or by RBAC, leaves it to the text of the template.
        """
        notes = list[str]()
        judged = list[NewPods]()
        for workload in self.templates.of(self.name):
            created = self._create(workload)
            if isinstance(created, Unreadable):
                title = f"new pods of {workload.full_name} get {way.title}"
                notes.append(f"not known by a dry run if {title}: {created.why}")
                judged.append(of_template(workload, way, role))
            else:
                judged.append(of_pod(workload, created, way, role))
        return [*notes, *self._checked(judged, way, alone=alone)]

    def _checked(self, judged: list[NewPods], way: IdentitySource, *, alone: bool) -> list[str]:
        for found in judged:
            check(found, way, self.namespace, alone=alone)
        unread = [f"not checked: {text}" for text in self.templates.unread]
        return [*unread, *doubts_of(judged, way)]

    def _create(self, workload: Workload) -> Pod | Unreadable:
        if workload.full_name not in self._created:
            body = copy.deepcopy(dict(workload.new_pod))
            kube = self.connection.kube
            self._created[workload.full_name] = read(lambda: kinds.pod(kube.create_pod(self.namespace, body)))
        return self._created[workload.full_name]
