"""Visits of doctor in tests: the settings changed, the findings sorted, and what lies in the bucket."""

from collections.abc import Mapping, Sequence
from typing import Any

from control_plane.config import Settings
from control_plane.doctor.examining import examine
from control_plane.doctor.findings import Check, Finding, Report, Standing
from control_plane.doctor.printing import Silent

PAGE = "http://localhost"
"""What the test's buckets allow."""
OK, WARNING, WRONG, SKIPPED = Standing


def changed(settings: Settings, **values: object) -> Settings:
    """The settings, some of them others; validated anew."""
    return Settings(**{**settings.model_dump(), **values})


async def visit(settings: Settings, origins: Sequence[str] = (PAGE,), **given: Any) -> dict[Check, Finding]:
    """The worst finding of each check."""
    worst: dict[Check, Finding] = {}
    order = [OK, SKIPPED, WARNING, WRONG]
    for found in (await report(settings, origins, **given)).findings:
        if found.check not in worst or order.index(found.standing) > order.index(worst[found.check].standing):
            worst[found.check] = found
    assert set(worst) | {Check.CORS_ETAG, Check.CORS_GET} == set(Check)  # no check is left out in silence
    return worst


async def report(settings: Settings, origins: Sequence[str] = (PAGE,), **given: Any) -> Report:
    return await examine(settings, origins, Silent(), **given)


def standing(findings: Mapping[Check, Finding], wanted: Standing) -> set[Check]:
    return {check for check, found in findings.items() if found.standing is wanted}


def kept(s3: Any, bucket: str, prefix: str = "") -> list[str]:
    """Keys of all versions and delete markers."""
    page = s3.list_object_versions(Bucket=bucket, Prefix=prefix)
    return [entry["Key"] for kind in ("Versions", "DeleteMarkers") for entry in page.get(kind, [])]
