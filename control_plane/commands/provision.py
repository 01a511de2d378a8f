"""`safereel provision`: the bucket, made fit."""

import argparse
import asyncio
from collections.abc import Sequence

from control_plane import wiring
from control_plane.bucket.presign import Addressing
from control_plane.bucket.provision import provision
from control_plane.config import Settings
from control_plane.environment import settings_of_stack_or_environment
from control_plane.migrating import migrate
from control_plane.wiring import open_control_plane


def run(arguments: argparse.Namespace) -> int:
    """Makes the bucket of the stack or the environment fit, and marks it as this deployment's."""
    settings = settings_of_stack_or_environment(arguments.data_dir)
    migrate(settings.database_url.get_secret_value())  # the marker carries the id that the database gives
    for told in make_bucket_fit(settings, settings.safereel_page_origins):
        print(told)
    if arguments.emptied and asyncio.run(_mark_again(settings)):
        print("The bucket is marked again. Audits will ask recorders for all that they still hold.")
    asyncio.run(_claim(settings))
    print(f"Bucket {settings.s3_bucket_name} is ready.")
    return 0


def make_bucket_fit(settings: Settings, origins: Sequence[str]) -> Sequence[str]:
    """Makes the bucket that the settings name, if it is not there, keep versions and let pages of `origins` in. Blocking.

    Answers what could not be done and is no reason to stop, in sentences.
    """
    return provision(
        endpoint=settings.s3_endpoint,
        bucket=settings.s3_bucket_name,
        region=settings.s3_region,
        credentials=wiring.credentials(settings),
        origins=origins,
        addressing=Addressing(settings.s3_addressing),
    )


async def _claim(settings: Settings) -> None:
    async with open_control_plane(settings) as plane:
        await plane.deployment.claim_bucket()


async def _mark_again(settings: Settings) -> bool:
    async with open_control_plane(settings) as plane:
        return await plane.deployment.mark_again()
