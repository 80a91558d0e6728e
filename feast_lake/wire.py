"""How an online store writes keys and values: a key as Feast does, the values of a row as one JSON array.

Feast builds a message per value, which costs most of the time of a materialization. Here DuckDB writes the array, and
messages are built of what is read through Feast only. Keys: feast.infra.key_encoding_utils, version 3.
"""

from __future__ import annotations

import json
import struct
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from feast.infra.key_encoding_utils import serialize_entity_key
from feast.protos.feast.types.EntityKey_pb2 import EntityKey as EntityKeyProto
from feast.protos.feast.types.Value_pb2 import Value as ValueProto
from feast.type_map import (
    NULL_TIMESTAMP_INT_VALUE,
    VALUE_TYPE_TO_PROTO_VALUE_MAP,
    python_values_to_proto_values,
)
from feast.value_type import ValueType

from feast_lake.errors import LakeError

_STRING = struct.Struct("<II")
_IS_STRING = ValueType.STRING.value
# Type and length as before a text, then the number.
_WHOLE = {ValueType.INT32: "<IIi", ValueType.INT64: "<IIq"}
_SCALARS = ("INT32", "INT64", "DOUBLE", "FLOAT", "STRING", "BYTES", "BOOL", "UNIX_TIMESTAMP")
KINDS = {ValueType[name + ending] for name in _SCALARS for ending in ("", "_LIST")}
"""The types that an online store keeps: those that a column of a lake can have."""


def entity_keys(
    rows: Iterable[Sequence[Any]], names: Sequence[str], kinds: Sequence[ValueType] | None = None
) -> list[bytes]:
    """Keys of the online store.

    Args:
        rows: the values of each key, in the order of names.
        kinds: the types of the values, in the same order; None: all are strings.

    Raises:
        LakeError: a value that is not of its type, or a type that no key is kept under.
    """
    order = sorted(range(len(names)), key=lambda place: names[place])
    head = struct.pack("<I", len(names)) + b"".join(_string(names[place]) for place in order)
    parts = [(place, _packer(kinds[place]) if kinds else _string) for place in order]
    return [head + b"".join([pack(row[place]) for place, pack in parts]) for row in rows]


def key_bytes(key: EntityKeyProto) -> bytes:
    """The bytes of a key that Feast built."""
    return bytes(serialize_entity_key(key, entity_key_serialization_version=3))


def _packer(kind: ValueType) -> Callable[[Any], bytes]:
    if kind == ValueType.STRING:
        return _string
    if kind not in _WHOLE:
        raise LakeError(f"A key of type {kind.name} is not kept online; make it a string or a whole number")
    whole = struct.Struct(_WHOLE[kind])

    def pack(value: Any) -> bytes:
        try:
            return whole.pack(kind.value, whole.size - _STRING.size, value)
        except struct.error:
            raise LakeError(f"key {value!r} is a {type(value).__name__}; expected {kind.name}") from None

    return pack


def _string(value: Any) -> bytes:
    if not isinstance(value, str):
        raise LakeError(f"key {value!r} is a {type(value).__name__}; expected a string")
    text = value.encode()
    return _STRING.pack(_IS_STRING, len(text)) + text


def in_json(column: str, kind: ValueType) -> str:
    """SQL: a column as `json_array` is to write it: moments in whole seconds since 1970, and NaN as null, as Feast
    has them; bytes in base 64."""
    match kind:
        case ValueType.DOUBLE:
            return f"nullif({column}::double, 'nan')"
        case ValueType.FLOAT:
            return f"nullif({column}::float, 'nan')"
        case ValueType.UNIX_TIMESTAMP:
            return _seconds(column)
        case ValueType.UNIX_TIMESTAMP_LIST:
            return f"list_transform({column}, lambda moment: {_seconds('moment')})"
        case ValueType.BYTES:
            return f"to_base64({column})"
        case ValueType.BYTES_LIST:
            return f"list_transform({column}, lambda part: to_base64(part))"
        case _:
            return column


def _seconds(moment: str) -> str:
    return f"trunc(epoch({moment}::timestamp))::bigint"


def json_of(values: Iterable[ValueProto | None]) -> str:
    """Values that Feast built, as `in_json` has them."""
    return json.dumps([value and python_value(value) for value in values], default=_in_json)


def _in_json(value: bytes | datetime) -> str | int:
    return int(value.timestamp()) if isinstance(value, datetime) else b64encode(value).decode()


def python_value(value: ValueProto) -> Any:
    """What a value holds: null as None, a list as a list, a moment in UTC."""
    field = value.WhichOneof("val")
    if field is None:
        return None
    held: Any = getattr(value, field)
    plain = list(held.val) if hasattr(held, "val") else held
    decode = decoder(_KIND_OF[field]) if field.startswith("unix_timestamp") else None
    return decode(plain) if decode else plain


def decoder(kind: ValueType) -> Callable[[Any], Any] | None:
    """Makes a value in Python of one in JSON, moments in UTC; None: they are the same."""
    if kind.name.endswith("_LIST"):
        decode = decoder(ValueType[kind.name.removesuffix("_LIST")])
        return decode and (lambda values: [decode(value) for value in values])
    return _DECODERS.get(kind)


def _moment(seconds: int | None) -> datetime | None:
    """None also for the number that Feast writes where a frame has no time."""
    return None if seconds is None or seconds == NULL_TIMESTAMP_INT_VALUE else datetime.fromtimestamp(seconds, UTC)


def to_proto(kind: ValueType) -> Callable[[Any], ValueProto]:
    """Makes Feast's value of one in JSON."""
    field, decode = VALUE_TYPE_TO_PROTO_VALUE_MAP[kind], decoder(kind)
    if kind in _SAME_IN_PROTO:
        return lambda value: ValueProto() if value is None else ValueProto(**{field: value})

    def convert(value: Any) -> ValueProto:
        plain = decode(value) if decode and value is not None else value
        [found] = python_values_to_proto_values([plain], kind)
        return found

    return convert


_KIND_OF: dict[str, ValueType] = {field: kind for kind, field in VALUE_TYPE_TO_PROTO_VALUE_MAP.items()}
_SAME_IN_PROTO = {ValueType[name] for name in _SCALARS if name != "BYTES"}
_DECODERS: dict[ValueType, Callable[[Any], Any]] = {
    ValueType.BYTES: b64decode,
    ValueType.UNIX_TIMESTAMP: _moment,
}
