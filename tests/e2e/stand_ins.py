"""What stands in for the world outside the cluster, as pods: Wikimedia's dumps, an S3, and Snowflake's protocol."""

from __future__ import annotations

from typing import Any

from pageviews_core.hour import Hour

IMAGE = "pageviews-stand-ins:e2e"
S3_IMAGE = "versity/versitygw:latest"
BUCKET = "pageviews"
ACCESS_KEY, SECRET_KEY = "stand-in-access", "stand-in-secret-key"
_SECURITY: dict[str, Any] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
_POD_SECURITY: dict[str, Any] = {
    "runAsNonRoot": True, "runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532,
    "seccompProfile": {"type": "RuntimeDefault"},
}  # fmt: skip


def dumps_server(
    *, hours: int, scale: float, bytes_per_second: int | None = None, real: Hour | None = None
) -> list[dict[str, Any]]:
    """`hours` up to the newest one that has ended; from then on one more as each ends. For a `real` one it waits until
    somebody has put its file at /data/hour.gz."""
    if real:
        serve = f"python -m tests.tools.dumps_server --host 0.0.0.0 --hours 1 --end {real} --file /data/hour.gz"
        return _service(
            "dumps", 8765, IMAGE, ["sh", "-c", f"until [ -f /data/hour.gz ]; do sleep 1; done; exec {serve}"]
        )
    arguments = f"--host 0.0.0.0 --port 8765 --hours {hours} --to-come 48 --scale {scale}".split()
    if bytes_per_second:
        arguments += ["--bytes-per-second", str(bytes_per_second)]
    return _service("dumps", 8765, IMAGE, ["python", "-m", "tests.tools.dumps_server", *arguments])


def s3_server() -> list[dict[str, Any]]:
    """versitygw over a folder of its own pod: what it holds ends with it."""
    command = ["versitygw", "--port", ":7070", "posix", "/data"]
    environment = {"ROOT_ACCESS_KEY": ACCESS_KEY, "ROOT_SECRET_KEY": SECRET_KEY}
    made = [{"name": "bucket", "image": S3_IMAGE, "command": ["mkdir", "-p", f"/data/{BUCKET}"]}]
    return _service("s3", 7070, S3_IMAGE, command, environment, init=made, home="/data")


def snowflake_server() -> list[dict[str, Any]]:
    """fakesnow's server, with what it lacks made up for; all in its memory."""
    log = "/tmp/statements.jsonl"
    command = [
        "sh",
        "-c",
        f"touch {log} /tmp/statements.sessions; exec python -m tests.tools.snowflake_server 8084 {log} 0.0.0.0",
    ]
    return _service("snowflake", 8084, IMAGE, command)


def _service(
    name: str,
    port: int,
    image: str,
    command: list[str],
    environment: dict[str, str] | None = None,
    *,
    init: list[dict[str, Any]] | None = None,
    home: str = "/tmp",
) -> list[dict[str, Any]]:
    mounts = [{"name": "tmp", "mountPath": "/tmp"}, {"name": "data", "mountPath": "/data"}]
    container = {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": command,
        "env": [{"name": key, "value": value} for key, value in {**(environment or {}), "HOME": home}.items()],
        "ports": [{"containerPort": port}],
        "readinessProbe": {"tcpSocket": {"port": port}, "periodSeconds": 1},
        "volumeMounts": mounts,
        "securityContext": _SECURITY,
    }
    before = [
        {**each, "imagePullPolicy": "IfNotPresent", "volumeMounts": mounts, "securityContext": _SECURITY}
        for each in init or ()
    ]
    pod = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": _POD_SECURITY,
        "initContainers": before,
        "containers": [container],
        "terminationGracePeriodSeconds": 1,
        "volumes": [{"name": "tmp", "emptyDir": {}}, {"name": "data", "emptyDir": {}}],
    }
    labels = {"app": name}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "labels": labels},
        "spec": {"selector": labels, "ports": [{"port": port}]},
    }
    return [deployment, service]
