"""The played peers: HuleEdu's file service, essay lifecycle service and phase services, simulated.

They judge what they get by the wire contract alone, import nothing of the product, and need only confluent-kafka and
fastjsonschema. `python -m peers --help` plays them against any cluster.
"""

from peers.options import PeerOptions
from peers.playing import Peers, PeersError
from peers.report import Complaint, PeerReport, RefusedCommand
from peers.rules import Rule
from peers.verdict import ExpectedBatch, ExpectedPhase

__all__ = [
    "Complaint",
    "ExpectedBatch",
    "ExpectedPhase",
    "PeerOptions",
    "PeerReport",
    "Peers",
    "PeersError",
    "RefusedCommand",
    "Rule",
]
