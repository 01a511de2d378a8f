"""`python -m control_plane` is `safereel`: for images, where the package is not installed but lies beside its SQL."""

import sys

from control_plane.cli import main

sys.exit(main())
