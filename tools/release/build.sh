#!/usr/bin/env bash
# Builds a release from a clean checkout: dist/ (wheel and source archive, built twice and compared) and release/ (bill of
# materials, krew plugin). The release workflow calls build.sh vX.Y.Z OWNER/NAME.
set -euo pipefail
cd "$(dirname "$0")/../.."
tag=$1 repository=$2
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' irsa_cli/__init__.py)
if [ "$tag" != "v$version" ]; then
    echo "the tag $tag is not the version v$version of irsa_cli/__init__.py" >&2
    exit 1
fi
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
python3 -m venv "$tools/venv"
"$tools/venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --no-deps \
    -r tools/release/requirements.lock
# requirements.lock pins the build backend.
python3 -m venv "$tools/backend"
"$tools/backend/bin/pip" install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
"$tools/backend/bin/pip" install --quiet --disable-pip-version-check --require-hashes --no-deps \
    -r tools/release/requirements.lock
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
export IRSA_PROJECT_URL="${GITHUB_SERVER_URL:-https://github.com}/$repository" IRSA_PROJECT_REF=$tag
for folder in dist "$tools/again"; do
    rm -rf "$folder"
    "$tools/backend/bin/python" -m build --no-isolation --outdir "$folder" .
done
diff -r dist "$tools/again"
mkdir -p release
"$tools/venv/bin/cyclonedx-py" requirements requirements.lock --pyproject pyproject.toml \
    --output-reproducible --output-format JSON --output-file release/irsa-cli.cdx.json
python3 tools/release/krew.py "$tag" "$repository" dist/*.whl release
