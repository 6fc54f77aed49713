#!/usr/bin/env python3
"""Reads an artifact of tetrafold, from examples/reader/FORMATS.md alone and with nothing but Python's own library.

  reader.py DIR   checks every digest and prints what is in it
  reader.py DIR decide OPERATION SCOPES VALUE...   what happens in a process under these scopes (`0,3`), given one
      value for each dimension of the operation: a path, a text, a number, or `-` for a text that cannot be read
  reader.py DIR event HEX   takes a record of the ring buffer apart
"""
import hashlib
import json
import pathlib
import struct
import sys

NONE = 0xFFFFFFFF
M64 = 2**64 - 1
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
        """Every file that a part of the manifest names, at any depth."""
        if isinstance(value, dict) and {"path", "sha256", "bytes"} <= value.keys():
            yield self.file(value)
        for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
            yield from self.files(part)


class Tables:
    """Classifies values: 0 is any other value, 1..n are those that policies name."""

    def __init__(self, data):
        assert data[:4] == b"FTBL" and u32(data, 4) == 1, "no tables"
        self.b = data[:u32(data, 8)]

    def atom(self, family, root, value):
        if family in ("path", "text", "prefix", "postfix"):
            value = value.encode()
            return self.path(root, value) if family == "path" else self.text(root, value, family)
        at, number = root & ~7, int(value, 0) & M64
        if family == "anyBit":
            return sum(1 << i for i in range(u32(self.b, at)) if number & u64(self.b, at + 8 + 8 * i))
        count, sizes = u32(self.b, at), u32(self.b, at + 4)
        for i in range(count):
            first = u64(self.b, at + 8 + 8 * i)
            if first <= number <= first + (u64(self.b, at + 8 + 8 * (count + i)) if sizes else 0):
                return i + 1
        return 0

    def path(self, node, path):
        """From the last component to the first; the weights along the way add up to the atom."""
        if not path.startswith(b"/"):
            return 0
        atom = 1
        for component in reversed(path[1:].split(b"/")) if path != b"/" else []:
            edge = self.edge(node, component)
            if edge is None:
                return 0
            node, atom = u32(self.b, edge), atom + (u32(self.b, edge + 4) >> 8)
        return atom if node & 1 else 0

    def edge(self, node, component):
        at = node & ~7
        words = [int.from_bytes(component[i:i + 8], "little") for i in range(0, len(component), 8)]
        if node & 2:  # a hash: one edge can be it
            k, slots, buckets, mask = struct.unpack_from("<Q3I", self.b, at)
            h = 0
            for word in words:
                h = (h ^ word) * k & M64
            h = (h ^ h >> 32) * k & M64
            disp = u16(self.b, at + 24 + 2 * (h >> 22 & buckets))
            at = u32(self.b, slots + 4 * ((h >> 43 ^ disp) & mask))
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
            read += length
            atom = u32(self.b, at)
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
    """What each scope contributes to one operation."""

    def __init__(self, data):
        assert data[:4] == b"FSCB" and u32(data, 4) == 1, "no scope blocks"
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
        """Atoms in order; an entry with the top bit ends a run that the entry before begins."""
        pairs = [(before, entry, entry & 0x7FFFFFFF) for before, entry in zip((0,) + entries, entries)]
        return {atom for a, entry, last in pairs for atom in (range(a, last + 1) if entry != last else [last])}

    def block(self, at):
        count, at = self.words[at] >> 32, at + 1 + -(-self.dimensions // 2)
        for _ in range(count):
            rank, length = self.words[at] & NONE, self.words[at] >> 32
            yield rank, self.words[at + 1:at + 1 + length]
            at += 1 + length

    def decide(self, scopes, atoms):
        lists = [found for scope in scopes for found in self.lists.get(scope, [])]
        for _, words in sorted(lists, key=lambda found: found[0]):
            at = 0
            while at < len(words):
                word = words[at]
                op, second, third, high = word & 15, word >> 8 & 255, word >> 16 & 65535, word >> 32
                at += 1
                if op == 1:  # TEST: the row's number, and whether it means all other atoms
                    at += 0 if (atoms[second] in self.rows[high >> 1]) != (high & 1) else third
                elif op == 2:  # ACT, with a count behind it
                    yield {"policy": high, "selector": second, "post": bool(word & 0x10), "kill": bool(word & 0x40),
                           "returns": (third ^ 0x8000) - 0x8000 if word & 0x20 else None}
                    at += 1
                elif op == 3:  # SKIP
                    at += third


def event(manifest, record):
    layout, found = manifest["events"], {}
    for field in layout["fields"]:
        code = {1: "B", 2: "H", 4: "I", 8: "Q"}[field["bytes"]]
        values = struct.unpack_from(f"<{field['count']}{code}", record, field["offset"])
        found[field["name"]] = values[0] if field["count"] == 1 else list(values)
    behind = layout["headerBytes"] + found["textLen"]
    found["text"] = record[layout["headerBytes"]:behind].decode(errors="replace")
    parts = lambda word: {p["name"]: word >> p["shift"] & (1 << p["bits"]) - 1 for p in layout["entry"]}
    found["acts"] = [parts(u64(record, behind + 8 * i)) for i in range(found["entries"])]
    return found


def main(folder, command=None, *rest):
    artifact = Artifact(folder)
    manifest = artifact.manifest
    if command == "event":
        return print(json.dumps(event(manifest, bytes.fromhex(rest[0]))))
    if command == "decide":
        operation = next(o for o in manifest["operations"] if o["name"] == rest[0])
        tables = Tables(artifact.file(operation["tables"]))
        given = zip(operation["dimensions"], rest[2:], strict=True)
        atoms = [d["atoms"] + 1 if v == "-" else tables.atom(d["family"], d["root"], v) for d, v in given]
        blocks = ScopeBlocks(artifact.file(operation["scopeBlocks"]))
        names = {policy["number"]: policy["name"] for policy in manifest["policies"]}
        for act in blocks.decide([int(scope) for scope in rest[1].split(",")], atoms):
            print(json.dumps({**act, "policy": names[act["policy"]]}))
        return
    print(f"{len(set(artifact.files(manifest)))} files, each with the digest that the manifest says")
    for operation in manifest["operations"]:
        lists = ScopeBlocks(artifact.file(operation["scopeBlocks"])).lists
        print(f"{operation['number']} {operation['name']}: {len(lists)} scopes, {sum(map(len, lists.values()))} lists")


if __name__ == "__main__":
    main(*sys.argv[1:])
