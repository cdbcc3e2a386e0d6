"""What a WORKSPACE that holds or loads culvert calls."""

load("//bazel:aws_lc.bzl", "aws_lc")
load("//bazel:envoy_api.bzl", "envoy_api")
load("//bazel:shims.bzl", "shims")
load("//bazel:system_deps.bzl", "system_deps")

def culvert_deps():
    """Every repository that our rules need. The repository that holds them is named culvert."""
    shims()
    system_deps()
    aws_lc()
    envoy_api()
