#!/usr/bin/env python3
"""Reads an artifact of tetrafold, from examples/reader/FORMATS.md alone and with nothing but Python's own library.

  reader.py DIR   checks every digest and prints what is in it
  reader.py DIR decide OPERATION SCOPES VALUE...   what happens in a process under these scopes (`0,3`), given one value
      for each dimension: a path, a text, a number, an address; `-` for what cannot be read, or has no address
  reader.py DIR event HEX   takes a record of the ring buffer apart
"""
import hashlib
import ipaddress
import json
import pathlib
import struct
import sys

NONE, M64 = 2**32 - 1, 2**64 - 1
u16, u32, u64 = (lambda b, at, code=code: struct.unpack_from(code, b, at)[0] for code in ("<H", "<I", "<Q"))


class Artifact:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        text = (self.folder / "manifest.json").read_bytes()
        said = (self.folder / "manifest.json.sha256").read_text().split()[0]
        assert hashlib.sha256(text).hexdigest() == said, "the manifest was changed"
        self.manifest = json.loads(text)

    def file(self, ref):
        assert ".." not in pathlib.PurePath(ref["path"]).parts and not ref["path"].startswith("/")
        data = (self.folder / ref["path"]).read_bytes()
        assert len(data) == ref["bytes"] and hashlib.sha256(data).hexdigest() == ref["sha256"], ref["path"]
        return data

    def files(self, value):
        if isinstance(value, dict) and {"path", "sha256", "bytes"} <= value.keys():
            yield self.file(value)
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
        yield from (file for part in parts for file in self.files(part))


