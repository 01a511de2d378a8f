"""Decisions in order: what happens, and in which sequence. No SQL text, no S3 call, no HTTP."""
