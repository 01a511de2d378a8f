"""What doctor concludes from what it saw of a bucket: one table for each kind of observation."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from control_plane.doctor.findings import Check, Standing
from control_plane.doctor.judging import addresses, cors, grants, keeping, objects
from control_plane.doctor.judging.cors import CorsSeen
from control_plane.doctor.judging.grants import GrantedPut, Refusal, SecondWrite
from control_plane.doctor.judging.keeping import Unread, VersionsSeen
from control_plane.doctor.judging.objects import Assembled, Listed, Looked
from control_plane.doctor.origins import origin_of
from control_plane.doctor.seen import Answer, Outcome, Place, Silence, Trouble

OK, WARNING, WRONG = Standing.OK, Standing.WARNING, Standing.WRONG
PAGE = "https://app.example.com"
PLACE = Place("http://store:9000", "https://s3.example.com", "films", "us-east-1", "path", (PAGE,))
DONE, ABSENT, FORBIDDEN = Answer(200), Answer(404, code="NoSuchKey"), Answer(403, code="SignatureDoesNotMatch")
NOBODY = Silence(Trouble.REFUSED, "store:9000")
AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
OURS = UUID("00000000-0000-4000-8000-000000000001")


@pytest.mark.parametrize("trouble", list(Trouble))
def test_no_answer_names_the_setting(trouble: Trouble) -> None:
    found = addresses.reach(Check.BUCKET_REACH, "S3_ENDPOINT", "http://store:9000/films/", Silence(trouble, "why"))

    assert found.standing is WRONG
    assert trouble.value in found.seen
    assert "S3_ENDPOINT" in found.mend


@pytest.mark.parametrize(
    ("answer", "standing"),
    [
        (Answer(403, code="AccessDenied"), OK),
        (Answer(200, body=b'<?xml version="1.0"?><ListBucketResult>'), OK),
        (Answer(403, {"x-amz-request-id": "1"}), OK),
        (Answer(200, {"content-type": "text/html"}, b"<html>Welcome"), WRONG),
        (Answer(404, {"content-type": "application/json"}, b"{}"), WRONG),
        (Answer(301, {"location": "https://store:9000/"}), WRONG),
    ],
)
def test_only_s3_counts_as_s3(answer: Answer, standing: Standing) -> None:
    assert addresses.reach(Check.BUCKET_REACH, "S3_ENDPOINT", "http://store/", answer).standing is standing


@pytest.mark.parametrize(
    ("answer", "advice"),
    [
        (FORBIDDEN, "S3_SECRET_ACCESS_KEY"),
        (Answer(403, code="InvalidAccessKeyId"), "S3_ACCESS_KEY_ID"),
        (Answer(400, code="AuthorizationQueryParametersError"), "S3_REGION"),
        (Answer(301, {"x-amz-bucket-region": "eu-west-1"}, code="PermanentRedirect"), "names the region eu-west-1"),
        (Answer(404, code="NoSuchBucket"), "safereel provision"),
        (Answer(403, code="RequestTimeTooSkewed"), "clock"),
        (Answer(403, code="SecondLevelDomainForbidden"), "S3_ADDRESSING=virtual"),
        (Answer(403, code="AccessDenied"), "s3:ListBucket"),
        (Answer(500), "S3_REGION"),
        (NOBODY, "S3_ENDPOINT"),
    ],
)
def test_keys_that_do_not_open_the_bucket(answer: Outcome, advice: str) -> None:
    found = addresses.credentials(PLACE, answer)

    assert found.standing is WRONG
    assert advice in found.mend


def test_a_refusal_under_a_wrong_clock_is_told_as_such() -> None:
    found = addresses.credentials(PLACE, Answer(403, code="AccessDenied"), clock_is_off=True)

    assert "clock" in found.mend
    assert "s3:ListBucket" not in found.mend


def test_an_absent_object_in_our_bucket_proves_the_keys() -> None:
    assert addresses.credentials(PLACE, ABSENT).standing is OK


@pytest.mark.parametrize(
    ("public", "origins", "standing"),
    [
        ("https://s3.example.com", (PAGE,), OK),
        ("http://s3.example.com", (PAGE,), WRONG),
        ("http://localhost:9000", (PAGE,), WARNING),
        ("http://127.0.0.1:9000", ("http://localhost:8000",), OK),
        ("http://s3.example.com", (), OK),
    ],
)
def test_browsers_go_where_they_may(public: str, origins: tuple[str, ...], standing: Standing) -> None:
    assert addresses.settings_address(replace(PLACE, public_endpoint=public, origins=origins)).standing is standing


@pytest.mark.parametrize(
    ("ttl", "key", "standing"),
    [
        (timedelta(minutes=15), "AKIA1", OK),
        (timedelta(seconds=30), "AKIA1", WARNING),
        (timedelta(hours=1), "ASIA1", WRONG),
    ],
)
def test_grants_live_as_long_as_they_say(ttl: timedelta, key: str, standing: Standing) -> None:
    assert addresses.settings_grants(ttl, key).standing is standing


def test_a_call_that_is_not_allowed_is_named_with_its_action() -> None:
    denied = Answer(403, code="AccessDenied")
    found = addresses.permissions(PLACE, addresses.PermissionsSeen(DONE, DONE, DONE, DONE, delete=denied))

    assert found.standing is WRONG
    assert found.seen == "DELETE: 403 AccessDenied"
    assert "s3:DeleteObject" in found.mend
    assert "s3:PutObject" not in found.mend


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ((DONE, FORBIDDEN, FORBIDDEN), "anybody may read"),
        ((FORBIDDEN, DONE, FORBIDDEN), "anybody may write"),
        ((FORBIDDEN, FORBIDDEN, DONE), "wrong secret"),
    ],
)
def test_an_open_bucket_is_wrong(seen: tuple[Outcome, Outcome, Outcome], words: str) -> None:
    found = addresses.signatures(PLACE, addresses.SignaturesSeen(*seen))

    assert (found.standing, words in found.seen) == (WRONG, True)


@pytest.mark.parametrize(
    ("put", "head", "standing", "advice"),
    [
        (DONE, DONE, OK, ""),
        (DONE, ABSENT, WRONG, "two addresses of one store"),
        (Answer(404, code="NoSuchBucket"), ABSENT, WRONG, "Another store answers"),
        (FORBIDDEN, ABSENT, WRONG, "proxy_set_header Host"),
        (NOBODY, ABSENT, WRONG, "log"),
    ],
)
def test_a_grant_works(put: Outcome, head: Outcome, standing: Standing, advice: str) -> None:
    found = grants.put(PLACE, GrantedPut(put, head))

    assert found.standing is standing
    assert advice in found.mend


@pytest.mark.parametrize(
    ("answer", "head", "standing"),
    [
        (Answer(400, code="BadDigest"), ABSENT, OK),
        (FORBIDDEN, ABSENT, OK),
        (DONE, DONE, WRONG),
        (DONE, ABSENT, WRONG),
        (Answer(400, code="BadDigest"), DONE, WRONG),  # refused with words, and stored all the same
        (Answer(500), ABSENT, WARNING),
        (Silence(Trouble.CUT), ABSENT, WARNING),
    ],
)
def test_what_is_not_granted_is_refused(answer: Outcome, head: Outcome, standing: Standing) -> None:
    seen = Refusal("other bytes", answer, head)

    for found in (grants.digest(seen), grants.length([seen]), grants.key(seen), grants.expiry(seen)):
        assert found.standing is standing


@pytest.mark.parametrize(
    ("second", "kept", "standing"),
    [
        (Answer(412), b"first", OK),
        (Answer(409), b"first", WARNING),
        (DONE, b"second", WRONG),
        (DONE, b"first", WRONG),
        (Answer(412), b"second", WRONG),
        (Answer(501), b"first", WARNING),
    ],
)
def test_a_second_write_is_412_and_changes_nothing(second: Answer, kept: bytes, standing: Standing) -> None:
    assert grants.once(SecondWrite(DONE, second, Answer(200, body=kept), b"first", b"second")).standing is standing


@pytest.mark.parametrize(
    ("statuses", "standing"),
    [
        ([200, 412, 412], OK),
        ([409, 200, 412], OK),
        ([200, 200, 412], WRONG),
        ([412, 412], WRONG),
        ([200, 500], WARNING),
    ],
)
def test_of_racing_writers_one_wins(statuses: list[int], standing: Standing) -> None:
    assert grants.race([Answer(status) for status in statuses]).standing is standing


@pytest.mark.parametrize(
    ("second", "kept", "standing"), [(DONE, b"second", OK), (DONE, b"first", WRONG), (Answer(412), b"first", WRONG)]
)
def test_an_overwriting_grant_overwrites(second: Answer, kept: bytes, standing: Standing) -> None:
    assert grants.overwrite(SecondWrite(DONE, second, Answer(200, body=kept), b"first", b"second")).standing is standing


BODY = b"sixteen bytes ..".ljust(16)
SHA256 = "k9yB0e2wzD8TOKBuuzaR3zWwCpvWBUgNbGlkJJUAAAA="


def looked(
    *, length: str = "16", etag: str = '"e"', sha256: dict[str, str] | None = None, ranged: Outcome | None = None
) -> Looked:
    head = Answer(200, {"content-length": length, "etag": etag, **(sha256 or {})})
    part = Answer(206, body=BODY[objects.RANGE_FROM : objects.RANGE_TO + 1])
    return Looked(BODY, Answer(200, {"etag": '"e"'}), head, ranged or part)


@pytest.mark.parametrize(
    ("seen", "standing"), [(looked(), OK), (looked(length="15"), WRONG), (looked(etag='"other"'), WRONG)]
)
def test_head_tells_size_and_etag(seen: Looked, standing: Standing) -> None:
    assert objects.head(seen).standing is standing


def test_a_digest_that_is_not_told_is_a_warning_and_a_false_one_is_wrong() -> None:
    assert objects.sha256(looked()).standing is WARNING
    assert objects.sha256(looked(sha256={"x-amz-checksum-sha256": SHA256})).standing is WRONG


@pytest.mark.parametrize(
    "answer", [Answer(200, body=BODY), Answer(200, body=BODY[4:12]), Answer(206, body=BODY[:8]), NOBODY]
)
def test_a_range_is_206_with_its_bytes(answer: Outcome) -> None:
    assert objects.ranged(looked()).standing is OK
    assert objects.ranged(looked(ranged=answer)).standing is WRONG


@pytest.mark.parametrize(
    ("under", "after", "standing"),
    [
        (["d/a/1", "d/a/2"], ["d/a/2"], OK),
        (["d/a/2", "d/a/1"], ["d/a/2"], OK),  # the order is nobody's business
        (["d/a/1"], [], WRONG),
        (["d/a/1", "d/a/2", "d/ab/1"], ["d/a/2"], WRONG),
        (["d/a/1", "d/a/2"], ["d/a/1", "d/a/2"], WRONG),
    ],
)
def test_listings_are_whole_and_stay_in_their_folder(under: list[str], after: list[str], standing: Standing) -> None:
    seen = Listed("d/a/", ["d/a/1", "d/a/2", "d/ab/1"], under, "d/a/1", after)

    assert objects.listing(seen).standing is standing


def allowing(origin: str = PAGE, methods: str = "PUT, GET", headers: str = "*", expose: str = "ETag") -> Answer:
    names = ("origin", "methods", "headers")
    allowed = {f"access-control-allow-{n}": v for n, v in zip(names, (origin, methods, headers), strict=True)}
    return Answer(200, {**allowed, "access-control-expose-headers": expose})


@pytest.mark.parametrize(
    ("preflight", "standing"),
    [
        (allowing(), OK),
        (allowing(origin="*"), OK),
        (allowing(headers="Content-Type, If-None-Match, X-Amz-Checksum-SHA256"), OK),
        (allowing(headers="content-type"), WRONG),
        (allowing(methods="GET, HEAD"), WRONG),
        (allowing(origin="https://other.example.com"), WRONG),
        (Answer(403, code="AccessDenied"), WRONG),
        (Answer(200), WRONG),
        (NOBODY, WRONG),
    ],
)
def test_a_page_may_put(preflight: Outcome, standing: Standing) -> None:
    found = cors.put(PLACE, CorsSeen(PAGE, preflight, allowing(), allowing(), allowing()))

    assert found.standing is standing
    if standing is WRONG:
        assert '"AllowedOrigins": ["https://app.example.com"]' in found.mend
        assert "aws s3api put-bucket-cors --bucket films" in found.mend


def test_a_page_may_get_ranges_and_read_the_etag() -> None:
    good = CorsSeen(PAGE, allowing(), allowing(), allowing(headers="range"), allowing())

    assert cors.get(PLACE, good).standing is OK
    assert cors.get(PLACE, replace(good, get_preflight=allowing(headers="content-type"))).standing is WRONG
    assert cors.get(PLACE, replace(good, get=Answer(206))).standing is WRONG
    assert cors.etag(PLACE, good).standing is OK
    assert cors.etag(PLACE, replace(good, put=allowing(expose="Content-Length"))).standing is WRONG
    assert cors.etag(PLACE, replace(good, put=Answer(200))).standing is WRONG


def test_a_page_that_nobody_listed_may_not() -> None:
    assert cors.stranger("https://x.invalid", Answer(403)).standing is OK
    assert cors.stranger("https://x.invalid", allowing(origin="*")).standing is WARNING
    assert cors.stranger("https://x.invalid", allowing(origin="https://x.invalid")).standing is WARNING


NAMED = Answer(200, {"content-disposition": "attachment", "content-type": "video/webm"}, b"bytes")
MADE = Assembled(b"bytes", "attachment", "video/webm", NAMED, conditional=True)


@pytest.mark.parametrize(
    ("seen", "standing"),
    [
        (MADE, OK),
        (replace(MADE, failed="POST uploads: status 501 NotImplemented"), WRONG),
        (replace(MADE, fetched=replace(NAMED, body=b"other")), WRONG),
        (replace(MADE, fetched=Answer(403)), WRONG),
        (replace(MADE, fetched=Silence(Trouble.TIMEOUT)), WRONG),
        (replace(MADE, fetched=replace(NAMED, headers={"content-type": "video/webm"})), WARNING),
        (replace(MADE, fetched=replace(NAMED, headers={"content-disposition": "attachment"})), WARNING),
        (replace(MADE, conditional=False), WARNING),
    ],
)
def test_downloads_are_made_and_named(seen: Assembled, standing: Standing) -> None:
    assert objects.download(seen).standing is standing


KEPT = VersionsSeen("Enabled", True, 2, Answer(204), True, 2, 0)


@pytest.mark.parametrize(
    ("seen", "versions", "removal"),
    [
        (KEPT, OK, OK),
        (replace(KEPT, configured="", versions_after_overwrite=1), WRONG, OK),
        (replace(KEPT, older_readable=False), WRONG, OK),
        (replace(KEPT, marker=False, versions_after_delete=1), WRONG, OK),
        (replace(KEPT, failed="501 NotImplemented"), WRONG, OK),
        (replace(KEPT, left=2), OK, WRONG),
        (replace(KEPT, delete=Answer(403)), OK, WRONG),
    ],
)
def test_versions_stay_until_they_are_removed(seen: VersionsSeen, versions: Standing, removal: Standing) -> None:
    assert keeping.versions(PLACE, seen).standing is versions
    assert keeping.removal(PLACE, seen).standing is removal


def rule(**given: Any) -> dict[str, Any]:
    return {"ID": "tidy", "Status": "Enabled", **given}


DAYS = {"Days": 30}


@pytest.mark.parametrize(
    ("rules", "standing"),
    [
        ([], OK),
        ([rule(Filter={"Prefix": ""}, Expiration=DAYS)], WRONG),
        ([rule(Prefix="v1/", Expiration=DAYS)], WRONG),
        ([rule(Filter={"Prefix": "v1/00/"}, Expiration={"Date": AT})], WRONG),
        ([rule(Filter={"Prefix": "v"}, Expiration=DAYS)], WRONG),
        ([rule(Filter={"Prefix": "meta/"}, Expiration=DAYS)], WRONG),
        ([rule(Filter={"ObjectSizeGreaterThan": 1}, Expiration=DAYS)], WRONG),
        ([rule(Filter={"And": {"Prefix": "v1/", "ObjectSizeGreaterThan": 1}}, Expiration=DAYS)], WRONG),
        ([rule(Filter={"Prefix": "downloads/"}, Expiration=DAYS)], OK),
        ([rule(Filter={"Prefix": "meta/doctor/"}, Expiration=DAYS)], OK),
        ([rule(Filter={"Tag": {"Key": "a", "Value": "b"}}, Expiration=DAYS)], OK),
        ([rule(Status="Disabled", Filter={}, Expiration=DAYS)], OK),
        ([rule(Filter={}, Expiration={"ExpiredObjectDeleteMarker": True})], OK),
        ([rule(Filter={}, AbortIncompleteMultipartUpload={"DaysAfterInitiation": 7})], OK),
        ([rule(Filter={}, NoncurrentVersionExpiration={"NoncurrentDays": 30})], WARNING),
        ([rule(Filter={}, Transitions=[{"Days": 30, "StorageClass": "GLACIER"}])], WARNING),
        ([rule(Filter={}, NoncurrentVersionExpiration={}), rule(Filter={}, Expiration=DAYS)], WRONG),
        (Unread(403, "403 AccessDenied"), WARNING),
        (Unread(501, "501 NotImplemented"), OK),
    ],
)
def test_no_rule_may_expire_recordings(rules: list[dict[str, Any]] | Unread, standing: Standing) -> None:
    assert keeping.lifecycle(PLACE, rules).standing is standing


def test_retention_is_noticed() -> None:
    assert keeping.lock(PLACE, None).standing is OK
    assert keeping.lock(PLACE, Unread(501, "501 NotImplemented")).standing is OK
    assert keeping.lock(PLACE, Unread(403, "403 AccessDenied")).standing is WARNING
    assert keeping.lock(PLACE, Unread(0, "no answer")).standing is WARNING
    assert keeping.lock(PLACE, "GOVERNANCE 30 days").standing is WARNING


@pytest.mark.parametrize("text", ["app.example.com", "https://a.example.com/page", "ftp://a", "https://", "*", "null"])
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not the origin"):
        origin_of(text)


def test_an_origin_is_taken_as_browsers_send_it() -> None:
    assert origin_of("https://App.Example.com:8443/") == "https://app.example.com:8443"


def test_operators_can_look_up_every_check() -> None:
    document = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()

    assert [check for check in Check if f"| `{check}` |" not in document] == []
