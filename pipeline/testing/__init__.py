"""Test doubles for people who write stages: a clock and ids that obey, a source, sinks, a one-line way to run a map.

Import from here in tests only. Nothing in this package opens a file or a socket, sleeps for real or draws a random
number.
"""

from pipeline.testing.clock import ManualClock, SequenceIds
from pipeline.testing.maps import MapReport, record, run_stage
from pipeline.testing.sinks import CollectingSink, FailingSink, Fault
from pipeline.testing.sources import ListSource

__all__ = [
    "CollectingSink",
    "FailingSink",
    "Fault",
    "ListSource",
    "ManualClock",
    "MapReport",
    "SequenceIds",
    "record",
    "run_stage",
]
