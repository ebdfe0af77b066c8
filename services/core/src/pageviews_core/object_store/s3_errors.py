"""What S3 and its client say when something fails, as the pipeline's own errors."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    InvalidRegionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    SSLError,
)

from pageviews_core.errors import ConfigurationError, StoreUnavailable

_GRANTS = {
    "PutObject": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "GetObject": "s3:GetObject",
    "HeadObject": "s3:GetObject (and s3:ListBucket, without which a missing key looks like a forbidden one)",
    "ListObjectsV2": "s3:ListBucket",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "DeleteObject": "s3:DeleteObject",
}
_DENIED = {"AccessDenied", "AccessDeniedException", "AllAccessDisabled", "AccountProblem", "403", "Forbidden"}
_KEYS = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "AuthorizationQueryParametersError"}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_ELSEWHERE = {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "301"}
_SETTINGS = (NoCredentialsError, PartialCredentialsError, ProfileNotFound, NoRegionError, InvalidRegionError)
_SERVER_FAULT = 500
_TOO_MANY = 429


def code_of(exc: ClientError) -> str:
    return str(exc.response.get("Error", {}).get("Code", ""))


def status_of(exc: ClientError) -> int:
    return int(exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def retries_of(exc: ClientError) -> int:
    """How often the client had asked before: the first time may have had an effect."""
    return int(exc.response.get("ResponseMetadata", {}).get("RetryAttempts", 0))


def translated(exc: BotoCoreError | ClientError | Exception, url: str, key: str) -> Exception:
    """For a request about `key`. Texts name what failed, where, and what to do."""
    where = f"{url}, key {key!r}"
    if isinstance(exc, ClientError):
        return _refused(exc, where)
    if isinstance(exc, _SETTINGS):
        return ConfigurationError(
            f"{where}: {exc}. Give the process AWS credentials and a region (a role for its service account or "
            "instance, or AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION)"
        )
    if isinstance(exc, ParamValidationError):
        return ConfigurationError(f"{where}: {' '.join(str(exc).split())}: see PAGEVIEWS_STORE_URL")
    if isinstance(exc, SSLError):
        return ConfigurationError(
            f"{where}: {exc}: where the endpoint's certificate is your own, name its authority in AWS_CA_BUNDLE"
        )
    return StoreUnavailable(f"{where}: {type(exc).__name__}: {exc}; the work is tried again")


def _refused(exc: ClientError, where: str) -> Exception:
    code, status, said = code_of(exc), status_of(exc), _said(exc)
    if code in _EXPIRED:
        return StoreUnavailable(f"{where}: the session token has expired ({said}); the next try fetches a new one")
    if code == "RequestTimeTooSkewed":
        return StoreUnavailable(f"{where}: the clock here is not that of the store ({said}): synchronise it (NTP)")
    if code in _KEYS:
        return ConfigurationError(f"{where}: the credentials are not accepted ({said}): replace them")
    if code in _DENIED:
        grant = _GRANTS.get(exc.operation_name, f"the action of {exc.operation_name}")
        return ConfigurationError(f"{where}: {exc.operation_name} is not allowed ({said}): grant {grant}")
    if code in ("NoSuchBucket", "InvalidBucketName"):
        return ConfigurationError(f"{where}: there is no such bucket ({said}): create it, or set PAGEVIEWS_STORE_URL")
    if code in _ELSEWHERE:
        region = exc.response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("x-amz-bucket-region", "another")
        return ConfigurationError(f"{where}: the bucket is in {region} region ({said}): set PAGEVIEWS_S3_REGION")
    if code.startswith("KMS."):
        return ConfigurationError(f"{where}: the key of PAGEVIEWS_S3_KMS_KEY_ID cannot be used ({said})")
    if code in ("NotImplemented", "MethodNotAllowed"):
        return ConfigurationError(f"{where}: the store does not support {exc.operation_name} as it is needed ({said})")
    if status >= _SERVER_FAULT or status == _TOO_MANY or code in ("SlowDown", "RequestTimeout", "OperationAborted"):
        return StoreUnavailable(f"{where}: {said}, after {retries_of(exc) + 1} tries; the work is tried again")
    return StoreUnavailable(f"{where}: {exc.operation_name} was refused: {said}")


def _said(exc: ClientError) -> str:
    error: Any = exc.response.get("Error", {})
    message = " ".join(str(error.get("Message", "")).split())[:300]
    return f"{status_of(exc)} {error.get('Code', '')}: {message}".rstrip(": ")
