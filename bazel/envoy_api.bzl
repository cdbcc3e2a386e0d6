"""@envoy_api: the Envoy v3 API as .proto files, made from the Go modules that tools/api pins.

  @envoy_api//:api        every message
  @envoy_api//:services   the xDS services, which need gRPC

Generated once; again only when a file of tools/api changes. To add a file, name it in
tools/api/roots.txt: what it imports comes along.
"""

_TOOLS = {
    "g++": "g++",
    "go": "golang-go",
    "protoc": "protobuf-compiler",
    "python3": "python3",
}

_INPUTS = ["go.mod", "go.sum", "import_api.py", "print_protos.cc", "roots.txt"]

_BUILD = """load("@culvert//bazel:proto.bzl", "api_grpc_library", "api_proto_library")

package(default_visibility = ["//visibility:public"])

api_proto_library(
    name = "api",
    srcs = glob(["**/*.proto"]),
    root = "",
)

api_grpc_library(
    name = "services",
    srcs = glob(["envoy/service/*/v3/*.proto"]),
    root = "",
    deps = [":api"],
)
"""

def _envoy_api_impl(ctx):
    importer = [ctx.path(Label("//tools/api:" + name)) for name in _INPUTS][2]
    for tool, apt in _TOOLS.items():
        if not ctx.which(tool):
            fail("%s is missing. Install it with: apt-get install %s" % (tool, apt))
    ctx.report_progress("Importing the Envoy API")
    result = ctx.execute(["python3", importer, "."], timeout = 1800)
    if result.return_code != 0:
        fail("@envoy_api could not be made.\n%s%s" % (result.stdout, result.stderr))
    ctx.file("WORKSPACE", "")
    ctx.file("BUILD.bazel", _BUILD)

_envoy_api = repository_rule(implementation = _envoy_api_impl)

def envoy_api():
    _envoy_api(name = "envoy_api")
