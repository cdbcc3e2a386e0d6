"""C++ from .proto files, with the system's protoc and gRPC plugin."""

_ProtoFiles = provider(fields = {
    "roots": "depset of folders that protoc searches",
    "sources": "depset of .proto files",
})

# A header-heavy .pb.cc takes seconds to compile and most of that is parsing, so they are
# compiled many to a translation unit. These two names are the only ones that clash.
_GENERATE = """set -e
out=$1 count=$2
shift 2
shards= files=
while [ "$1" != -- ]; do shards="$shards $1"; shift; done
shift
while [ "$1" != -- ]; do files="$files $1"; shift; done
shift
"$@"
for shard in $shards; do : > $shard; done
set -- $shards
i=0
for file in $files; do
  if [ $i -gt 0 ] && [ $((i % count)) = 0 ]; then shift; fi
  printf '#define schemas schemas_%d\n' $i >> $1
  printf '#define file_default_instances file_default_instances_%d\n' $i >> $1
  cat $out/$file >> $1
  printf '#undef schemas\n#undef file_default_instances\n' >> $1
  rm $out/$file
  i=$((i + 1))
done
"""

_FILES_PER_SHARD = 20

def _inside(path):
    """The path of a file inside its repository, of its short_path."""
    return "/".join(path.split("/")[2:]) if path.startswith("../") else path

def _join(*parts):
    return "/".join([part for part in parts if part])

def _api_proto_gen_impl(ctx):
    repository = ctx.label.workspace_root
    root = ctx.attr.root
    prefix = root + "/" if root else ""
    package = ctx.label.package + "/" if ctx.label.package else ""
    out_dir = _join(ctx.bin_dir.path, repository, root)
    infix = ".grpc.pb" if ctx.attr.grpc else ".pb"

    headers = []
    code = []
    names = [_inside(src.short_path) for src in ctx.files.srcs]
    for name in names:
        if not name.startswith(prefix):
            fail("%s is not under %s, the root of its imports" % (name, root))
        stem = name[:-len(".proto")]
        headers.append(ctx.actions.declare_file(stem[len(package):] + infix + ".h"))
        code.append(stem[len(prefix):] + infix + ".cc")
    shards = [
        ctx.actions.declare_file("%s_%d.cc" % (ctx.label.name, i))
        for i in range((len(code) + _FILES_PER_SHARD - 1) // _FILES_PER_SHARD)
    ]
    own_root = _join(repository, root) or "."
    roots = depset([own_root], transitive = [d[_ProtoFiles].roots for d in ctx.attr.deps])
    sources = depset(ctx.files.srcs, transitive = [d[_ProtoFiles].sources for d in ctx.attr.deps])

    args = ctx.actions.args()
    args.add_all([out_dir, str(_FILES_PER_SHARD)])
    args.add_all(shards)
    args.add("--")
    args.add_all(code)
    args.add("--")
    args.add(ctx.file._protoc)
    args.add_all(roots, format_each = "-I%s")
    if ctx.attr.grpc:
        args.add(ctx.file._grpc_plugin, format = "--plugin=protoc-gen-grpc=%s")
        args.add(out_dir, format = "--grpc_out=%s")
    else:
        args.add(out_dir, format = "--cpp_out=%s")
    args.add_all([name[len(prefix):] for name in names])
    ctx.actions.run_shell(
        command = _GENERATE,
        arguments = [args],
        inputs = sources,
        tools = [ctx.file._protoc, ctx.file._grpc_plugin],
        outputs = headers + shards,
        mnemonic = "ProtoCpp",
        progress_message = "Generating C++ from %d .proto files of %s" % (len(names), ctx.label),
    )
    return [
        DefaultInfo(files = depset(headers + shards)),
        OutputGroupInfo(code = depset(shards), headers = depset(headers)),
        _ProtoFiles(roots = roots, sources = sources),
    ]

_api_proto_gen = rule(
    implementation = _api_proto_gen_impl,
    attrs = {
        "deps": attr.label_list(providers = [_ProtoFiles]),
        "grpc": attr.bool(),
        "root": attr.string(),
        "srcs": attr.label_list(allow_files = [".proto"], mandatory = True),
        "_grpc_plugin": attr.label(allow_single_file = True, default = "@system_tools//:grpc_cpp_plugin"),
        "_protoc": attr.label(allow_single_file = True, default = "@system_tools//:protoc"),
    },
)

def _gen(dep):
    """The label of the generating rule behind an api_proto_library."""
    return dep + "_gen" if ":" in dep else "%s:%s_gen" % (dep, dep.split("/")[-1])

def _library(name, srcs, deps, grpc, root, libraries, visibility, testonly):
    _api_proto_gen(
        name = name + "_gen",
        srcs = srcs,
        deps = [_gen(d) for d in deps],
        grpc = grpc,
        root = root,
        testonly = testonly,
        visibility = visibility,
    )
    for group in ["code", "headers"]:
        native.filegroup(
            name = name + "_" + group,
            srcs = [name + "_gen"],
            output_group = group,
            testonly = testonly,
        )
    below = native.package_name()[len(root):].strip("/")
    native.cc_library(
        name = name,
        srcs = [name + "_code"],
        hdrs = [name + "_headers"],
        # The sanitizers' -O1 would double the time for code that is not ours.
        copts = ["-w", "-g0", "-fno-sanitize=undefined"] + select({
            "@culvert//bazel:sanitizer": ["-O0"],
            "//conditions:default": [],
        }),
        includes = ["/".join([".."] * len(below.split("/"))) if below else "."] if root else [],
        alwayslink = True,
        linkstatic = True,
        testonly = testonly,
        visibility = visibility,
        deps = deps + libraries,
    )

def api_proto_library(name, srcs, deps = [], root = "api", testonly = None, visibility = None):
    """A cc_library of the messages in srcs.

    Imports and #includes are relative to root, a folder of the repository. deps are other
    api_proto_library targets. Every object is linked, so that a google.protobuf.Any of any
    message in srcs resolves at run time.
    """
    _library(name, srcs, deps, False, root, ["@protobuf"], visibility, testonly)

def api_grpc_library(name, srcs, deps, root = "api", testonly = None, visibility = None):
    """A cc_library of the gRPC stubs of the services in srcs; deps have their messages."""
    _library(name, srcs, deps, True, root, ["@protobuf", "@grpc"], visibility, testonly)
