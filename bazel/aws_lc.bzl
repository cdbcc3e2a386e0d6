"""@aws_lc: the TLS library, AWS-LC, built from the crate that carries its sources.

The names of its symbols have a prefix, so that a program may hold OpenSSL beside it, as gRPC's
do. It is built once for all configurations, by its own build. Why it: docs/decisions/0009.
"""

_VERSION = "0.47.0"
_SHA256 = "8bfbe32ac36b3c428696ce315464181bc4029d689fd58e3f2a4e58c252242f52"
_URL = "https://static.crates.io/crates/aws-lc-sys/aws-lc-sys-%s.crate"
_PREFIX = "aws_lc_" + _VERSION.replace(".", "_")  # As the crate's headers have it.

_TOOLS = {
    "clang-19": "clang-19",
    "cmake": "cmake",
    "ninja": "ninja-build",
}

_CMAKE = [
    "cmake",
    "-GNinja",
    "-DCMAKE_BUILD_TYPE=Release",
    "-DCMAKE_C_COMPILER=clang-19",
    "-DCMAKE_CXX_COMPILER=clang++-19",
    "-DBORINGSSL_PREFIX=" + _PREFIX,
    "-DBUILD_SHARED_LIBS=OFF",
    "-DBUILD_TESTING=OFF",
    "-DBUILD_TOOL=OFF",
    "-DDISABLE_GO=ON",
    "-DDISABLE_PERL=ON",
]

_BUILD = """cc_library(
    name = "aws_lc",
    srcs = ["build/ssl/libssl.a", "build/crypto/libcrypto.a"],
    hdrs = glob(["aws-lc/include/**/*.h", "generated-include/**/*.h"]),
    defines = ["BORINGSSL_PREFIX={prefix}"],
    includes = ["generated-include", "aws-lc/include"],
    linkopts = ["-lpthread"],
    linkstatic = True,
    visibility = ["//visibility:public"],
)
"""

def _run(ctx, command):
    result = ctx.execute(command, timeout = 3600)
    if result.return_code != 0:
        fail("AWS-LC could not be built.\n%s%s" % (result.stdout, result.stderr))

def _aws_lc_impl(ctx):
    for tool, apt in _TOOLS.items():
        if not ctx.which(tool):
            fail("%s is missing. Install it with: apt-get install %s" % (tool, apt))
    ctx.download_and_extract(
        _URL % _VERSION,
        sha256 = _SHA256,
        stripPrefix = "aws-lc-sys-" + _VERSION,
        type = "tar.gz",
    )
    ctx.report_progress("Building AWS-LC")
    headers = "-DBORINGSSL_PREFIX_HEADERS=%s" % ctx.path("generated-include")

    # The same library in every checkout, so that what is linked with it comes from the disk cache.
    here = ["-DCMAKE_%s_FLAGS=-ffile-prefix-map=%s=aws_lc" % (language, ctx.path("."))
            for language in ["C", "CXX", "ASM"]]
    _run(ctx, _CMAKE + here + [headers, "-Saws-lc", "-Bbuild"])
    _run(ctx, ["ninja", "-j2", "-Cbuild", "crypto", "ssl"])
    ctx.file("WORKSPACE", "")
    ctx.file("BUILD.bazel", _BUILD.format(prefix = _PREFIX))

_aws_lc = repository_rule(implementation = _aws_lc_impl)

def aws_lc():
    _aws_lc(name = "aws_lc")
