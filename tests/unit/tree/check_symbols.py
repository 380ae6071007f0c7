"""Global symbols start with their module's prefix; the operator and the dev library too."""
import os
import re
import subprocess
import sys

PREFIXES = {
    "base": ["err_", "x", "mem_", "buf_", "map_", "str_", "strv_", "log_", "time_", "loop_", "fiber_", "mailbox_", "process_", "file_"],
    "data": ["json_", "jsonpath_", "gotext_", "yaml_", "quantity_", "selector_"],
    "work": ["wq_"],
    "serve": ["serve_", "metric_", "metrics_"],
    "model": ["model_"],
    "place": ["place_", "spread_"],
    "kube": ["kube_", "kubeconfig_"],
    "lattice": ["lat_", "bus_", "wire_v1_", "wire_v2_", "js_", "store_v1_"],
    "print": ["print_"],
    "tail": ["tail_"],
    "operator": ["op_", "rec_", "plan_", "exec_", "status_", "view_", "unit_", "registry_", "links_", "sources_", "sweep_", "table_", "tally_", "clash_", "heal_", "revisions_"],
    "dev": ["dev_"],
}


def globals_of(library):
    out = subprocess.run(["nm", "-g", "--defined-only", library], capture_output=True, text=True, check=True).stdout
    for line in out.splitlines():
        match = re.match(r"^[0-9a-f]+ ([A-Z]) (\w+)$", line)
        if match and match.group(1) in "TDBRC":
            yield match.group(2)


def main():
    wrong, seen = [], 0
    for folder in sys.argv[1:]:
        for name in sorted(os.listdir(folder)):
            match = re.match(r"libw_(\w+)\.a$", name)
            if not match or match.group(1) not in PREFIXES:
                continue
            module = match.group(1)
            for symbol in globals_of(os.path.join(folder, name)):
                seen += 1
                if not symbol.startswith(tuple(PREFIXES[module])) and not symbol.startswith(("__asan", "__odr_asan", "embed_")):
                    wrong.append(f"{module}: {symbol}")
    print("\n".join(wrong))
    print(f"{seen} global symbols, {len(wrong)} without their module's prefix")
    return 1 if wrong or seen < 100 else 0


sys.exit(main())
