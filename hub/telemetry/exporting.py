"""Readings as files for people and programs: CSV (RFC 4180, UTF-8) and Parquet, a batch at a time."""

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from hub.telemetry.contract import EXPORTED

CSV: Final = "text/csv; charset=utf-8"
PARQUET: Final = "application/vnd.apache.parquet"


async def csv_of(batches: AsyncIterator[pa.RecordBatch]) -> AsyncIterator[bytes]:
    """Yield a CSV file with a header line; times are RFC 3339, an empty field is a value that is not there."""
    yield (",".join(f'"{name}"' for name in EXPORTED.names) + "\n").encode()
    async for batch in batches:
        yield await asyncio.to_thread(_csv, batch)


async def parquet_of(batches: AsyncIterator[pa.RecordBatch]) -> AsyncIterator[bytes]:
    """Yield a Parquet file; each batch is a row group, and only one is in memory."""
    sink = _Sink()
    writer = pyarrow.parquet.ParquetWriter(pa.PythonFile(sink, mode="w"), EXPORTED, compression="zstd")
    async for batch in batches:
        await asyncio.to_thread(writer.write_batch, batch)
        yield sink.taken()
    writer.close()
    yield sink.taken()


def _csv(batch: pa.RecordBatch) -> bytes:
    columns = [_rfc3339(column) if pa.types.is_timestamp(column.type) else column for column in batch.columns]
    sink = io.BytesIO()
    options = pyarrow.csv.WriteOptions(include_header=False)
    pyarrow.csv.write_csv(pa.RecordBatch.from_arrays(columns, names=batch.schema.names), sink, options)
    return sink.getvalue()


def _rfc3339(times: Any) -> "pa.Array[Any]":  # noqa: ANN401 - the stubs know only some of Arrow's time arrays
    """Cast to plain UTC first: formatting a zoned time looks for a zone database that a machine may lack."""
    written: pa.Array[Any] = pc.strftime(times.cast(pa.timestamp("us")), "%Y-%m-%dT%H:%M:%SZ")
    return written


class _Sink(io.RawIOBase):
    """A file that is written once, and taken away piece by piece."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []
        self._at = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def write(self, piece: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]  # what Arrow hands over
        self._pieces.append(bytes(piece))
        self._at += len(piece)
        return len(piece)

    def taken(self) -> bytes:
        """Return what was written since the last time."""
        whole = b"".join(self._pieces)
        self._pieces.clear()
        return whole
