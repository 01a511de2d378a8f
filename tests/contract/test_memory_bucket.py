"""The bucket in memory, which the state machine of faults uses, keeps to the contract like any other."""

import pytest

from tests.contract.test_bucket import (
    test_a_key_is_written_once,
    test_a_prefix_without_its_slash_is_refused,
    test_head_of_what_is_absent_is_none,
    test_head_shows_what_was_written,
    test_list_is_whole_over_many_pages,
    test_list_shows_size_and_etag,
    test_list_starts_after_a_key,
    test_list_stays_within_its_prefix,
    test_of_writers_that_race_one_wins,
    test_overwriting_takes_place_when_asked_for,
    test_read_answers_all_of_it,
    test_read_stops_at_its_limit,
)
from tests.contract.test_reading_back import test_an_object_is_read_to_its_end_and_hashed
from tests.contract.test_versions import (
    test_many_pages_are_listed_and_removed_whole,
    test_removing_one_version_leaves_the_others,
    test_versions_stay_within_their_prefix,
)
from tests.support.memory_bucket import MemoryBucket

__all__ = [
    "test_a_key_is_written_once",
    "test_a_prefix_without_its_slash_is_refused",
    "test_an_object_is_read_to_its_end_and_hashed",
    "test_head_of_what_is_absent_is_none",
    "test_head_shows_what_was_written",
    "test_list_is_whole_over_many_pages",
    "test_list_shows_size_and_etag",
    "test_list_starts_after_a_key",
    "test_list_stays_within_its_prefix",
    "test_many_pages_are_listed_and_removed_whole",
    "test_of_writers_that_race_one_wins",
    "test_overwriting_takes_place_when_asked_for",
    "test_read_answers_all_of_it",
    "test_read_stops_at_its_limit",
    "test_removing_one_version_leaves_the_others",
    "test_versions_stay_within_their_prefix",
]


pytestmark = pytest.mark.anyio


@pytest.fixture
def bucket() -> MemoryBucket:
    return MemoryBucket()
