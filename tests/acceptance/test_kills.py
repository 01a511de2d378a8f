"""Browsers killed at random moments: what each kill may cost, whatever it strikes. KILLS=50 (`make campaign-kill`) tries many."""

import os
import secrets
from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path

import pytest

from tests.support.browser import Engine, Launch
from tests.support.kills import KINDS, LATEST_S, Kills, Kind, Loss, told
from tests.support.live import System

# Nought: as few as tests among many may take.
KILLS = int(os.environ.get("KILLS") or 0)
SOON_S = 3.0
FEW: Mapping[Engine, Sequence[Kind]] = {"chromium": KINDS, "firefox": ("browser", "renderer")}
SEED = int(os.environ.get("SEED") or 0) or secrets.randbelow(1_000_000) + 1


# A broken promise is never tried again: it came at one moment of many.
@pytest.mark.flaky(reruns=1, only_rerun=["BrowserError", "TimeoutError"])
@pytest.mark.both_engines
def test_a_kill_costs_at_most_the_slice_being_flushed(
    engine: Engine, launch: Launch, system: System, site: str, tmp_path: Path
) -> None:
    kills = Kills(launch, system, site, tmp_path, seed=SEED, latest_s=LATEST_S if KILLS else SOON_S)
    losses: list[Loss] = []
    for loss in kills.run(list(islice(cycle(KINDS), KILLS)) or FEW[engine]):
        print(f"{engine} SEED={SEED} {len(losses)}: {loss}", flush=True)
        losses.append(loss)
    print(f"{engine}, SEED={SEED}\n{told(losses)}", flush=True)
    assert [loss for loss in losses if loss.violations] == []
