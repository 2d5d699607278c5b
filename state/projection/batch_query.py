"""The statement of a list: which index leads to the batches that fit, in the order of registration.

What is asked is found by one index and checked on the rows that this one gives. The index with the rarest values leads.
It is found by counting up to `PROBED` entries of each that could: SQLite knows no numbers of rows, and PostgreSQL's are
of an earlier time. Several statuses, or phases, are several branches with a limit each, so that no index is read
further than the page is long.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, Select, Table, and_, func, literal, or_, select, true, tuple_, union

from state.projection import tables
from state.projection.batch_models import BatchFilter, Visibility
from state.projection.sql import asked, indexed

PROBED = 1_000
"""Entries counted of an index that gives its rows in the order of the list."""
PROBED_UNORDERED = 20_000
"""Entries counted of one that does not: all that fit are then sorted."""
Condition = ColumnElement[bool]
Place = tuple[int, str]
Given = TypeVar("Given", BatchFilter, Visibility)
_batches, _phases = tables.batches.c, tables.phases.c


class Driver(NamedTuple):
    """An index that can lead to the batches that fit, and what is asked of its columns."""

    by: str
    """Name of the index."""
    branches: tuple[tuple[Condition, ...], ...] = ((),)
    ordered: bool = True
    """Whether each branch comes in the order of registration."""
    table: Table = tables.batches


class Order(NamedTuple):
    """Which way a list goes, and the place after which it goes on."""

    newest_first: bool = True
    after: Place | None = None


NEWEST = Driver("batches_newest")


class BatchQuery:
    """The batches that fit a filter at a moment, and may be seen."""

    def __init__(self, connection: Connection, filters: BatchFilter, visibility: Visibility, now_ms: int) -> None:
        self._connection = connection
        self._filters = _as_columns(filters)
        self._visibility = _as_columns(visibility)
        self._now_ms = now_ms
        self._driver = choose(connection, self._drivers())

    def places(self, order: Order, limit: int) -> list[Place]:
        """Return the places of the first batches in this order."""
        branches = [self._ordered(wanted, order).limit(limit) for wanted in self._driver.branches]
        statement: Any = branches[0]
        if len(branches) > 1:
            merged = union(*(select(branch.subquery()) for branch in branches)).subquery()
            statement = _sorted(select(merged), merged.c.registered_ms, merged.c.batch_id, order).limit(limit)
        return [(row[0], row[1]) for row in self._connection.execute(statement)]

    def count(self, most: int) -> int:
        """Return how many batches fit, at most `most`."""
        branches = [self._branch(wanted, None).limit(most) for wanted in self._driver.branches]
        rows: Any = branches[0].subquery()
        if len(branches) > 1:
            rows = select(union(*(select(branch.subquery()) for branch in branches)).subquery()).limit(most).subquery()
        found: int = self._connection.execute(select(func.count()).select_from(rows)).scalar_one()
        return found

    def _ordered(self, wanted: tuple[Condition, ...], order: Order) -> Select[Any]:
        table = self._driver.table
        return _sorted(self._branch(wanted, order), table.c.registered_ms, table.c.batch_id, order)

    def _branch(self, wanted: tuple[Condition, ...], order: Order | None) -> Select[Any]:
        table = self._driver.table
        statement: Select[Any] = select(table.c.registered_ms, table.c.batch_id).where(*wanted)
        statement = indexed(statement, table, self._driver.by)
        conditions = self._conditions()
        if table is tables.phases:
            if conditions:
                same = select(literal(1)).select_from(tables.batches).where(_batches.batch_id == _phases.batch_id)
                statement = statement.where(same.where(*conditions).exists())
        else:
            statement = statement.where(*conditions, *self._of_a_phase())
        statement = statement.where(*_between(table.c.registered_ms, *self._registered()))
        return statement if order is None else statement.where(*_after(table, order))

    def _drivers(self) -> list[Driver]:
        """Return the indexes that could lead, without that of all; of equal ones the first is taken."""
        filters = self._filters
        flags = {"stalled": filters.stalled, "held": filters.held, "paused": filters.paused}
        found = [Driver("batches_attention", ((self._attention(),),))] if filters.attention else []
        found += [Driver(f"batches_{name}", ((_batches[name] == true(),),)) for name, wanted in flags.items() if wanted]
        if filters.phase is not None or filters.phase_status is not None:
            found.append(Driver("phases_by_status", self._phase_branches(), table=tables.phases))
        values = {
            "user": (_batches.user_id, filters.user),
            "owner": (_batches.owner_subject, filters.owner or self._visibility.owner_subject),
            "course": (_batches.course, filters.course),
            "organisation": (_batches.organisation, filters.organisation),
            "owner_organisation": (_batches.owner_organisation, self._visibility.owner_organisation),
        }
        for name, (column, value) in values.items():
            if value is not None:
                found.append(Driver(f"batches_by_{name}", ((column == value,),)))
        if filters.status:
            found.append(
                Driver("batches_by_status", tuple((_batches.status == each.value,) for each in filters.status))
            )
        if filters.pipeline is not None:
            found.append(Driver("batches_by_pipeline", ((_batches.pipeline == filters.pipeline,),)))
        if filters.ended is not None:
            found.append(Driver("batches_ended" if filters.ended else "batches_live", (self._ended(),)))
        updated = _between(_batches.updated_ms, filters.updated_from_ms, filters.updated_before_ms)
        if updated:
            found.append(Driver("batches_updated", (updated,), ordered=False))
        if filters.due_before_ms is not None:
            found.append(Driver("batches_due", ((_batches.next_deadline_ms < filters.due_before_ms,),), ordered=False))
        return found

    def _conditions(self) -> list[Condition]:
        """Return all that is asked of the columns of `batches`, but the time of registration and the phase."""
        filters = self._filters
        exact: dict[str, Any] = {
            "user_id": filters.user,
            "organisation": filters.organisation,
            "course": filters.course,
            "pipeline": filters.pipeline,
            "stalled": filters.stalled,
            "held": filters.held,
            "paused": filters.paused,
        }
        wanted = [_batches[name] == value for name, value in exact.items() if value is not None]
        owners = {
            _batches.owner_subject: (filters.owner, self._visibility.owner_subject),
            _batches.owner_organisation: (self._visibility.owner_organisation,),
        }
        wanted += [column == value for column, values in owners.items() for value in values if value is not None]
        if filters.status:
            wanted.append(_batches.status.in_([each.value for each in filters.status]))
        wanted += _between(_batches.updated_ms, filters.updated_from_ms, filters.updated_before_ms)
        wanted += self._ended()
        if filters.due_before_ms is not None:
            wanted.append(_batches.next_deadline_ms < filters.due_before_ms)
        if filters.attention is not None:
            wanted.append(self._attention() if filters.attention else self._no_attention())
        return wanted

    def _ended(self) -> tuple[Condition, ...]:
        if self._filters.ended is None:
            return ()
        return (_batches.ended_ms.is_not(None) if self._filters.ended else _batches.ended_ms.is_(None),)

    def _attention(self) -> Condition:
        until_ms = _batches.attention_until_ms
        return and_(_batches.attention.is_not(None), or_(until_ms.is_(None), until_ms > self._now_ms))

    def _no_attention(self) -> Condition:
        return or_(_batches.attention.is_(None), _batches.attention_until_ms <= self._now_ms)

    def _registered(self) -> tuple[int | None, int | None]:
        """Return the range of registration. A batch is not updated before it is registered."""
        filters = self._filters
        ends = [end for end in (filters.created_before_ms, filters.updated_before_ms) if end is not None]
        return filters.created_from_ms, min(ends, default=None)

    def _of_a_phase(self) -> list[Condition]:
        filters = self._filters
        if filters.phase is None and filters.phase_status is None:
            return []
        wanted = [_phases.registered_ms == _batches.registered_ms, _phases.batch_id == _batches.batch_id]
        if filters.phase is not None:
            wanted.append(_phases.phase == filters.phase)
        if filters.phase_status is not None:
            wanted.append(_phases.status == filters.phase_status.value)
        return [select(literal(1)).select_from(tables.phases).where(*wanted).exists()]

    def _phase_branches(self) -> tuple[tuple[Condition, ...], ...]:
        """Return a branch for each pair of phase and status that any batch has and that fits."""
        filters, tallies = self._filters, tables.tallies.c
        query = select(tallies.phase, tallies.name).where(tallies.scope == 0, tallies.kind == "phase", tallies.n > 0)
        if filters.phase is not None:
            query = query.where(tallies.phase == filters.phase)
        if filters.phase_status is not None:
            query = query.where(tallies.name == filters.phase_status.value)
        pairs = [(row.phase, row.name) for row in self._connection.execute(query)] or [("", "")]
        return tuple((_phases.phase == phase, _phases.status == status) for phase, status in pairs)


def _as_columns(given: Given) -> Given:
    """Return what is asked with its texts as the columns hold them."""
    texts = {name: value for name in given.__struct_fields__ if type(value := getattr(given, name)) is str}
    return replace(given, **{name: asked(value) for name, value in texts.items()})


def choose(connection: Connection, drivers: Sequence[Driver]) -> Driver:
    """Return the driver with the fewest entries, as far as they are counted; else the first ordered one, or all."""
    ordered = [driver for driver in drivers if driver.ordered]
    if len(drivers) == 1 and ordered:
        return drivers[0]
    best, fewest = ordered[0] if ordered else NEWEST, PROBED_UNORDERED
    for driver in drivers:
        most = min(fewest, PROBED if driver.ordered else PROBED_UNORDERED)
        found = _entries(connection, driver, most)
        if found < most:
            best, fewest = driver, found
    return best


def _entries(connection: Connection, driver: Driver, most: int) -> int:
    found = 0
    for wanted in driver.branches:
        entries = select(literal(1)).select_from(driver.table).where(*wanted).limit(most - found)
        entries = indexed(entries, driver.table, driver.by)
        found += connection.execute(select(func.count()).select_from(entries.subquery())).scalar_one()
        if found >= most:
            break
    return found


def _sorted(statement: Select[Any], registered_ms: Any, batch_id: Any, order: Order) -> Select[Any]:
    if order.newest_first:
        return statement.order_by(registered_ms.desc(), batch_id.desc())
    return statement.order_by(registered_ms, batch_id)


def _after(table: Table, order: Order) -> tuple[Condition, ...]:
    """Return what holds for the places after that of the order; the index knows the first of its columns alone."""
    if order.after is None:
        return ()
    place, after = tuple_(table.c.registered_ms, table.c.batch_id), tuple_(*order.after)
    if order.newest_first:
        return table.c.registered_ms <= order.after[0], place < after
    return table.c.registered_ms >= order.after[0], place > after


def _between(column: Any, first: int | None, before: int | None) -> tuple[Condition, ...]:
    return (
        *(() if first is None else (column >= first,)),
        *(() if before is None else (column < before,)),
    )
