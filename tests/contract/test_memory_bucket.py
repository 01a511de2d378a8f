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
from tests.contract.test_multipart import (
    test_a_part_may_be_sent_twice,
    test_a_part_may_take_the_place_of_another,
    test_a_part_that_is_too_small_is_not_joined,
    test_a_stream_may_be_left_early,
    test_an_object_is_streamed,
    test_an_upload_of_nothing_is_refused,
    test_another_source_is_not_copied,
    test_more_parts_than_a_page_has_are_all_told,
    test_objects_are_joined_in_the_bucket,
    test_parts_become_one_object,
    test_parts_that_are_not_there_are_not_joined,
    test_parts_that_are_there_are_told,
    test_what_was_aborted_is_unknown,
    test_what_was_completed_stays_when_it_is_completed_again,
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
    "test_a_part_may_be_sent_twice",
    "test_a_part_may_take_the_place_of_another",
    "test_a_part_that_is_too_small_is_not_joined",
    "test_a_prefix_without_its_slash_is_refused",
    "test_a_stream_may_be_left_early",
    "test_an_object_is_read_to_its_end_and_hashed",
    "test_an_object_is_streamed",
    "test_an_upload_of_nothing_is_refused",
    "test_another_source_is_not_copied",
    "test_head_of_what_is_absent_is_none",
    "test_head_shows_what_was_written",
    "test_list_is_whole_over_many_pages",
    "test_list_shows_size_and_etag",
    "test_list_starts_after_a_key",
    "test_list_stays_within_its_prefix",
    "test_many_pages_are_listed_and_removed_whole",
    "test_more_parts_than_a_page_has_are_all_told",
    "test_objects_are_joined_in_the_bucket",
    "test_of_writers_that_race_one_wins",
    "test_overwriting_takes_place_when_asked_for",
    "test_parts_become_one_object",
    "test_parts_that_are_not_there_are_not_joined",
    "test_parts_that_are_there_are_told",
    "test_read_answers_all_of_it",
    "test_read_stops_at_its_limit",
    "test_removing_one_version_leaves_the_others",
    "test_versions_stay_within_their_prefix",
    "test_what_was_aborted_is_unknown",
    "test_what_was_completed_stays_when_it_is_completed_again",
]


pytestmark = pytest.mark.anyio


@pytest.fixture
def bucket() -> MemoryBucket:
    return MemoryBucket()
