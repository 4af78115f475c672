"""Reads Caffe's files without Caffe: network definitions (protobuf text format) and weight files (protobuf wire format).

Written for the comparison with onnxruntime, and on purpose not from the Rust importer: an error of one shows as a difference.
"""

import mmap
import re
import struct

import numpy as np

TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
      | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?f?)
      | (?P<mark>[{}<>\[\]:,;])""",
    re.VERBOSE,
)


class Message(dict):
    """Field name to the list of its values; a value is a number, a string, an enum's name as a string, or a Message."""

    def one(self, name, default=None):
        """The last value of a field, as protobuf reads a field that is not repeated."""
        return self[name][-1] if name in self else default

    def part(self, name):
        """A message field, empty where it is absent."""
        return self.one(name, Message())


def tokens(text):
    position = 0
    while position < len(text):
        match = TOKEN.match(text, position)
        if not match:
            line = text.count("\n", 0, position) + 1
            raise ValueError(f"line {line}: found {text[position]!r}")
        position = match.end()
        if match.lastgroup != "space":
            yield match.lastgroup, match.group()
    yield "end", ""


class TextReader:
    """Protobuf text format, as far as Caffe's definitions go."""

    def __init__(self, text):
        self.tokens = list(tokens(text))
        self.at = 0

    def take(self):
        token = self.tokens[self.at]
        self.at += 1
        return token

    def next_is(self, *marks):
        return self.tokens[self.at][1] in marks and self.tokens[self.at][0] == "mark"

    def message(self, end):
        result = Message()
        while True:
            kind, name = self.take()
            if name == end and kind in ("mark", "end"):
                return result
            if kind != "word":
                raise ValueError(f"found {name!r} where a field was expected")
            result.setdefault(name, []).extend(self.values())
            while self.next_is(",", ";"):
                self.take()

    def values(self):
        if self.next_is(":"):
            self.take()
        if not self.next_is("["):
            return [self.value()]
        self.take()
        result = []
        while not self.next_is("]"):
            result.append(self.value())
            if self.next_is(","):
                self.take()
        self.take()
        return result

    def value(self):
        kind, text = self.take()
        if kind == "mark" and text in "{<":
            return self.message({"{": "}", "<": ">"}[text])
        if kind == "string":
            return text[1:-1]
        if kind == "number":
            return int(text) if re.fullmatch(r"[-+]?\d+", text) else float(text.rstrip("f"))
        if kind == "word":
            return {"true": True, "false": False}.get(text, text)
        raise ValueError(f"found {text!r} where a value was expected")


def read_definition(path):
    """The network definition in a prototxt, as a Message."""
    return TextReader(path.read_text()).message("")


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def fields(data, start, end):
    """Number, wire type and content of each field: an integer, or the first and last place of the bytes."""
    at = start
    while at < end:
        key, at = varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, at = varint(data, at)
            yield number, kind, value
            continue
        if kind == 2:
            length, at = varint(data, at)
        else:
            length = {1: 8, 5: 4}[kind]
        yield number, kind, (at, at + length)
        at += length
    if at != end:
        raise ValueError("a message ends behind its length")


def read_blob(data, start, end):
    """BlobProto: extents in `shape` (7) or in the four older fields (1-4), values in `data` (5)."""
    legacy, dims, parts = {}, None, []
    for number, kind, value in fields(data, start, end):
        if number <= 4 and kind == 0:
            legacy[number] = value
        elif number == 7:
            dims = []
            for _, dim_kind, dim in fields(data, *value):
                if dim_kind == 0:
                    dims.append(dim)
                    continue
                at, stop = dim
                while at < stop:
                    extent, at = varint(data, at)
                    dims.append(extent)
        elif number == 5 and kind == 2:
            parts.append(np.frombuffer(data, "<f4", (value[1] - value[0]) // 4, value[0]))
        elif number == 5:
            parts.append(np.array(struct.unpack_from("<f", data, value[0]), "<f4"))
        elif number in (8, 10, 12):
            raise ValueError("values that are no float32")
    if dims is None:
        dims = [legacy.get(number, 1) for number in (1, 2, 3, 4)]
    values = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return values.reshape(dims)


def read_weights(path):
    """The blobs of each layer of a caffemodel by layer name; today's `layer` (100) and the V1 `layers` (2)."""
    with open(path, "rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    weights = {}
    for number, kind, place in fields(data, 0, len(data)):
        if kind != 2 or number not in (2, 100):
            continue
        name_field, blobs_field = (4, 6) if number == 2 else (1, 7)
        name, blobs = "", []
        for inner, inner_kind, value in fields(data, *place):
            if inner == name_field and inner_kind == 2:
                name = data[value[0] : value[1]].decode()
            elif inner == blobs_field and inner_kind == 2:
                blobs.append(read_blob(data, *value))
        if blobs:
            weights[name] = blobs
    return weights
