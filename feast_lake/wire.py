"""How Feast writes online values and keys, column by column instead of value by value.

Feast builds a message per value, which costs most of the time of a materialization. The bytes here are the same.
Source: feast.protos.feast.types.Value (protocol buffers) and feast.infra.key_encoding_utils, version 3.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pyarrow as pa
from feast.protos.feast.types.EntityKey_pb2 import EntityKey as EntityKeyProto
from feast.protos.feast.types.Value_pb2 import Value as ValueProto
from feast.type_map import python_values_to_proto_values
from feast.types import FeastType
from feast.value_type import ValueType

_STRING = struct.Struct("<II")
_DOUBLE = struct.Struct("<cd").pack


def encoded(column: pa.ChunkedArray | pa.Array, dtype: FeastType) -> list[bytes]:
    """The values of a column as Feast stores them; a null has no bytes."""
    kind = dtype.to_value_type()
    if kind == ValueType.UNIX_TIMESTAMP:
        # Feast keeps whole seconds.
        column = column.cast(pa.timestamp("s", tz=getattr(column.type, "tz", None)), safe=False).cast(pa.int64())
    values = column.to_pylist()
    if kind == ValueType.DOUBLE:
        # Feast takes NaN for a null.
        return [b"" if value is None or value != value else _DOUBLE(b"\x29", value) for value in values]
    if kind in _ENCODERS:
        encode = _ENCODERS[kind]
        # Most features take few values.
        bytes_of = {value: encode(value) for value in set(values) if value is not None}
        bytes_of[None] = b""
        return [bytes_of[value] for value in values]
    return [value.SerializeToString() for value in python_values_to_proto_values(values, kind)]


def entity_keys(rows: Iterable[Sequence[str]], names: Sequence[str]) -> list[bytes]:
    """Keys of the online store.

    Args:
        rows: the values of each key, in the order of names.

    Raises:
        TypeError: a value that is not a string.
    """
    order = sorted(range(len(names)), key=lambda place: names[place])
    head = struct.pack("<I", len(names)) + b"".join(_named(names[place]) for place in order)
    return [head + b"".join(_key_value(row[place]) for place in order) for row in rows]


def python_value(value: ValueProto) -> Any:
    """What a value holds: null as None, a list as a list, a timestamp as seconds."""
    kind = value.WhichOneof("val")
    held: Any = getattr(value, kind) if kind else None
    return list(held.val) if hasattr(held, "val") else held


def key_bytes(key: EntityKeyProto) -> bytes:
    """The bytes of a key that Feast built."""
    from feast.infra.key_encoding_utils import serialize_entity_key

    return bytes(serialize_entity_key(key, entity_key_serialization_version=3))


def _named(name: str) -> bytes:
    return _STRING.pack(ValueType.STRING.value, len(name.encode())) + name.encode()


def _key_value(value: Any) -> bytes:
    if not isinstance(value, str):
        raise TypeError(f"key {value!r} is a {type(value).__name__}; expected a string")
    text = value.encode()
    return _STRING.pack(ValueType.STRING.value, len(text)) + text


def _varint(number: int) -> bytes:
    """Seven bits a byte, lowest first; negative numbers as 64-bit complements."""
    number &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _text(value: str) -> bytes:
    text = value.encode()
    return b"\x12" + _varint(len(text)) + text


# The first byte is the number of the field and its wire type.
_ENCODERS: dict[ValueType, Callable[[Any], bytes]] = {
    ValueType.STRING: _text,
    ValueType.INT64: lambda value: b"\x20" + _varint(value),
    ValueType.BOOL: lambda value: b"\x38\x01" if value else b"\x38\x00",
    ValueType.UNIX_TIMESTAMP: lambda value: b"\x40" + _varint(value),
}
