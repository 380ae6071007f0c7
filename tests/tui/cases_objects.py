from scene import actor, clouds

three = clouds("gcp", "aws")
three.put(2, "aws", "wasmactor", actor("fail", 1, [("nawsa0", 1)]))

LIVE = ["--live", "--layout", "actors"]
CASES = [
    ("describe", three.lines, "100x25", LIVE, ["enter"]),
    ("describe_scrolled", three.lines, "100x25", LIVE, ["d", "pgdn", "down", "right"]),
    ("describe_searched", three.lines, "100x25", [*LIVE, "--roles"], ["d", "f", "text:value 2\\d\\d", "enter", "n"]),
    ("describe_end", three.lines, "100x25", LIVE, ["d", "G"]),
    ("yaml", three.lines, "100x25", [*LIVE, "--roles"], ["y"]),
    ("yaml_then_description", three.lines, "100x25", LIVE, ["y", "y"]),
    ("back", three.lines, "100x25", LIVE, ["y", "esc"]),
    ("refused_by_the_server", three.lines, "100x25", LIVE, ["G", "d"]),
    ("replay", three.lines, "100x30", ["--layout", "actors"], ["d"]),
    ("scale_asks", three.lines, "100x25", LIVE, ["s"]),
    ("scale_done", three.lines, "100x25", LIVE, ["s", "backspace", "text:7", "enter"]),
    ("scale_to_nothing", three.lines, "120x25", LIVE, ["s", "backspace", "text:0", "enter"]),
    ("scale_wrong", three.lines, "100x25", LIVE, ["s", "text:x", "enter"]),
    ("delete_asks", three.lines, "140x25", LIVE, ["ctrl-d"]),
    ("delete_not_done", three.lines, "100x25", LIVE, ["ctrl-d", "n"]),
    ("delete_done", three.lines, "140x25", LIVE, ["ctrl-d", "y"]),
    ("delete_several", three.lines, "160x25", LIVE, ["space", "space", "space", "space", "ctrl-d"]),
    ("several_fail", three.lines, "140x25", LIVE, ["space", "G", "space", "R", "y"]),
    ("output", three.lines, "140x25", LIVE, ["space", "G", "space", "R", "y", "alt-o"]),
    ("read_only", three.lines, "100x25", [*LIVE, "--read-only"], ["ctrl-d"]),
    ("past", three.lines, "100x25", ["--layout", "actors"], ["ctrl-d"]),
    ("cordon", three.lines, "120x25", ["--live", "--layout", "hosts"], ["j", "j", "j", "C"]),
    ("drain_asks", three.lines, "140x25", ["--live", "--layout", "hosts"], ["j", "j", "j", "D"]),
    ("not_for_this_kind", three.lines, "100x25", ["--live", "--layout", "hosts"], ["j", "j", "j", "s"]),
    ("nothing_selected", three.lines, "100x25", ["--live", "--layout", "hosts"], ["s"]),
    ("no_terminal_for_an_editor", three.lines, "100x25", LIVE, ["e"]),
]
