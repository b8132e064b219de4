"""Pods: created, also for show, with a ServiceAccount that exists; read, listed, patched, deleted."""

from tests.contract.asking import Asking, Row, alike, rows


def pod(spec: str = "", name: str = "web-0") -> str:
    """A pod of the ServiceAccount `app`; its spec has more, or other containers."""
    containers = "containers: [{name: app, image: 'example.com/app:1'}]"
    account = "serviceAccountName: app"
    own = [part for part in (account, containers) if part.partition(":")[0] not in spec]
    inside = ", ".join([*own, *filter(None, [spec])])
    return f"POST $pods {{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}, spec: {{{inside}}}}}"


def spec(text: str) -> str:
    """A spec that is answered."""
    return f"spec: {{{text}}}"


MOUNT = "{readOnly: true, mountPath: /var/run/secrets/kubernetes.io/serviceaccount}"
KEPT = (
    "containers: [{name: a, image: a, env: [{name: A, value: '1'}, {name: B, valueFrom: {secretKeyRef:"
    " {name: s,"
    " key: k}}}], envFrom: [{secretRef: {name: s}}]}], nodeSelector: {kubernetes.io/os: linux}"
)
RUNNING = "status: {phase: Running, startTime: '2026-01-01T00:00:00Z'}"
FIRST = "spec.containers[0]"
PROJECTED = "spec.volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds"
LABEL = "metadata: {labels: {a: b}}"


