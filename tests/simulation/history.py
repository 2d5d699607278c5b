"""One history: batches, peers, clients, router, orchestrator and timekeeper over a modelled log, from one seed.

Time is simulated: it jumps to whatever happens next, an event or a deadline. Everything random comes from the seed.
"""

import heapq
from collections.abc import Callable
from random import Random

from schemas.internal.events import Body, DeadlineReached, Origin, RegisterBatch
from schemas.internal.outgoing import OutgoingRecord
from state.decision.decide import decide
from tests.simulation.auditor import Auditor
from tests.simulation.clients import Clients
from tests.simulation.faults import Faults
from tests.simulation.modelled_log import Log, Partition
from tests.simulation.orchestrator import LARGE, Crashed, Process, poisoned
from tests.simulation.peers import HOUR_MS, Peers
from tests.simulation.replay import replay
from tests.simulation.tally import Tally
from tests.simulation.timekeeping import Timekeeper
from tests.simulation.worlds import hex_id, registration

START_MS = 1_750_000_000_000
BATCHES, PARTITIONS = 20, 3
MOST_TURNS = 4_000
"""A history that needs more does not come to rest."""


class History:
    """All that happens from one seed."""

    def __init__(self, seed: int, tally: Tally, batches: int = BATCHES) -> None:
        self.rng = rng = Random(seed)
        self.tally = tally
        self.now = START_MS
        self.broker_skew = 0
        self.heap: list[tuple[int, int, Callable[[], None]]] = []
        self.planned = 0
        self.log = Log(PARTITIONS)
        self.router_up = True
        self.registrations = {hex_id(rng): registration(rng) for _ in range(batches)}
        self.poison: set[str] = set()
        self.poison_armed = False
        # In a few histories the topics of commands take little, so that a command can be too large.
        command_bytes = rng.choice((2_200, 2_600, 3_200)) if rng.random() < 0.1 else LARGE
        self.decide = poisoned(decide, self.poison)
        self.auditor = Auditor(self.log, self.poison, tally)
        self.process = Process(self.auditor.listening(self.decide), command_bytes, self.see)
        self.timekeepers = [self._timekeeper()]
        self.peers = Peers(rng, self.send, tally, temper=rng.choice((0.0, 0.03, 0.08, 0.15)))
        self.clients = Clients(
            rng, lambda batch_id, body: self.send(batch_id, body, 0, hex_id(rng)), self.later, self.auditor.view, tally
        )
        self.faults = Faults(self)
        self.reads_uncommitted = rng.random() < 0.3

    def _timekeeper(self) -> Timekeeper:
        return Timekeeper(self.log, lambda: self.now, self.broker_now)

    def broker_now(self) -> int:
        """Return the broker's time, with which it stamps what is appended."""
        return self.now + self.broker_skew

    # --------------------------------------------------------------------------------------------------- what is sent

    def later(self, delay_ms: int, act: Callable[[], None]) -> None:
        """Have something done after a delay."""
        self.planned += 1
        heapq.heappush(self.heap, (self.now + delay_ms, self.planned, act))

    def send(self, batch_id: str, body: Body, delay_ms: int, event_id: str) -> None:
        """Send an event to the router's inputs after a delay."""
        if self.poison_armed:
            self.poison_armed = False
            self.poison.add(event_id)
        self.later(delay_ms, lambda: self.log.send(batch_id, body, event_id, self.broker_now()))

    def see(self, partition: Partition, offset: int, record: OutgoingRecord) -> None:
        """Note a record that was produced, but not committed yet."""
        effect = self.auditor.produced(partition, offset, record)
        if effect is not None and self.reads_uncommitted and self.rng.random() < 0.1:
            self.tally.fault("peer reads uncommitted")
            self.peers.see(effect, self.registrations[effect.batch_id])

    # ------------------------------------------------------------------------------------------------------- the turns

    def run(self) -> None:
        """Let everything happen until nothing is left to happen."""
        for batch_id, body in self.registrations.items():
            self.later(self.rng.randrange(2 * HOUR_MS), self._registering(batch_id, body))
        for _ in range(MOST_TURNS):
            if not self._turn():
                break
        else:
            raise AssertionError("the history does not come to rest")
        self.auditor.finish()
        replay(self.log, self.auditor, self.decide)
        self.tally.histories += 1

    def _registering(self, batch_id: str, body: RegisterBatch) -> Callable[[], None]:
        return lambda: self.clients.register(batch_id, body)

    def _turn(self) -> bool:
        """Go to the next moment at which something happens; return whether there was one."""
        if not self._go_on():
            return False
        while self.heap and self.heap[0][0] <= self.now:
            heapq.heappop(self.heap)[2]()
        self.faults.perhaps()
        quiet = not self.heap
        self.route()
        if quiet or self.rng.random() < 0.9:
            self.orchestrate(quiet=quiet)
        for one in self.timekeepers:
            one.tick()
        if quiet:
            self.route()
            self.orchestrate(quiet=True)
        return True

    def _go_on(self) -> bool:
        moments = [self.heap[0][0]] if self.heap else []
        if self.router_up:
            wishes = [one.next_ms() for one in self.timekeepers]
            moments += [wish - self.broker_skew for wish in wishes if wish is not None]
        unfinished = any(partition.pending for partition in self.log.partitions)
        if not moments and not unfinished:
            return False
        if moments:
            self.now = max(self.now + 1, min(moments))
        return True

    # --------------------------------------------------------------------------------------------------- the processes

    def route(self) -> None:
        """Let the router send what is in its inputs, and commit now and then."""
        if not self.router_up:
            return
        while self.log.routed < len(self.log.inputs):
            self.log.route_next(self.broker_now())
        if not self.heap or self.rng.random() < 0.7:
            self.log.router_committed = max(self.log.router_committed, self.log.routed)

    def orchestrate(self, *, quiet: bool) -> None:
        """Let the orchestrator decide what is in the inbox, and commit now and then; it can crash at each step."""
        partitions = list(self.log.partitions)
        self.rng.shuffle(partitions)
        for partition in partitions:
            while partition.pending:
                try:
                    self.process.decide_next(partition)
                    if self.rng.random() < 0.4:
                        self._checkpoint(partition)
                except Crashed:
                    self.crash()
            if quiet or self.rng.random() < 0.7:
                self.commit(partition)

    def _checkpoint(self, partition: Partition) -> None:
        """Commit, unless the process crashes before; it can also crash before it learns that it has committed."""
        self.process.step()
        self.commit(partition)
        try:
            self.process.step()
        except Crashed:
            self.tally.fault("crash after the commit")
            raise

    def commit(self, partition: Partition) -> None:
        """Commit the open transaction of a partition; peers and readers see what was in it."""
        for effect in self.auditor.committed(partition, partition.commit()):
            self.peers.see(effect, self.registrations[effect.batch_id])

    def crash(self) -> None:
        """Drop all open transactions; the next process restores its state from the changelog."""
        self.tally.fault("orchestrator crash")
        for partition in self.log.partitions:
            partition.abort()

    # -------------------------------------------------------------------------------------------------------- faults

    def add_timekeeper(self) -> None:
        """Start a second timekeeper beside the first."""
        self.timekeepers.append(self._timekeeper())

    def fire(self, batch_id: str, due_ms: int) -> None:
        """Put a deadline on the inbox that nobody has armed."""
        origin = Origin(
            event_id=hex_id(self.rng), event_type="deadline_reached", topic="timekeeper", partition=9, offset=due_ms
        )
        self.log.append(batch_id, DeadlineReached(due_ms=due_ms), origin, self.broker_now())

    def unreadable(self, batch_id: str) -> None:
        """Put bytes on the inbox that nobody can read."""
        self.log.append_raw(batch_id, batch_id.encode(), b"{", self.broker_now())

    def mismatched(self, batch_id: str) -> None:
        """Put a record under a key that is not its batch id."""
        partition = self.log.partition(batch_id)
        if partition.inbox:
            stored = partition.inbox[-1]
            self.log.append_raw(batch_id, b"another-key", stored.value, self.broker_now())
