"""Alerts and dashboard name metrics, labels and reasons that the operator has, and the manual names every metric."""
import json
import os
import re
import sys

RULES, DASHBOARD = "deploy/monitoring/prometheusrule.yaml", "deploy/monitoring/dashboard.json"


def read(top, path):
    with open(os.path.join(top, path), encoding="utf-8") as f:
        return f.read()


def metrics_of(source):
    """name -> (kind, labels), from the table in operator/metrics.c."""
    table = source[source.index("#define METRICS(X)"):]
    table = re.sub(r"\\\n", " ", table[:table.index("\n\n")])
    found = {}
    for entry in re.split(r"\bX\(", table)[1:]:
        # Neighbouring string literals are one, as in C.
        words = [re.sub(r'"\s+"', "", w) for w in re.findall(r'"(?:[^"\\]|\\.)*"(?:\s+"(?:[^"\\]|\\.)*")*', entry)]
        kind = re.match(r"\w+,\s*(\w+)", entry).group(1)
        found["wasm_operator_" + words[0].strip('"')] = (kind, {w.strip('"') for w in words[2:]})
    return found


def check_expression(where, expression, metrics, report):
    names = re.findall(r"\bwasm_operator_\w+", expression)
    labels = set(re.findall(r"[{,]\s*(\w+)\s*(?:=~|!~|!=|=)", expression))
    for group in re.findall(r"\bby \(([^)]*)\)", expression):
        labels |= {l.strip() for l in group.split(",")}
    known = {"le", "job"}
    for name in names:
        base = re.sub(r"_(bucket|sum|count)$", "", name) if name not in metrics else name
        if base not in metrics:
            report(f"{where}: no metric {name}")
            continue
        if (metrics[base][0] == "HISTOGRAM") != (base != name):
            report(f"{where}: {name} is no {metrics[base][0]}")
        known |= metrics[base][1]
    for label in labels - known:
        report(f"{where}: {', '.join(names)} has no label {label}")


def main(top):
    breaches = []
    metrics = metrics_of(read(top, "operator/metrics.c"))
    expressions = [(RULES, e) for e in re.findall(r"^\s+expr: (.*)$", read(top, RULES), re.M)]
    expressions += [(DASHBOARD, t["expr"]) for p in json.loads(read(top, DASHBOARD))["panels"] for t in p["targets"]]
    for where, expression in expressions:
        check_expression(where, expression, metrics, breaches.append)
    manual = read(top, "docs/operator.md")
    breaches += [f"docs/operator.md does not name {m}" for m in metrics if f"`{m[len('wasm_operator_'):]}`" not in manual]
    # The rules must be able to fail.
    wrong = []
    check_expression("x", 'sum by (colour) (rate(wasm_operator_nothing[5m])) + wasm_operator_hosts{planet="x"}', metrics, wrong.append)
    if len(wrong) != 3:
        breaches.append(f"the check itself sees {wrong}")
    print("\n".join(breaches))
    print(f"{len(metrics)} metrics, {len(expressions)} expressions, {len(breaches)} breaches")
    return 1 if breaches or len(metrics) < 20 or len(expressions) < 20 else 0


sys.exit(main(sys.argv[1]))
