"""What a child is started with: its command line, made by the parent and read by the child."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from control_plane.domain.media import Container


class Task(StrEnum):
    """What a child can do."""

    PROBE = "probe"
    REMUX = "remux"


@dataclass(frozen=True, slots=True)
class Order:
    """One child's work and limits.

    `memory_bytes` is of address space. `scratch_bytes` is how long a file it may write into `scratch_dir`; 0: none at all.
    It ends itself when its library says nothing for `silence_s`, so that one whose parent is gone does not run on.
    """

    task: Task
    container: Container
    memory_bytes: int
    scratch_bytes: int
    silence_s: float
    scratch_dir: Path

    def arguments(self) -> Sequence[str]:
        """As a command line."""
        limits = (self.memory_bytes, self.scratch_bytes, self.silence_s)
        return (self.task.value, self.container.value, *map(str, limits), str(self.scratch_dir))

    @classmethod
    def parsed(cls, arguments: Sequence[str]) -> "Order":
        """The inverse. ValueError for anything else."""
        task, container, memory, scratch, silence, folder = arguments
        return cls(Task(task), Container(container), int(memory), int(scratch), float(silence), Path(folder))
