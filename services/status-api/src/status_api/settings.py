"""What the status API reads from the environment."""

from __future__ import annotations

from pydantic import Field

from pageviews_core.settings import CoreSettings


class StatusSettings(CoreSettings):
    host: str = Field(
        "127.0.0.1", min_length=1, description="Address to serve on; in a container 0.0.0.0, to be reached from outside"
    )
    port: int = Field(8080, ge=0, le=65535, description="Port to serve on; 0 takes any free one and logs it")
