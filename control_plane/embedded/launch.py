"""Runs as a script of its own (`python -I -S launch.py …`), becomes the program it is told to start.

It stands between us and PostgreSQL or SeaweedFS because what it does must happen in the child, before the
program runs, and is not safe between fork and exec of a process with threads:

1. gives up root where the program refuses it (PostgreSQL does), keeping only the capability to pass through folders
   that the new account could not enter, such as a data folder under `/root`;
2. asks the kernel for a signal when our process dies, however it dies (`PR_SET_PDEATHSIG`, Linux only). This comes
   after 1, since a change of account clears it;
3. leaves its process id in a file, under which the next start finds the program should all else have failed.

Imports nothing of this package: it starts in some hundredths of a second, without site-packages.
"""

import ctypes
import json
import os
import struct
import sys
from pathlib import Path

# From linux/prctl.h, linux/securebits.h and linux/capability.h.
PR_SET_PDEATHSIG = 1
PR_SET_SECUREBITS = 28
SECBIT_NO_SETUID_FIXUP = 1 << 2
SECBIT_KEEP_CAPS = 1 << 4
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAPABILITY_VERSION_3 = 0x20080522
CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2


def give_up_root(libc: ctypes.CDLL, uid: int, gid: int) -> None:
    # Without the first, access(2) leaves capabilities out of account for everyone but root: initdb asks it whether it may
    # run its neighbours, and would say no to programs in a folder of root's alone.
    libc.prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP | SECBIT_KEEP_CAPS, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    kept = 1 << CAP_DAC_OVERRIDE | 1 << CAP_DAC_READ_SEARCH
    header = struct.pack("Ii", CAPABILITY_VERSION_3, 0)
    sets = struct.pack("6I", kept, kept, kept, 0, 0, 0)
    # A container may have dropped these capabilities. Then the program runs without, and says which folder
    # it could not enter: nothing to add here.
    if libc.capset(header, sets) == 0:
        for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0)


def main() -> None:
    order = json.loads(sys.argv[1])
    command: list[str] = sys.argv[2:]
    Path(order["pid_file"]).write_text(f"{os.getpid()}\n")
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if order["account"] is not None:
            give_up_root(libc, *order["account"])
        libc.prctl(PR_SET_PDEATHSIG, order["death_signal"], 0, 0, 0)
    elif order["account"] is not None:
        os.setgroups([])
        os.setgid(order["account"][1])
        os.setuid(order["account"][0])
    if os.getppid() != order["parent"]:
        sys.exit("the parent died before the start")
    os.execv(command[0], command)  # noqa: S606 - that is what this script is for


if __name__ == "__main__":
    main()