class Tables:
    def __init__(self, data):
        assert data[:4] == b"FTBL" and u32(data, 4) == 1, "no tables"
        self.b = data[:u32(data, 8)]

    def atom(self, family, root, value):
        if family in ("path", "text", "prefix", "postfix"):
            value = value.encode()
            return self.path(root, value) if family == "path" else self.text(root, value, family)
        at, before = root & ~7, 0
        count, more = struct.unpack_from("<2I", self.b, at)
        words = lambda n: struct.unpack_from(f"<{n}Q", self.b, at + 8)
        if family == "address":
            number, halves = int(ipaddress.ip_address(value)), words(count + 4 * more)[count:]
            ranges = [(word >> 32, word & NONE) for word in words(count)]
            if ":" in value:
                whole = [high << 64 | low for high, low in zip(halves[::2], halves[1::2])]
                ranges, before = zip(whole[:more], whole[more:]), count
        else:
            number = int(value, 0) & M64
            if family == "anyBit":
                return sum(1 << i for i, mask in enumerate(words(count)) if number & mask)
            sizes = words(2 * count)[count:] if more else [0] * count
            ranges = [(first, first + size) for first, size in zip(words(count), sizes)]
        return next((before + i + 1 for i, (first, last) in enumerate(ranges) if first <= number <= last), 0)

    def path(self, node, path):
        atom = 1
        for component in reversed(path[1:].split(b"/")) if path != b"/" else []:
            edge = self.edge(node, component)
            if edge is None:
                return 0
            node, atom = u32(self.b, edge), atom + (u32(self.b, edge + 4) >> 8)
        return atom if node & 1 and path.startswith(b"/") else 0

    def edge(self, node, component):
        at = node & ~7
        words = [int.from_bytes(component[i:i + 8], "little") for i in range(0, len(component), 8)]
        if node & 2:  # a hash: one edge can be it
            k, slots, buckets, mask = struct.unpack_from("<Q3I", self.b, at)
            h = 0
            for word in words:
                h = (h ^ word) * k & M64
            h = (h ^ h >> 32) * k & M64
            at = u32(self.b, slots + 4 * ((h >> 43 ^ u16(self.b, at + 24 + 2 * (h >> 22 & buckets))) & mask))
            return at if self.is_named(at, component) else None
        while True:  # at most three edges, one behind the other
            if self.is_named(at, component):
                return at
            if not u32(self.b, at) & 4:
                return None
            at += 16 + -(-(u32(self.b, at + 4) & 255) // 8) * 8

    def is_named(self, at, component):
        return u32(self.b, at + 4) & 255 == len(component) > 0 and self.b[at + 16:].startswith(component)

    def text(self, at, text, family):
        text = {"postfix": text[::-1][:127], "prefix": text[:255]}.get(family, text)
        read = longest = 0
        while text or family == "text":
            length = self.b[at + 4]
            if self.b[at + 8:at + 8 + length] != text[read:read + length]:
                break
            read, atom = read + length, u32(self.b, at)
            longest = atom or longest
            if read == len(text):
                return atom if family == "text" else longest
            child = text[read] - self.b[at + 5]
            if not 0 <= child < u16(self.b, at + 6):
                break
            at, read = u32(self.b, at + 8 + -(-length // 8) * 8 + 4 * child), read + 1
            if not at:
                break
        return 0 if family == "text" else longest


class ScopeBlocks:
    def __init__(self, data):
        assert data[:4] == b"FSCB" and u32(data, 4) == 2, "no scope blocks"
        self.operation, self.dimensions, scopes, rows, ids, words = struct.unpack_from("<6I", data, 8)
        at = 64
        index = [struct.unpack_from("<2I", data, at + 8 * i) for i in range(scopes)]
        ends = struct.unpack_from(f"<{rows}I", data, at + 8 * scopes)
        entries = struct.unpack_from(f"<{ids}I", data, at + 8 * scopes + 4 * rows)
        self.rows = [self.row(entries[a:b]) for a, b in zip((0,) + ends, ends)]
        at = -(-(at + 8 * scopes + 4 * rows + 4 * ids) // 8) * 8
        self.words = struct.unpack_from(f"<{words}Q", data, at)
        self.lists = {scope: list(self.block(first)) for scope, first in index}

    @staticmethod
    def row(entries):
        pairs = [(before, entry, entry & 0x7FFFFFFF) for before, entry in zip((0,) + entries, entries)]
        return {atom for a, entry, last in pairs for atom in (range(a, last + 1) if entry != last else [last])}

    def block(self, at):
        count, at = self.words[at] >> 32, at + 1 + -(-self.dimensions // 2)
        for _ in range(count):
            word, length = self.words[at:at + 2]
            yield (word & NONE, word >> 32), self.words[at + 2:at + 2 + length]
            at += 2 + length

    def decide(self, scopes, atoms):
        lists = [found for scope in scopes for found in self.lists.get(scope, [])]
        for _, words in sorted(lists, key=lambda found: found[0]):
            at = 0
            while at < len(words):
                word = words[at]
                op, second, third, high, at = word & 15, word >> 8 & 255, word >> 16 & 65535, word >> 32, at + 1
                if op == 1:  # TEST: the row's number, and whether it means all other atoms
                    at += 0 if (atoms[second] in self.rows[high >> 1]) != (high & 1) else third
                elif op == 2:  # ACT, with a count behind it
                    yield {"record": high, "post": bool(word & 0x10), "kill": bool(word & 0x40),
                           "returns": (third ^ 0x8000) - 0x8000 if word & 0x20 else None}
                    at += 1
                elif op == 3:  # SKIP
                    at += third


def fields(layout, record, at):
    code = {1: "<B", 2: "<H", 4: "<I", 8: "<Q"}
    return {f["name"]: struct.unpack_from(code[f["bytes"]], record, at + f["offset"])[0] for f in layout}


def event(layout, record):
    found, at = fields(layout["fields"], record, 0), layout["headerBytes"]
    values = []
    for _ in range(found["values"]):
        value, at = fields(layout["value"], record, at), at + layout["valueHeaderBytes"]
        values, at = values + [{**value, "bytes": record[at:at + value["len"]].hex()}], at + value["len"]
    part = lambda word, p: word >> p["shift"] & (1 << p["bits"]) - 1
    signed = lambda number, p: number - (number >> p["bits"] - 1 << p["bits"] if p["signed"] else 0)
    parts = lambda word: {p["name"]: signed(part(word, p), p) for p in layout["entry"]}
    return {**found, "values": values, "acts": [parts(u64(record, at + 8 * i)) for i in range(found["acts"])]}


def main(folder, command=None, *rest):
    artifact = Artifact(folder)
    manifest = artifact.manifest
    if command == "event":
        return print(json.dumps(event(manifest["events"], bytes.fromhex(rest[0]))))
    if command == "decide":
        operation = next(o for o in manifest["operations"] if o["name"] == rest[0])
        tables = Tables(artifact.file(operation["tables"]))
        given = zip(operation["dimensions"], rest[2:], strict=True)
        atoms = [d["atoms"] + 1 if v == "-" else tables.atom(d["family"], d["root"], v) for d, v in given]
        blocks = ScopeBlocks(artifact.file(operation["scopeBlocks"]))
        records = {s["record"]: {"policy": policy["name"], "selector": s["number"]}
                   for policy in manifest["policies"] for hook in policy["hooks"] for s in hook["selectors"]}
        for act in blocks.decide([int(scope) for scope in rest[1].split(",")], atoms):
            print(json.dumps({**records[act.pop("record")], **act}))
        return
    print(f"{len(set(artifact.files(manifest)))} files, each with the digest that the manifest says")
    for op in manifest["operations"]:
        lists = ScopeBlocks(artifact.file(op["scopeBlocks"])).lists
        print(f"{op['number']} {op['name']}: {len(lists)} scopes, {sum(map(len, lists.values()))} lists")


if __name__ == "__main__":
    main(*sys.argv[1:])
