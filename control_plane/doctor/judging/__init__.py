"""Pure functions from what a probe saw to a finding: no call, no clock."""
