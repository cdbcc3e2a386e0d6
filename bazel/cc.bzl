"""The C++ rules of this repository: the native ones with our warnings and no exceptions.

Every attribute of the native rules can be given.
"""

_COPTS = [
    "-std=c++20",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wnon-virtual-dtor",
    "-Woverloaded-virtual",
    # Generated headers use the API's deprecated names, and so must whoever reads old configuration.
    "-Wno-deprecated-declarations",
] + select({
    "@culvert//bazel:gcc": ["-Wno-extra"],  # It finds fault with mixed enums in a ?:.
    "//conditions:default": ["-Wthread-safety"],
})

def _copts(copts, exceptions):
    return _COPTS + ([] if exceptions else ["-fno-exceptions"]) + copts

def culvert_cc_library(copts = [], exceptions = False, linkstatic = True, **kwargs):
    """exceptions: for a file that calls a throwing library, and lets none of them out."""
    native.cc_library(copts = _copts(copts, exceptions), linkstatic = linkstatic, **kwargs)

def culvert_cc_binary(copts = [], exceptions = False, **kwargs):
    native.cc_binary(copts = _copts(copts, exceptions), **kwargs)

def culvert_cc_test(name, deps = [], copts = [], exceptions = True, linkstatic = True, size = "small", **kwargs):
    native.cc_test(
        name = name,
        size = size,
        copts = _copts(copts, exceptions),
        linkstatic = linkstatic,
        deps = deps + ["@googletest"],
        **kwargs
    )

def culvert_cc_benchmark(name, srcs, deps = [], copts = [], exceptions = True, data = [], **kwargs):
    """A benchmark binary, and a test that it runs: name_test."""
    native.cc_binary(
        name = name,
        testonly = True,
        srcs = srcs,
        copts = _copts(copts, exceptions),
        data = data,
        deps = deps + ["@benchmark"],
        **kwargs
    )
    native.cc_test(
        name = name + "_test",
        size = "small",
        srcs = srcs,
        args = ["--benchmark_min_time=0"],
        copts = _copts(copts, exceptions),
        data = data,
        deps = deps + ["@benchmark"],
        **kwargs
    )

def culvert_cc_fuzz_test(name, srcs, corpus = [], deps = [], copts = [], exceptions = True, size = "small", **kwargs):
    """A libFuzzer target. Without --config=fuzz it is a test that runs the corpus once."""
    native.cc_test(
        name = name,
        size = size,
        srcs = srcs + select({
            "@culvert//bazel:fuzz": [],
            "//conditions:default": ["@culvert//test/fuzz:main.cc"],
        }),
        args = ["$(locations %s)" % c for c in corpus],
        copts = _copts(copts, exceptions),
        data = corpus,
        linkopts = select({
            "@culvert//bazel:fuzz": ["-fsanitize=fuzzer"],
            "//conditions:default": [],
        }),
        deps = deps,
        **kwargs
    )
