#!/usr/bin/env bash
# What the tests run beside Python: Chromium and Prometheus (Debian's packages), and helm, Alertmanager and versitygw (S3) where Go is at hand. Installs what is missing where it may
# (the folder given takes what needs no root), and says in one line what to do where it may not.
#   system_tools.sh FOLDER [helm]: all, or helm alone
set -euo pipefail
folder=$1
only=${2:-}
helm_version=v4.3.1
if ! [ -x "$folder/helm" ]; then
    mkdir -p "$folder"
    if command -v helm >/dev/null; then
        ln -s "$(command -v helm)" "$folder/helm"
    elif command -v go >/dev/null; then
        echo "Building helm for the tests of the chart" >&2
        GOBIN="$(realpath "$folder")" go install helm.sh/helm/v4/cmd/helm@$helm_version >/dev/null 2>&1 || true
    fi
fi
[ -x "$folder/helm" ] || echo "helm is missing: the tests of the chart are left out; install helm, or Go to have it built" >&2
if [ "$only" = helm ]; then
    [ -x "$folder/helm" ]
    exit
fi

as_root=()
[ "$(id -u)" = 0 ] || as_root=(sudo -n)

apt_allowed() { command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }; }

chromium_found() { command -v chromium chromium-browser google-chrome >/dev/null || [ -e "$folder/chromium" ]; }

if ! chromium_found; then
    echo "Installing Chromium for the tests of the page" >&2
    if apt_allowed; then
        "${as_root[@]}" apt-get update -qq
        "${as_root[@]}" apt-get install -y -qq --no-install-recommends chromium >/dev/null
    else
        PLAYWRIGHT_BROWSERS_PATH="$folder/browsers" .venv/bin/playwright install chromium >/dev/null || true
        found=$(find "$folder/browsers" -type f -name chrome -perm -u+x 2>/dev/null | head -1)
        [ -z "$found" ] || ln -sf "${found#"$folder"/}" "$folder/chromium"
    fi
    chromium_found || { echo "Chromium is missing: install your system's package (Debian: apt-get install chromium)" >&2; exit 1; }
fi

# Unpacked, not installed: these packages would start a server.
unpack() { # unpack PACKAGE PROGRAM
    if command -v "$2" >/dev/null || [ -x "$folder/usr/bin/$2" ]; then return; fi
    echo "Fetching $2 for the tests of metrics and alerts" >&2
    if command -v apt-get >/dev/null; then
        mkdir -p "$folder"
        (cd "$folder" && { apt-get download -qq "$1" || { apt_allowed && "${as_root[@]}" apt-get update -qq \
            && apt-get download -qq "$1"; }; } && dpkg -x "$1"_*.deb . && rm "$1"_*.deb) >/dev/null 2>&1 || true
    fi
    command -v "$2" >/dev/null || [ -x "$folder/usr/bin/$2" ] || { echo "$2 is missing: install it (Debian: apt-get install $1)" >&2; exit 1; }
}

unpack prometheus prometheus

if ! { command -v alertmanager && command -v amtool; } >/dev/null && ! [ -x "$folder/alertmanager" ] && command -v go >/dev/null; then
    echo "Building Alertmanager for the tests of alerts" >&2
    for program in alertmanager amtool; do
        GOBIN="$(realpath "$folder")" go install github.com/prometheus/alertmanager/cmd/$program@v0.28.1 >/dev/null 2>&1 || true
    done
fi
command -v alertmanager >/dev/null || [ -x "$folder/alertmanager" ] || echo "Alertmanager is missing: the tests of its configuration are left out; install it, or Go to have it built" >&2

versitygw_found() { command -v versitygw >/dev/null || [ -x "$folder/versitygw" ]; }

if ! versitygw_found && command -v go >/dev/null; then
    echo "Building versitygw for the tests of the object store" >&2
    mkdir -p "$folder"
    GOBIN="$(realpath "$folder")" go install github.com/versity/versitygw/cmd/versitygw@v1.8.0 >/dev/null 2>&1 || true
fi
versitygw_found || echo "versitygw is missing: S3 is tried on moto's server alone; with Go installed, versitygw is built" >&2
