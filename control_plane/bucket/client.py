"""boto3's client, for calls that are not hot: provisioning, versions, and looking at how a bucket is set up. Blocking."""

import threading
from functools import cache
from typing import TYPE_CHECKING

from control_plane.bucket.presign import Addressing, Credentials

if TYPE_CHECKING:
    from boto3.session import Session
    from types_boto3_s3 import S3Client

# A store that takes longer to accept a connection is not there for us.
CONNECT_S = 3
# These calls take milliseconds; some stores take seconds to make a bucket.
READ_S = 10
# A session reads boto3's descriptions of S3, 0.1 s of CPU, and may not make two clients at once.
_making = threading.Lock()


@cache
def _session() -> "Session":
    from boto3.session import Session  # noqa: PLC0415  # a tenth of what a command imports, of which few make a client

    return Session()


def open_client(
    endpoint: str,
    region: str,
    credentials: Credentials,
    addressing: Addressing,
    *,
    tries: int,
    call_s: float = READ_S,
) -> "S3Client":
    """A client to be closed; each call may take `call_s` and is made up to `tries` times. `ValueError` for a bad `endpoint`."""
    from botocore.config import Config  # noqa: PLC0415  # with the session

    with _making:
        return _session().client(
            "s3",
            endpoint_url=endpoint,
            region_name=region,
            aws_access_key_id=credentials.access_key,
            aws_secret_access_key=credentials.secret_key,
            aws_session_token=credentials.session_token,
            config=Config(
                connect_timeout=min(CONNECT_S, call_s),
                read_timeout=call_s,
                retries={"total_max_attempts": tries, "mode": "standard"},
                s3={"addressing_style": addressing.value},
                # R2 and others refuse the checksums that boto3 adds by itself.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
