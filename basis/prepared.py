"""A SELECT that is asked thousands of times a second: compiled once, run by the driver itself.

SQLAlchemy makes a context and a result for each execution, which for a small answer costs many
times what the database does. Statements stay the ones of the models; only the way there is shorter.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Engine, Select

IDLE_CONNECTIONS = 4
"""Connections kept for the next question; more are closed after use."""


class Prepared:
    """`statement` on one database. Call it with its bound values, declared `required=False`; it
    gives plain tuples, each value as the statement's own types read it. Safe from many threads.

    Each call sees what is committed when it begins. Raises what the driver raises.
    """

    def __init__(self, engine: Engine, statement: Select[*tuple[Any, ...]]) -> None:
        self._engine = engine
        compiled = statement.compile(
            dialect=engine.dialect, compile_kwargs={"render_postcompile": True}
        )
        self._sql = str(compiled)
        self._order: Sequence[str] | None = compiled.positiontup
        self._writers = {
            name: process
            for name, bind in compiled.binds.items()
            if (process := _writer(engine, bind.type)) is not None
        }
        self._fixed = {name: self._written(name, value) for name, value in compiled.params.items()}
        self._readers = [_reader(engine, column.type) for column in statement.selected_columns]
        self._free: deque[Any] = deque()

    def __call__(self, **values: Any) -> list[tuple[Any, ...]]:
        """Every row."""
        given = {**self._fixed, **{k: self._written(k, v) for k, v in values.items()}}
        bound = given if self._order is None else [given[name] for name in self._order]
        connection = self._connection()
        try:
            cursor = connection.cursor()
            try:
                rows = cursor.execute(self._sql, bound).fetchall()
            finally:
                cursor.close()
        except BaseException:
            connection.close()
            raise
        self._give_back(connection)
        readers = self._readers
        return [
            tuple(
                value if read is None else read(value)
                for read, value in zip(readers, row, strict=True)
            )
            for row in rows
        ]

    def close(self) -> None:
        """Close the connections kept."""
        while self._free:
            self._free.pop().close()

    def _connection(self) -> Any:
        try:
            return self._free.pop()
        except IndexError:
            pooled = self._engine.raw_connection()
            if self._engine.dialect.name == "postgresql":
                # On SQLite a statement outside BEGIN is a transaction of its own already.
                pooled.driver_connection.autocommit = True  # type: ignore[union-attr]
            pooled.detach()  # ours from now on: the pool makes itself another
            return pooled

    def _give_back(self, connection: Any) -> None:
        if len(self._free) < IDLE_CONNECTIONS:
            self._free.append(connection)
        else:
            connection.close()

    def _written(self, name: str, value: Any) -> Any:
        process = self._writers.get(name)
        return value if process is None else process(value)


def _writer(engine: Engine, kind: Any) -> Callable[[Any], Any] | None:
    process: Callable[[Any], Any] | None = kind.dialect_impl(engine.dialect).bind_processor(
        engine.dialect
    )
    return process


def _reader(engine: Engine, kind: Any) -> Callable[[Any], Any] | None:
    process: Callable[[Any], Any] | None = kind.dialect_impl(engine.dialect).result_processor(
        engine.dialect, None
    )
    return process
