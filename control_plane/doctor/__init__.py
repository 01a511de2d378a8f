"""`safereel doctor`: are bucket, database and clocks what Safereel needs?

Each check is a probe (`probing`) that does something real and answers what it saw, and a pure function (`judging`) that
says what this means and how to mend it. All objects that it writes lie under `meta/doctor/`, where no chunk can be and
no audit looks; they are removed in the end with every version. It reads no recording, and changes none.
"""

from control_plane.doctor.command import run
from control_plane.doctor.origins import origin_of

__all__ = ["origin_of", "run"]
