#!/usr/bin/env bash
# Writes requirements.lock: the run-time dependencies of pyproject.toml at the versions of constraints.txt, with the
# hashes of all their released files; and tools/release/requirements.lock: what builds a release. Needs nothing but
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
    echo "# What irsa-cli needs at run time, each with the hashes of its released files; made by tools/release/lock.sh."
    echo "# pip install --require-hashes --no-deps -r requirements.lock"
    cat "$tools/all"
    awk '/^[a-z]/ { on = /^(async-timeout|exceptiongroup)==/; sub(/ \\$/, " ; python_version < \"3.11\" \\") } on' "$tools/lock"
} > requirements.lock
rm "$tools/lock"
printf 'build\ncyclonedx-bom\n' > "$tools/release.in"
lock --allow-unsafe "$tools/release.in"
{
    echo "# What builds a release, each with the hashes of its released files; tools/release/lock.sh makes it."
    cat "$tools/lock"
} > tools/release/requirements.lock
