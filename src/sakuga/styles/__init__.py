"""A style is one ONNX file that says how to run it: `spec` reads and finds it, `sharing` adds."""

from sakuga.styles.spec import (
    DEFAULT_STYLE,
    GRAPH_INPUT,
    GRAPH_OUTPUT,
    SHIPPED_FOLDER,
    SPEC_KEY,
    Style,
    StyleSpec,
    add,
    find,
    installed,
    read_spec,
    remove,
    spec_from_json,
    spec_to_json,
    user_folder,
    write_spec,
)

__all__ = [
    "DEFAULT_STYLE",
    "GRAPH_INPUT",
    "GRAPH_OUTPUT",
    "SHIPPED_FOLDER",
    "SPEC_KEY",
    "Style",
    "StyleSpec",
    "add",
    "find",
    "installed",
    "read_spec",
    "remove",
    "spec_from_json",
    "spec_to_json",
    "user_folder",
    "write_spec",
]
