#!/usr/bin/env bash
# Fails, with the difference, where FOLDER is not what the chart renders to.
#   check_manifests.sh HELM FOLDER
set -euo pipefail
rendered=$(mktemp -d)
trap 'rm -rf "$rendered"' EXIT
"$(dirname "$0")/render_manifests.sh" "$1" "$rendered"
diff -ru "$rendered" "$2" || { echo "$2 is stale: run \`make k8s\` and commit the result." >&2; exit 1; }
