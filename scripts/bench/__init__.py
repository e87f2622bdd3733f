"""`make bench`: what ingest, build, planning and sending cost beside what they cannot cost less than."""
