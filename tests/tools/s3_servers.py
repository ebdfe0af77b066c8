"""Servers that speak S3, each started for itself: moto's, and versitygw where it can be had."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
import httpx

from pageviews_core.object_store.s3 import S3ObjectStore, S3Options
from tests.tools.status_process import free_port

ACCESS, SECRET, REGION = "testing-access", "testing-secret-key", "us-east-1"
_STARTS_WITHIN_SECONDS = 30


@dataclass(frozen=True)
class S3Server:
    url: str

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to work with it."""
        return {
            "AWS_ACCESS_KEY_ID": ACCESS,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": REGION,
            "PAGEVIEWS_S3_ENDPOINT_URL": self.url,
            "PAGEVIEWS_S3_REGION": REGION,
            "PAGEVIEWS_S3_PATH_STYLE": "true",
        }

    @property
    def options(self) -> S3Options:
        return S3Options(self.url, REGION, path_style=True)

    def create_bucket(self, name: str) -> None:
        boto3.session.Session(ACCESS, SECRET, region_name=REGION).client("s3", endpoint_url=self.url).create_bucket(
            Bucket=name
        )

    def store(self, bucket: str, prefix: str = "") -> S3ObjectStore:
        """The credentials are the environment's: `use_credentials`."""
        return S3ObjectStore(bucket, prefix, self.options)


def use_credentials() -> None:
    """In this process, as IRSA or an instance's role would give them."""
    os.environ.update(AWS_ACCESS_KEY_ID=ACCESS, AWS_SECRET_ACCESS_KEY=SECRET, AWS_EC2_METADATA_DISABLED="true")


def versitygw_path() -> str | None:
    """Its program: on the PATH, or where `make test` puts it."""
    return shutil.which("versitygw") or shutil.which("versitygw", path=str(Path(".tools").absolute()))


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """versitygw where it is installed, else moto's."""
    with versitygw(folder) if versitygw_path() else moto_server() as server:
        yield server


@contextmanager
def moto_server() -> Iterator[S3Server]:
    port = free_port()
    with _running([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], port) as server:
        yield server


@contextmanager
def versitygw(folder: Path) -> Iterator[S3Server]:
    """Its buckets are folders of `folder`."""
    program, port = versitygw_path(), free_port()
    assert program, "versitygw is not installed"
    folder.mkdir(parents=True, exist_ok=True)
    command = [program, "--access", ACCESS, "--secret", SECRET, "--region", REGION, "--port", f"127.0.0.1:{port}"]
    with _running([*command, "--quiet", "posix", str(folder)], port) as server:
        yield server


@contextmanager
def _running(command: list[str], port: int) -> Iterator[S3Server]:
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + _STARTS_WITHIN_SECONDS
        while True:
            try:
                httpx.get(url, timeout=5)
                break
            except httpx.TransportError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{command[0]} did not start") from None
                time.sleep(0.05)
        yield S3Server(url)
    finally:
        process.terminate()
        process.wait(timeout=20)
