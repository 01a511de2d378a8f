"""The queue in PostgreSQL (procrastinate): sweeps wait here for whichever worker is free."""
