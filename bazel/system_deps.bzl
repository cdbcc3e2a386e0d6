"""Repositories over the Debian packages: @libevent, @openssl, @nghttp2, @grpc, ...

Each holds one cc_library of its own name. Headers are found in /usr/include, which is
built into the compiler's search path, so they cost the sandbox nothing. Changes are still
seen: the library depends on a header that names the package's version, and the static
archives are inputs of the link.
"""

def _dep(apt, pkg, libs = [], linkopts = [], deps = [], defines = []):
    """What apt installs, what pkg-config is asked, which archives (none: headers only), what they need."""
    return struct(apt = apt, defines = defines, deps = deps, libs = libs, linkopts = linkopts, pkg = pkg)

_DEPS = {
    "abseil": _dep("libabsl-dev", "absl_base", ["absl_*"], ["-lpthread"]),
    "benchmark": _dep("libbenchmark-dev", "benchmark", ["benchmark_main", "benchmark"], ["-lpthread"]),
    "cares": _dep("libc-ares-dev", "libcares", ["cares"]),
    "fmt": _dep("libfmt-dev", "fmt", defines = ["FMT_HEADER_ONLY"]),  # Debian has no archive.
    "googletest": _dep("libgtest-dev", "gtest", ["gtest_main", "gtest"], ["-lpthread"]),
    "grpc": _dep(
        "libgrpc++-dev protobuf-compiler-grpc",
        "grpc++",
        ["grpc++", "grpc", "upb", "address_sorting", "gpr"],
        deps = ["protobuf", "re2", "cares", "zlib", "openssl", "abseil"],
    ),
    "jemalloc": _dep("libjemalloc-dev", "jemalloc", ["jemalloc_pic"], ["-lpthread", "-ldl", "-lm"]),
    "libevent": _dep(
        "libevent-dev",
        "libevent_core libevent_extra libevent_pthreads",
        ["event_pthreads", "event_extra", "event_core"],
        ["-lpthread"],
    ),
    "nghttp2": _dep("libnghttp2-dev", "libnghttp2", ["nghttp2"]),
    "nlohmann_json": _dep("nlohmann-json3-dev", "nlohmann_json"),
    "openssl": _dep("libssl-dev", "openssl", ["ssl", "crypto"], ["-ldl", "-lpthread"]),
    "protobuf": _dep("libprotobuf-dev protobuf-compiler", "protobuf", ["protobuf"], ["-lpthread"], ["zlib"]),
    "re2": _dep("libre2-dev", "re2", ["re2"], ["-lpthread"]),
    "spdlog": _dep(  # Debian has no archive, so whoever includes it compiles it: one file does.
        "libspdlog-dev",
        "spdlog",
        linkopts = ["-lpthread"],
        deps = ["fmt"],
        defines = ["SPDLOG_FMT_EXTERNAL"],
    ),
    "tcmalloc": _dep("libgoogle-perftools-dev", "libtcmalloc_minimal", ["tcmalloc_minimal"], ["-lpthread"]),
    "tclap": _dep("libtclap-dev", "tclap"),
    "xxhash": _dep("libxxhash-dev", "libxxhash", ["xxhash"]),
    "yaml_cpp": _dep("libyaml-cpp-dev", "yaml-cpp", ["yaml-cpp"]),
    "zlib": _dep("zlib1g-dev", "zlib", ["z"]),
}

_BUILD = """cc_library(
    name = "{name}",
    srcs = select({{
        "@culvert//bazel:shared_deps": [],
        "//conditions:default": {archives},
    }}),
    hdrs = ["{name}_version.h"],
    defines = {defines},
    linkopts = select({{
        "@culvert//bazel:shared_deps": {shared},
        "//conditions:default": [],
    }}) + {linkopts},
    linkstatic = True,
    visibility = ["//visibility:public"],
    deps = {deps},
)
"""

def _missing(ctx, what):
    fail("%s is missing. Install it with: apt-get install %s" % (what, ctx.attr.apt))

def _run(ctx, command):
    result = ctx.execute(command)
    return result.stdout.strip() if result.return_code == 0 else None

def _system_dep_impl(ctx):
    if not ctx.which("pkg-config"):
        fail("pkg-config is missing. Install it with: apt-get install pkg-config")
    version = _run(ctx, ["pkg-config", "--modversion"] + ctx.attr.pkg.split(" "))
    if version == None:
        _missing(ctx, "pkg-config package '%s'" % ctx.attr.pkg)
    libdir = "/usr/lib/" + (_run(ctx, ["gcc", "-print-multiarch"]) or "")  # grpc++.pc names a wrong one.
    cflags = _run(ctx, ["pkg-config", "--cflags-only-I"] + ctx.attr.pkg.split(" "))
    if cflags:
        fail("%s asks for %s; only headers in /usr/include are supported" % (ctx.name, cflags))

    archives = []
    shared = []
    linkopts = list(ctx.attr.linkopts)
    for lib in ctx.attr.libs:
        found = _run(ctx, ["sh", "-c", "ls %s/lib%s.a" % (libdir, lib)])
        if found:
            for path in found.split("\n"):
                base = path.split("/")[-1]
                ctx.symlink(path, "lib/" + base)
                archives.append("lib/" + base)
                shared.append("-l" + base[3:-2])
        elif ctx.path("%s/lib%s.so" % (libdir, lib)).exists:
            linkopts.append("-l" + lib)  # Debian's benchmark has no archive.
        else:
            _missing(ctx, "%s/lib%s.a" % (libdir, lib))

    guard = "SYSTEM_DEPS_" + ctx.name.upper()
    ctx.file("%s_version.h" % ctx.name, "#define %s \"%s\"\n" % (guard, version.replace("\n", " ")))
    ctx.file("WORKSPACE", "")
    ctx.file("BUILD.bazel", _BUILD.format(
        archives = archives,
        defines = ctx.attr.defines,
        deps = ["@" + dep for dep in ctx.attr.uses],
        linkopts = linkopts,
        name = ctx.name,
        shared = ["-Wl,--push-state,--as-needed"] + shared + ["-Wl,--pop-state"] if shared else [],
    ))

_system_dep = repository_rule(
    implementation = _system_dep_impl,
    attrs = {
        "apt": attr.string(mandatory = True),
        "defines": attr.string_list(),
        "libs": attr.string_list(),
        "linkopts": attr.string_list(),
        "pkg": attr.string(mandatory = True),
        "uses": attr.string_list(),
    },
    configure = True,
    environ = ["PKG_CONFIG_PATH"],
    local = True,
)

def _system_tools_impl(ctx):
    ctx.file("WORKSPACE", "")
    ctx.file("BUILD.bazel", "exports_files([\"protoc\", \"grpc_cpp_plugin\"], visibility = [\"//visibility:public\"])\n")
    for tool, apt in {"grpc_cpp_plugin": "protobuf-compiler-grpc", "protoc": "protobuf-compiler"}.items():
        path = ctx.which(tool)
        if not path:
            fail("%s is missing. Install it with: apt-get install %s" % (tool, apt))
        ctx.symlink(path, tool)

_system_tools = repository_rule(
    implementation = _system_tools_impl,
    configure = True,
    environ = ["PATH"],
    local = True,
)

def system_deps():
    for name, dep in _DEPS.items():
        _system_dep(
            name = name,
            apt = dep.apt,
            defines = dep.defines,
            libs = dep.libs,
            linkopts = dep.linkopts,
            pkg = dep.pkg,
            uses = dep.deps,
        )
    _system_tools(name = "system_tools")
