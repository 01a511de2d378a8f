"""Does the bucket enforce what a grant says? A store that does not would take wrong bytes and call them right."""

from dataclasses import dataclass

from control_plane.doctor.findings import Check, Finding, ok, warning, wrong
from control_plane.doctor.seen import Answer, Outcome, Place, done

LYING_STORE = (
    "This store does not enforce it, and no setting of Safereel can: use another store, or a version that does."
)
WITHOUT_DIGEST = f"{LYING_STORE} Damaged or swapped bytes would be accepted, and found by a fixity sweep at best."
WRITTEN_ONCE = (
    "Use a store or version that knows If-None-Match on PUT (AWS, MinIO, SeaweedFS, R2 do); a proxy before it must pass "
    "the header on."
)


@dataclass(frozen=True, slots=True)
class GrantedPut:
    """A granted PUT under the public address, and the HEAD afterwards under the control plane's own."""

    put: Outcome
    head: Outcome


def put(place: Place, seen: GrantedPut) -> Finding:
    """Does a grant permit what it grants, and do both addresses lead to one bucket?"""
    tried = f"a granted PUT to {place.public_endpoint}, HEAD at {place.endpoint}"
    if not done(seen.put):
        return wrong(Check.GRANTS_PUT, tried, f"PUT: {seen.put}", _why_refused(seen.put))
    if not done(seen.head):
        return wrong(
            Check.GRANTS_PUT,
            tried,
            f"PUT: {seen.put}, but HEAD: {seen.head}: the two addresses lead to different buckets",
            "Set S3_ENDPOINT and S3_PUBLIC_ENDPOINT to two addresses of one store.",
        )
    return ok(Check.GRANTS_PUT, tried, f"{seen.put}, and it is there")


def _why_refused(outcome: Outcome) -> str:
    if isinstance(outcome, Answer):
        if outcome.code == "NoSuchBucket":
            return "Another store answers under S3_PUBLIC_ENDPOINT: it has no such bucket. Set it to this store's public address."
        if outcome.status == 403:
            return (
                "The store checks the signature against the host that it sees: S3_PUBLIC_ENDPOINT must be the address that "
                "browsers use, and a proxy must pass Host and path on unchanged (nginx: proxy_set_header Host $http_host)."
            )
        if outcome.status in {400, 501}:
            return f"The store does not know a header that grants need. {WRITTEN_ONCE}"
    return "The store's own log says why."


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer to something that no grant permits, and a HEAD afterwards of where it would lie."""

    what: str
    answer: Outcome
    head: Outcome


def digest(seen: Refusal) -> Finding:
    """Other bytes of the same length than the signed SHA-256 is of."""
    return _refused(Check.GRANTS_DIGEST, "PUT of other bytes than the signed SHA-256", [seen], WITHOUT_DIGEST)


def length(seen: list[Refusal]) -> Finding:
    """More or fewer bytes than the signed length."""
    return _refused(Check.GRANTS_LENGTH, "PUT of another length than the signed one", seen, LYING_STORE)


def key(seen: Refusal) -> Finding:
    """A grant's URL with another key in it."""
    mend = f"{LYING_STORE} Whoever has one grant could write anywhere."
    return _refused(Check.GRANTS_KEY, "PUT with another key in the granted URL", [seen], mend)


def expiry(seen: Refusal) -> Finding:
    """A grant that is over."""
    mend = f"{LYING_STORE} A leaked URL would be good for ever."
    return _refused(Check.GRANTS_EXPIRY, "PUT with a URL that expired a minute ago", [seen], mend)


def _refused(check: Check, tried: str, seen: list[Refusal], mend: str) -> Finding:
    taken = [each for each in seen if done(each.answer) or done(each.head)]
    if taken:
        said = "; ".join(
            f"{each.what} accepted: {each.answer}{', and stored' if done(each.head) else ''}" for each in taken
        )
        return wrong(check, tried, said, mend)
    unclear = [each for each in seen if not (isinstance(each.answer, Answer) and each.answer.refused)]
    if unclear:
        said = "; ".join(f"{each.what}: {each.answer}" for each in unclear)
        return warning(
            check,
            tried,
            f"not accepted, but not refused either: {said}",
            "A recorder takes this for a passing fault and tries again. The store's own log says why it fails so.",
        )
    return ok(check, tried, "refused: " + ", ".join(str(each.answer) for each in seen))


@dataclass(frozen=True, slots=True)
class SecondWrite:
    """Two writes to one key, and what lies there afterwards."""

    first: Outcome
    second: Outcome
    kept: Outcome
    first_body: bytes
    second_body: bytes


def once(seen: SecondWrite) -> Finding:
    """The second of two writes with write-once grants must be 412, and change nothing."""
    tried = "a second PUT to a key with a write-once grant"
    if not done(seen.first):
        return wrong(Check.GRANTS_ONCE, tried, f"already the first: {seen.first}", WRITTEN_ONCE)
    changed = isinstance(seen.kept, Answer) and seen.kept.body == seen.second_body
    if done(seen.second) or changed:
        return wrong(Check.GRANTS_ONCE, tried, f"accepted: {seen.second}; the first was overwritten", WRITTEN_ONCE)
    if isinstance(seen.second, Answer) and seen.second.status == 412:
        return ok(Check.GRANTS_ONCE, tried, f"refused: {seen.second}")
    return warning(
        Check.GRANTS_ONCE,
        tried,
        f"refused with {seen.second}, not with 412",
        "Recorders read 412 as `already there` and go on to the ack; anything else they try again. " + WRITTEN_ONCE,
    )


def race(answers: list[Outcome]) -> Finding:
    """Of several writers at once exactly one may win; the others see 412, or 409 (try again)."""
    tried = f"{len(answers)} write-once PUTs to one key at once"
    winners = [answer for answer in answers if done(answer)]
    statuses = sorted(answer.status if isinstance(answer, Answer) else 0 for answer in answers)
    seen = ", ".join(f"{statuses.count(status)} × {status or 'no answer'}" for status in sorted(set(statuses)))
    if len(winners) > 1:
        return wrong(Check.GRANTS_RACE, tried, f"{len(winners)} of them won ({seen})", WRITTEN_ONCE)
    if not winners:
        return wrong(Check.GRANTS_RACE, tried, f"none of them won ({seen})", WRITTEN_ONCE)
    if set(statuses) - {200, 204, 409, 412}:
        return warning(
            Check.GRANTS_RACE,
            tried,
            f"one won, but others were not told 412 or 409 ({seen})",
            "The store's own log says why; recorders try again.",
        )
    return ok(Check.GRANTS_RACE, tried, f"exactly one won ({seen})")


def overwrite(seen: SecondWrite) -> Finding:
    """A grant that may overwrite, as for a damaged object that is sent again."""
    tried = "PUT over an object with an overwriting grant"
    mend = "Re-sends of damaged chunks need it: allow s3:PutObject on existing keys (no object lock, no write-once policy)."
    if not done(seen.second):
        return wrong(Check.GRANTS_OVERWRITE, tried, f"PUT: {seen.second}", mend)
    if not (isinstance(seen.kept, Answer) and seen.kept.body == seen.second_body):
        return wrong(
            Check.GRANTS_OVERWRITE, tried, f"{seen.second}, but GET ({seen.kept}) does not show the new bytes", mend
        )
    return ok(Check.GRANTS_OVERWRITE, tried, f"{seen.second}, and GET shows the new bytes")
