"""corpus_test: one group of behaviour tests, run against //source/exe:culvert."""

def corpus_test(name, tags = [], data = []):
    """Runs <name>.py; each of its cases becomes a <testcase>.

    The same cases run against the real Envoy with `test/corpus/run --envoy`.
    """
    native.sh_test(
        name = name,
        size = "medium",
        srcs = ["run_group.sh"],
        args = ["$(rootpath %s.py)" % name],
        data = [
            name + ".py",
            ":kit",
            "//source/exe:culvert",
        ] + data,
        env = {"CULVERT_BINARY": "$(rootpath //source/exe:culvert)"},
        tags = tags,
    )
