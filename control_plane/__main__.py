"""`python -m control_plane` is `safereel`."""

import sys

from control_plane.cli import main

sys.exit(main())
