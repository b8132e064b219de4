"""Configuration files of a stage's cluster, with each ServiceAccount in YAML's short form."""

from typing import Any

from tests.support.rows import in_words


def file_of(stage: Any, *accounts: str, **more: str) -> str:
    """A file of ServiceAccounts: `NAME`, or `NAME: FIELDS` as `app: attachPolicyARNs: [$S3]`.

    `NAMESPACE/NAME` where it is not `$ns`; `more` are lines of the file besides.
    """
    lines = [
        "apiVersion: irsa/v1",
        "kind: Bindings",
        f"metadata: {{name: {stage.cluster}, region: {stage.region}}}",
        "withOIDC: true",
        *(f"{key}: {value}" for key, value in more.items()),
        "serviceAccounts:" if accounts else "serviceAccounts: []",
    ]
    for account in accounts:
        place, _, fields = account.partition(": ")
        namespace, _, name = place.rpartition("/")
        whole = f"metadata: {{namespace: {namespace or '$ns'}, name: {name}}}"
        lines.append(f"  - {{{whole}{', ' if fields else ''}{fields}}}")
    return in_words(stage, "\n".join(lines) + "\n")


def write(stage: Any, name: str, text: str) -> None:
    """Put a file where irsa runs."""
    (stage.folder / name).write_text(in_words(stage, text), encoding="utf-8")
