"""How many PUT URLs a second: our signer against botocore, in one run. `python -m tests.load.bench_presign`"""

import hashlib
import time
from base64 import b64encode
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta

import boto3
from botocore.config import Config

from control_plane.bucket.presign import Address, Credentials, Signer, SigV4Presigner

ENDPOINT = "http://127.0.0.1:8333"
DIGEST = hashlib.sha256(b"hello").hexdigest()
CHECKSUM = b64encode(bytes.fromhex(DIGEST)).decode()
KEYS = [f"v1/aa/0192f3c4-7a1b-7c3d-8e5f-0123456789ab/{seq:08d}-0000-5-{DIGEST}" for seq in range(1000)]
# Long enough that a pause of the machine does not count.
SECONDS = 3.0


def main() -> None:
    theirs = rate(with_botocore())
    ours = rate(with_ours())
    print(f"botocore {theirs:>9,.0f} URLs/s")
    print(f"ours     {ours:>9,.0f} URLs/s   {ours / theirs:.0f} times as many")


def with_ours() -> Callable[[str], object]:
    signer = Signer(Address.of(ENDPOINT, "vid"), region="us-east-1", credentials=Credentials("AK", "SK"))
    presigner = SigV4Presigner(signer, put_ttl=timedelta(minutes=15), get_ttl=timedelta(minutes=15))

    def sign(key: str) -> object:
        now = datetime.now(UTC)
        return presigner.put(key, size=5, sha256=DIGEST, content_type="video/webm", overwrite=False, now=now)

    return sign


def with_botocore() -> Callable[[str], object]:
    client = boto3.client(
        "s3",
        endpoint_url=ENDPOINT,
        region_name="us-east-1",
        aws_access_key_id="AK",
        aws_secret_access_key="SK",
        config=Config(signature_version="s3v4", request_checksum_calculation="when_required"),
    )

    def sign(key: str) -> object:
        params = {
            "Bucket": "vid",
            "Key": key,
            "ContentLength": 5,
            "ContentType": "video/webm",
            "ChecksumSHA256": CHECKSUM,
            "IfNoneMatch": "*",
        }
        return client.generate_presigned_url("put_object", params, ExpiresIn=900)

    with closing(client):
        return sign


def rate(sign: Callable[[str], object]) -> float:
    """Calls a second, after one round to fill the caches."""
    done, start = 0, 0.0
    while not done or time.perf_counter() - start < SECONDS:
        for key in KEYS:
            sign(key)
        if not start:
            start = time.perf_counter()
        else:
            done += len(KEYS)
    return done / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
