"""The rules for those who write filters, here and in repositories that load this one.

A filter is a folder: greeter.proto (its configuration), greeter.cc, greeter_test.cc and a
BUILD file that says network_filter(name = "greeter"). No file elsewhere is edited.
"""

load("//bazel:cc.bzl", "culvert_cc_binary", "culvert_cc_library", "culvert_cc_test")
load("//bazel:proto.bzl", "api_proto_library")
load("//source/exe:filters.bzl", "STOCK_FILTERS")

def _id(label):
    """The id of a filter: the name of its target, and the end of its registration function."""
    label = str(label)
    return label.split(":")[1] if ":" in label else label.split("/")[-1]

def _registration_impl(ctx):
    lines = ["// Written by bazel/culvert.bzl.", "namespace culvert {"]
    lines += ["namespace registry {", "class Registry;", "}"]
    lines += ["void register_filter_%s(registry::Registry& registry);" % id for id in ctx.attr.ids]
    lines += ["void registerAll(registry::Registry& registry);"]
    lines += ["void registerAll([[maybe_unused]] registry::Registry& registry) {"]
    lines += ["  register_filter_%s(registry);" % id for id in ctx.attr.ids]
    lines += ["}", "} // namespace culvert", ""]
    out = ctx.actions.declare_file(ctx.label.name + ".cc")
    ctx.actions.write(out, "\n".join(lines))
    return [DefaultInfo(files = depset([out]))]

_registration = rule(
    implementation = _registration_impl,
    attrs = {"ids": attr.string_list()},
)

def _register(name, filters, **kwargs):
    """A source file that defines culvert::registerAll: it calls each filter's function, in order."""
    known = {}
    for label in filters:
        if _id(label) in known:
            fail("%s: the filters %s and %s have the same id, %s" % (name, known[_id(label)], label, _id(label)))
        known[_id(label)] = label
    _registration(name = name, ids = [_id(label) for label in filters], **kwargs)

def proxy_binary(name, filters = [], deps = [], stock = True, **kwargs):
    """A proxy with the stock filters (unless stock is False) and those given.

    filters are labels of network_filter and listener_filter targets, or of any library that defines
    void culvert::register_filter_<target name>(culvert::registry::Registry&).
    """
    everything = ([Label(f) for f in STOCK_FILTERS] if stock else []) + filters
    tags = kwargs.get("tags")
    testonly = kwargs.get("testonly")
    _register(name + "_registration", everything, tags = tags, testonly = testonly)
    culvert_cc_binary(
        name = name,
        srcs = [name + "_registration"],
        malloc = Label("//bazel:malloc"),
        deps = [Label("//source/exe:main")] + everything + deps,
        **kwargs
    )

def _is_stock(name):
    here = Label("%s//%s:%s" % (native.repository_name(), native.package_name(), name))
    return here in [Label(f) for f in STOCK_FILTERS]

def network_filter(name, **kwargs):
    """A filter, its configuration, its test and a proxy that has it.

      <name>        the library; <name>.cc says CULVERT_NETWORK_FILTER(<name>, ...)
      <name>_proto  the messages of the folder's .proto files, included as "<folder>/x.pb.h"
      <name>_test   its *_test.cc, which get FilterFixture
      <name>_proxy  a proxy of the stock filters and this one; built only when asked for

    With a <name>.yaml beside it, <name>_config_test checks that the proxy accepts that file.
    """
    _filter(name, fixture = Label("//test/kit:filter_fixture"), **kwargs)

def listener_filter(name, **kwargs):
    """As network_filter; <name>.cc says CULVERT_LISTENER_FILTER, tests get ListenerFilterFixture."""
    _filter(name, fixture = Label("//test/kit:listener_filter_fixture"), **kwargs)

def _filter(
        name,
        fixture,
        srcs = None,
        hdrs = None,
        deps = [],
        test_srcs = None,
        test_deps = [],
        test_tags = [],
        visibility = ["//visibility:public"],
        **kwargs):
    if srcs == None:
        srcs = native.glob(["*.cc"], exclude = ["*_test.cc"])
    if hdrs == None:
        hdrs = native.glob(["*.h"])
    if test_srcs == None:
        test_srcs = native.glob(["*_test.cc"], exclude = ["*_fuzz_test.cc"])
    if not test_srcs:
        fail("The filter \"%s\" in //%s: no *_test.cc lies beside it; a filter comes with its test" %
             (name, native.package_name()))

    protos = native.glob(["*.proto"])
    if protos:
        api_proto_library(
            name = name + "_proto",
            srcs = protos,
            root = "",
            visibility = visibility,
            deps = ["@envoy_api//:api"],
        )
        deps = deps + [":%s_proto" % name]

    culvert_cc_library(
        name = name,
        srcs = srcs,
        hdrs = hdrs,
        visibility = visibility,
        deps = deps + [Label("//source/filter_api")],
        **kwargs
    )
    _register(name + "_test_registration", [":" + name], testonly = True)
    culvert_cc_test(
        name = name + "_test",
        srcs = test_srcs + [name + "_test_registration"],
        tags = test_tags,
        deps = deps + test_deps + [":" + name, fixture],
    )
    proxy = Label("//source/exe:culvert")
    if not _is_stock(name):
        proxy = name + "_proxy"
        proxy_binary(
            name = proxy,
            filters = [":" + name],
            tags = ["manual"],
        )
    config = name + ".yaml"
    if native.glob([config], allow_empty = True):
        native.sh_test(
            name = name + "_config_test",
            size = "small",
            srcs = [Label("//bazel:accepts_config.sh")],
            args = ["$(rootpath %s)" % proxy, "$(rootpath %s)" % config],
            data = [proxy, config],
            tags = ["no-sanitizer"],
        )
