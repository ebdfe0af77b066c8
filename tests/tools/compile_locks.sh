#!/usr/bin/env bash
# Compiles the lock files into the folder given: hashes for every platform, and no index address.
#   compile_locks.sh FOLDER [uv's options, such as --upgrade]
set -euo pipefail
folder=$1
shift
compile() { # compile NAME SOURCE...
    local name=$1
    shift
    .venv/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url \
        --no-header --no-annotate --no-emit-package pageviews-core --no-emit-package pageviews-ingestor \
        --no-emit-package pageviews-transformer --no-emit-package pageviews-status-api \
        "${options[@]}" --output-file "$folder/$name.txt" "$@"
}
options=("$@")
compile bootstrap requirements/bootstrap.in
compile build requirements/build.in
compile sbom requirements/sbom.in
for service in ingestor transformer status-api; do
    compile "$service" "services/$service/pyproject.toml"
done
compile stand-ins requirements/stand-ins.in services/core/pyproject.toml
compile bench requirements/bench.in
compile dev requirements/dev.in services/{ingestor,transformer,status-api}/pyproject.toml
