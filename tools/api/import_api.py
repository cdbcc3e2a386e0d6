#!/usr/bin/env python3
"""import_api.py OUT_DIR: writes the .proto files of the Envoy v3 API and what they import.

The registries ship no complete set of .proto files, but the Go modules pinned in
go.mod/go.sum hold every file's descriptor (the rawDesc literal) and every comment.
This reads both, keeps the closure of roots.txt and prints .proto files from it. Bazel runs
it (bazel/envoy_api.bzl). The result is kept in a cache folder of this machine by a hash of
all that goes into it, so that a further workspace needs neither the network nor the time.
"""
import ast
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
INPUTS = ["go.mod", "go.sum", "import_api.py", "print_protos.cc", "roots.txt"]
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')
RAW_DESC = re.compile(r'const file_\w+_rawDesc = ((?:"(?:[^"\\]|\\.)*"[\s+]*)+)')
RAW_DESC_OLD = re.compile(r"var file_\w+_rawDesc = (?:string\()?\[\]byte\{([0-9a-fx,\s]*)\}")

DOWNLOAD_FAILED = """The Go modules that hold the Envoy API could not be downloaded:

%s

They are needed once per machine. Check that a Go module proxy can be reached
(`go env GOPROXY`), or set GOPROXY to one that can, and build again. A machine without
network can be given the folder ~/.cache/culvert/api of one that has built before."""


def cache_folder():
    """Where this very set of files is kept."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    digest = hashlib.sha256()
    for name in INPUTS:
        with open(os.path.join(HERE, name), "rb") as file:
            digest.update(hashlib.sha256(file.read()).digest())
    return os.path.join(home, "culvert", "api", digest.hexdigest()[:32])


def modules(tmp):
    """The pinned modules' folders. The Go client checks each against go.sum."""
    for name in ("go.mod", "go.sum"):  # A copy, because the Go client may rewrite them.
        shutil.copy(os.path.join(HERE, name), tmp)
    env = dict(os.environ, GO111MODULE="on", GOFLAGS="-mod=mod", GOTOOLCHAIN="local", GOWORK="off")
    if not os.path.isdir(env.get("HOME", "")):
        env["HOME"] = tmp
    result = subprocess.run(["go", "mod", "download", "-json"], cwd=tmp, env=env, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if result.returncode != 0:
        sys.exit(DOWNLOAD_FAILED % (result.stdout + result.stderr).strip())
    out = result.stdout
    decoder, pos, dirs = json.JSONDecoder(), 0, []
    with open(os.path.join(HERE, "go.mod"), encoding="utf-8") as file:
        pinned = re.findall(r"^\t(\S+) v", file.read(), re.M)
    while pos < len(out.rstrip()):
        module, end = decoder.raw_decode(out[pos:])
        pos += end + 1
        if module["Path"] in pinned:
            dirs.append(module["Dir"])
    return dirs


def raw_descriptor(text):
    match = RAW_DESC.search(text)
    if match:  # A Go string literal's escapes are Python's too.
        source = "".join(LITERAL.findall(match.group(1)))
        source = "".join(c if ord(c) < 128 else "".join("\\x%02x" % b for b in c.encode())
                         for c in source)
        return ast.literal_eval('b"' + source + '"')
    match = RAW_DESC_OLD.search(text)
    return bytes(int(b, 16) for b in match.group(1).split(",") if b.strip()) if match else None


def comments(text):
    """{key: comment}; keys: Msg, Msg#number (field), Msg/oneof, Enum, Enum=number."""
    found, pending, struct, inner, wrapped = {}, [], None, [], {}
    for line in text.split("\n"):
        stripped = line.strip()
        if stripped.startswith("//"):
            pending.append(stripped[3:] if stripped.startswith("// ") else stripped[2:])
            continue
        note, pending = pending, []
        cut = [i for i, c in enumerate(note) if c.startswith("Deprecated: Marked as deprecated")
               or c.startswith("Types that are valid to be assigned")
               or c.startswith("Types that are assignable to")]
        if struct and "protobuf_oneof:" in line:
            for member in [c.strip() for c in note if c.strip().startswith("*")]:
                wrapped[member[1:]] = struct
        note = "\n".join(note[:cut[0]] if cut else note).strip("\n")
        match = re.match(r"type (\w+) (struct \{|int32$)", line)
        if match:
            struct = match.group(1) if "struct" in match.group(2) else None
            found[match.group(1)] = note
        elif line == "}":
            struct = None
        elif struct:
            match = re.search(r'`protobuf:"\w+,(\d+),', line)
            if match:
                found[wrapped.get(struct, struct) + "#" + match.group(1)] = note
            match = re.search(r'`protobuf_oneof:"(\w+)"', line)
            if match:
                found[struct + "/" + match.group(1)] = note
        else:
            match = re.match(r"\t\w+ (\w+) = (-?\d+)$", line)
            if match:
                found.setdefault(match.group(1) + "=" + match.group(2), note)
    return {k: v for k, v in found.items() if v}


def run(command):
    """Runs what reports its own errors."""
    if subprocess.run(command).returncode != 0:
        sys.exit(1)


def write_protos(out, tmp):
    records = []
    for root in modules(tmp):
        for folder, _, names in sorted(os.walk(root)):
            for name in sorted(n for n in names if n.endswith(".pb.go")):
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    text = file.read()
                raw = raw_descriptor(text)
                if raw:
                    records.append({"raw": raw.hex(), "comments": comments(text)})
    # The printer reads lines: hex descriptor, then "key<TAB>comment as JSON string", blank.
    dump = os.path.join(tmp, "dump")
    with open(dump, "w", encoding="utf-8") as lines:
        for record in records:
            lines.write(record["raw"] + "\n")
            for key, note in record["comments"].items():
                lines.write(key + "\t" + note.encode("unicode_escape").decode() + "\n")
            lines.write("\n")
    printer = os.path.join(tmp, "print_protos")
    run(["g++", "-std=c++17", "-O1", os.path.join(HERE, "print_protos.cc"), "-o", printer,
         "-lprotobuf"])
    run([printer, dump, os.path.join(HERE, "roots.txt"), out])


def main():
    cached = cache_folder()
    if os.path.isdir(cached):
        shutil.copytree(cached, sys.argv[1], dirs_exist_ok=True)
        return
    with tempfile.TemporaryDirectory() as tmp:
        fresh = os.path.join(tmp, "api")
        os.mkdir(fresh)
        write_protos(fresh, tmp)
        shutil.copytree(fresh, sys.argv[1], dirs_exist_ok=True)
        try:  # Moved into place as a whole, since several builds may run at once.
            os.makedirs(os.path.dirname(cached), exist_ok=True)
            staged = tempfile.mkdtemp(dir=os.path.dirname(cached))
            shutil.copytree(fresh, staged, dirs_exist_ok=True)
            os.rename(staged, cached)
        except OSError as error:
            print("not cached: %s" % error, file=sys.stderr)


if __name__ == "__main__":
    main()