@rows(
    Row(
        "one is made",
        pod(),
        "201",
        then="$pods/web-0 {kind: Pod, apiVersion: v1, spec: {serviceAccountName: app, serviceAccount: app},"
        " status: {phase: Pending}}",
    ),
    Row(
        "what is not said",
        pod("containers: [{name: a, image: a}, {name: b, image: 'example.com:5000/b:1.2'}]"),
        "201",
        shows=spec(
            "restartPolicy: Always, terminationGracePeriodSeconds: 30, dnsPolicy: ClusterFirst,"
            " securityContext:"
            " {}, schedulerName: default-scheduler, enableServiceLinks: true, containers: [{imagePullPolicy:"
            " Always, terminationMessagePolicy: File}, {imagePullPolicy: IfNotPresent,"
            " terminationMessagePolicy: File}]"
        ),
    ),
    Row(
        "one is shown",
        pod().replace("$pods", "$pods?dryRun=All"),
        "201",
        shows="metadata: {resourceVersion: null}",
        then="$pods/web-0 404",
    ),
    Row(
        "of no account",
        pod("serviceAccountName: other"),
        "403 Forbidden",
        'pods "web-0" is forbidden: error looking up service account $ns/other: serviceaccount "other" not'
        " found",
    ),
    Row("of no default account", pod("serviceAccountName: null"), "403 Forbidden"),
    Row(
        "of the default account",
        pod("serviceAccountName: null"),
        "201",
        given="POST $accounts {metadata: {name: default}}",
        shows=spec("serviceAccountName: default"),
    ),
    Row(
        "in no namespace",
        pod().replace("$pods", "$spaces/$free/pods"),
        "404 NotFound",
        'namespaces "$free" not found',
    ),
    Row("the account's pull secrets", pod(), "201", shows=spec("imagePullSecrets: [{name: registry}]")),
    Row(
        "its own pull secrets",
        pod("imagePullSecrets: [{name: mine}]"),
        "201",
        shows=spec("imagePullSecrets: [{name: mine}]"),
    ),
    Row(
        "a token of the API",
        pod("automountServiceAccountToken: true"),
        "201",
        shows=spec(f"volumes: [{{}}], containers: [{{volumeMounts: [{MOUNT}]}}]"),
    ),
    *alike(
        "no token of the API",
        pod("automountServiceAccountToken: <>"),
        "201",
        *("null", "false"),
        shows=spec("volumes: null, containers: [{volumeMounts: null}]"),
    ),
    Row("no containers", pod("containers: []"), "422 Invalid", cause="spec.containers FieldValueRequired"),
    Row("no image", pod("containers: [{name: a}]"), "422 Invalid", cause=f"{FIRST}.image FieldValueRequired"),
    Row("no name", pod("containers: [{image: a}]"), "422 Invalid", cause=f"{FIRST}.name FieldValueRequired"),
    Row(
        "a bad name of a container",
        pod("containers: [{name: A, image: a}]"),
        "422 Invalid",
        cause=f"{FIRST}.name FieldValueInvalid",
    ),
    Row(
        "a container's name twice",
        pod("containers: [{name: a, image: a}, {name: a, image: a}]"),
        "422 Invalid",
        cause="spec.containers[1].name FieldValueDuplicate",
    ),
    Row(
        "a volume's name twice",
        pod("volumes: [{name: v, emptyDir: {}}, {name: v, emptyDir: {}}]"),
        "422 Invalid",
        cause="spec.volumes[1].name FieldValueDuplicate",
    ),
    Row(
        "mounts of no volume, and nowhere",
        pod(
            "containers: [{name: a, image: a, volumeMounts: [{name: v, mountPath: /v}, {name: w,"
            " mountPath: ''}]}]"
        ),
        "422 Invalid",
        causes=f"{FIRST}.volumeMounts[0].name FieldValueNotFound, {FIRST}.volumeMounts[1].name"
        f" FieldValueNotFound,"
        f" {FIRST}.volumeMounts[1].mountPath FieldValueRequired",
    ),
    Row(
        "a projected token of less than ten minutes",
        pod(
            "volumes: [{name: v, projected: {sources: [{serviceAccountToken: {path: token, expirationSeconds:"
            " 599}}]}}]"
        ),
        "422 Invalid",
        causes=f"{PROJECTED} FieldValueInvalid",
    ),
    Row("environment and selector are kept", pod(KEPT), "201", then=f"$pods/web-0 {spec(KEPT)}"),
    Row(
        "labels may change", f"PATCH $pods/web-0 {{{LABEL}}}", "200", given=pod(), then=f"$pods/web-0 {LABEL}"
    ),
    Row(
        "the account may not",
        "PATCH $pods/web-0 {spec: {serviceAccountName: other}}",
        "422 Invalid",
        given=pod(),
        cause="spec FieldValueForbidden",
    ),
    Row(
        "a status beside the status",
        f"PATCH $pods/web-0 {{{RUNNING}}}",
        "200",
        given=pod(),
        then="$pods/web-0 status: {phase: Pending}",
    ),
    Row(
        "a status",
        f"PATCH $pods/web-0/status {{{RUNNING}}}",
        "200",
        given=pod(),
        then=f"$pods/web-0 {RUNNING}",
    ),
    Row(
        "a deletion",
        "DELETE $pods/web-0",
        "200",
        given=pod(),
        shows="{kind: Pod, metadata: {uid: $uid, deletionGracePeriodSeconds: 0}}",
        then="$pods/web-0 404",
    ),
    Row(
        "a deletion of one on a node",
        "DELETE $pods/web-0",
        "200",
        given=pod("nodeName: node-1"),
        shows="metadata: {deletionGracePeriodSeconds: 30}",
        then="$pods/web-0 metadata: {deletionGracePeriodSeconds: 30}",
    ),
    Row(
        "a deletion of one on a node, at once",
        "DELETE $pods/web-0 {gracePeriodSeconds: 0}",
        "200",
        given=(pod("nodeName: node-1"), "DELETE $pods/web-0"),
        then="$pods/web-0 404",
    ),
    Row(
        "a list",
        "GET $pods",
        "200",
        given=(pod(), pod(name="web-1")),
        shows="items: [{metadata: {name: web-0}}, {metadata: {name: web-1}}]",
    ),
)
def test_pods(asking: Asking, row: Row) -> None:
    row.play(asking)


def test_a_list_of_all_namespaces(asking: Asking) -> None:
    asking.ask(pod())
    pods = asking.ask("GET /api/v1/pods").body["items"]
    assert (asking.words["ns"], "web-0") in [
        (item["metadata"]["namespace"], item["metadata"]["name"]) for item in pods
    ]


def test_a_generated_name(asking: Asking) -> None:
    line = pod().replace("name: web-0", "generateName: web-")
    names = {asking.ask(line).body["metadata"]["name"] for _ in range(2)}
    assert len(names) == 2
    assert all(name.startswith("web-") and len(name) == 9 for name in names)
