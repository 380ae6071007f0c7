"""Turns a component into one that traps: the body of the function exported under a name becomes `unreachable`.
Binary format: https://webassembly.github.io/spec/core/binary/ and the component model's, whose sections are laid out alike."""

COMPONENT_MODULE, EXPORT, CODE, IMPORT = 1, 7, 10, 2


def read_leb(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7f) << shift
        shift += 7
        if not byte & 0x80:
            return value, at


def sections(data):
    """(id, from, to) of the sections after the 8 bytes of the header."""
    at = 8
    while at < len(data):
        kind = data[at]
        size, at = read_leb(data, at + 1)
        yield kind, at, at + size
        at += size


def imported_functions(module, at):
    count, at = read_leb(module, at)
    functions = 0
    for _ in range(count):
        for _ in range(2):
            size, at = read_leb(module, at)
            at += size
        kind = module[at]
        at += 1
        if kind == 0:  # function: the index of its type
            functions += 1
            _, at = read_leb(module, at)
        elif kind == 3:  # global: type and mutability
            at += 2
        else:  # table: element type before the limits; memory: limits alone
            at += kind == 1
            flags = module[at]
            _, at = read_leb(module, at + 1)
            if flags & 1:
                _, at = read_leb(module, at)
    return functions


def exported_function(module, at, name):
    count, at = read_leb(module, at)
    for _ in range(count):
        size, at = read_leb(module, at)
        found = module[at:at + size].decode()
        kind = module[at + size]
        index, at = read_leb(module, at + size + 1)
        if kind == 0 and name in found:
            return index
    return None


def trap_in(module, name):
    """The module with that function trapping; None when it exports none."""
    imports, index = 0, None
    for kind, start, end in sections(module):
        if kind == IMPORT:
            imports = imported_functions(module, start)
        elif kind == EXPORT:
            index = exported_function(module, start, name)
        elif kind == CODE and index is not None:
            _, at = read_leb(module, start)
            for _ in range(index - imports):
                size, at = read_leb(module, at)
                at += size
            size, at = read_leb(module, at)
            # No locals, then unreachable as often as there is room, then end.
            body = bytes(size - 1) + b"\x0b"
            return module[:at] + body + module[at + size:]
    return None


def trapping(component, name):
    for kind, start, end in sections(component):
        if kind == COMPONENT_MODULE:
            module = trap_in(component[start:end], name)
            if module:
                return component[:start] + module + component[end:]
    raise ValueError(f"no function {name} in the component")
