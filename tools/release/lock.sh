#!/usr/bin/env bash
# Writes requirements.lock: the run-time dependencies of pyproject.toml at the versions of constraints.txt, with the
# hashes of all their released files; and tools/release/requirements.lock: the tools that build a release. Needs only
# Python; run it when constraints.txt changes.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools="$(mktemp -d)"
trap 'rm -rf "$tools"' EXIT
python3 -m venv "$tools"
"$tools/bin/pip" install --quiet --disable-pip-version-check pip-tools
lock() {
    "$tools/bin/pip-compile" --quiet --generate-hashes --strip-extras --no-header --no-emit-index-url \
        --no-emit-trusted-host --no-emit-find-links --no-annotate --constraint constraints.txt \
        --output-file "$tools/lock" "$@"
}
lock --build-deps-for wheel pyproject.toml
mv "$tools/lock" "$tools/all"
# What only Python 3.10 needs, which need not be the one that runs this.
printf 'async-timeout\nexceptiongroup\n' > "$tools/older.in"
lock "$tools/older.in"
{
    echo "# The dependencies of irsa-cli with the hashes of their released files; written by tools/release/lock.sh."
    echo "# pip install --require-hashes --no-deps -r requirements.lock"
    cat "$tools/all"
    awk '/^[a-z]/ { on = /^(async-timeout|exceptiongroup)==/; sub(/ \\$/, " ; python_version < \"3.11\" \\") } on' "$tools/lock"
} > requirements.lock
rm "$tools/lock"
printf 'build\ncyclonedx-bom\n' > "$tools/release.in"
lock --allow-unsafe "$tools/release.in"
{
    echo "# The tools that build a release, with the hashes of their released files; written by tools/release/lock.sh."
    cat "$tools/lock"
} > tools/release/requirements.lock
