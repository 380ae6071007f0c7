"""Formats of get: jsonpath, custom columns, Go templates, sorting, labels."""
FILES = {
    "set.yaml": """apiVersion: v1
kind: ConfigMap
metadata:
  name: first
  labels: {app: web, tier: front}
  annotations: {example.com/rank: "30", "note": "it's <b> & \\"c\\""}
data: {size: 64Mi, weight: "1500m", text: "one, two", empty: ""}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: second
  labels: {app: web}
  annotations: {example.com/rank: "4"}
data: {size: 1Gi, weight: "2", text: "a \\"quoted\\" word", lines: "x\\ny\\n"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: third, labels: {app: db}}
data: {size: 5G, weight: 900m, text: "\\u00e9\\u65e5\\u672c"}
---
apiVersion: v1
kind: Secret
metadata: {name: hidden}
stringData: {user: alice, password: "p\\u00e4ss"}
""",
    "deploy.yaml": """apiVersion: apps/v1
kind: Deployment
metadata: {name: many, labels: {app: many}}
spec:
  replicas: 0
  selector: {matchLabels: {app: many}}
  template:
    metadata: {labels: {app: many}}
    spec:
      containers:
      - {name: a, image: "example/a:1", ports: [{containerPort: 80, name: http}, {containerPort: 443, name: https}]}
      - {name: b, image: "example/b:2", env: [{name: X, value: "1"}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: few}
spec:
  replicas: 0
  minReadySeconds: 5
  selector: {matchLabels: {app: few}}
  template:
    metadata: {labels: {app: few}}
    spec: {containers: [{name: c, image: "example/c:3"}]}
""",
    "pair.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: p1}\n---\n"
                 "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: p2}\n",
    "pair2.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: p3}\n---\n"
                  "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: p4}\n",
    "one.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: o1}\ndata: {a: b}\n",
    "event.yaml": """apiVersion: v1
kind: Event
metadata: {name: e1}
involvedObject: {kind: Namespace, name: default, apiVersion: v1}
reason: Tested
message: all is well
type: Normal
lastTimestamp: "2024-01-02T03:04:05Z"
""",
    "names.jsonpath": "{range .items[*]}{.metadata.name}{'\\n'}{end}",
    "names.template": "{{range .items}}{{.metadata.name}}\n{{end}}",
    "columns.txt": "NAME          SIZE\nmetadata.name .data.size\n",
    "columns-bad.txt": "NAME SIZE\nmetadata.name\n",
    "columns-short.txt": "NAME SIZE\n",
}

THREE = "get cm first second third -n {ns} -o '"
MANY = "get deploy many -n {ns} -o '"
MINE = "get cm -l app -n {ns} "

TEMPLATE_FAILS = "out: kubectl's message holds the whole object in Go's notation; ours names what failed alone"
GO_TEMPLATE_FAILS = "code: kubectl also writes the failure, the template and the object to standard output"
SORT_FAILS = "differs: kubectl loses the error of a table that cannot be sorted and says No resources found, with exit code 0"
APPLY_LIST = "code: kubectl's List of apply has an order of its own and an empty metadata; ours is the one of get"
NO_EVENTS = "differs: where there are no Events kubectl prints no list; templates and JSON have an empty one here"
EVENT_LIST = "differs: kubectl has an EventList with members in the order of its types, and its -o name names nothing"
NOT_YET = "out: an element that is not there yet may come: waited for here, kubectl gives up at once"

LINES = [
    ("apply --server-side -n {ns} -f set.yaml",),
    ("apply --server-side -n {ns} -f deploy.yaml",),
    # jsonpath: paths
    (THREE + "jsonpath={.items[*].metadata.name}'",),
    (THREE + "jsonpath={.items[0].metadata.labels}'",),
    (THREE + "jsonpath={.items[0].data}'",),
    (THREE + "jsonpath={.items[*].data.size}'",),
    (THREE + "jsonpath={.items[-1].metadata.name}'",),
    (THREE + "jsonpath={.items[0:2].metadata.name}'",),
    (THREE + "jsonpath={.items[::2].metadata.name}'",),
    (THREE + "jsonpath={.items[0,2].metadata.name}'",),
    (THREE + "jsonpath={.items[0].metadata.labels.app}'",),
    (THREE + "jsonpath={..rank}'",),
    (THREE + "jsonpath={.items[*].metadata.annotations.example\\.com/rank}'",),
    (THREE + "jsonpath={.kind}/{.apiVersion}'",),
    (THREE + "jsonpath=.items'",),
    (THREE + "jsonpath={.nope.nothing}'",),
    (THREE + "jsonpath={.items[*].nope}'",),
    (THREE + "jsonpath={.nope}' --allow-missing-template-keys=false", TEMPLATE_FAILS),
    (THREE + "jsonpath={.items[7]}'", TEMPLATE_FAILS),
    (THREE + "jsonpath={.items[1:99]}'", TEMPLATE_FAILS),
    (THREE + "jsonpath={.kind[0]}'", TEMPLATE_FAILS),
    (THREE + "jsonpath={.items'", ),
    (THREE + "jsonpath={.items['", ),
    (THREE + "jsonpath={foo}'", TEMPLATE_FAILS),
    (THREE + "jsonpath={|}'",),
    ("get cm first -n {ns} -o jsonpath",),
    ("get cm first -n {ns} -o jsonpath=",),
    ("get cm first -n {ns} -o jsonpath={.data.text}",),
    ("get cm first -n {ns} -o jsonpath={.metadata.annotations.note}",),
    ("get cm first -n {ns} -o jsonpath={.metadata.annotations}",),
    ("get cm second -n {ns} -o jsonpath={.data.lines}",),
    ("get cm third -n {ns} -o jsonpath={.data}",),
    ("get cm nope -n {ns} -o jsonpath={.data}",),
    ("get cm first nope -n {ns} -o jsonpath={.items[*].metadata.name}",),
    ("get cm -n {ns} -l app=nobody -o jsonpath={.items}",),
    ("get cm -n {ns} -l app=nobody -o jsonpath={.items[*].metadata.name}",),
    ("get cm -n {ns} -l app=nobody -o jsonpath={.items[0].metadata.name}", TEMPLATE_FAILS),
    # filters, ranges, text
    (THREE + "jsonpath={.items[?(@.metadata.name==\"second\")].data.size}'",),
    (THREE + "jsonpath={.items[?(@.metadata.labels.app!=\"web\")].metadata.name}'",),
    (THREE + "jsonpath={.items[?(@.metadata.labels.tier)].metadata.name}'",),
    (THREE + "jsonpath={.items[?(@.metadata.name>\"first\")].metadata.name}'",),
    (THREE + "jsonpath={.items[?(@.metadata.name==3)].metadata.name}'", TEMPLATE_FAILS),
    (THREE + "jsonpath={.items[?(@.metadata.name=\"x\")]}'", TEMPLATE_FAILS),
    (THREE + "jsonpath={.items[?(@.metadata.name==\"x\"}'",),
    (THREE + "jsonpath={range .items[*]}{.metadata.name}{\"\\t\"}{.data.size}{\"\\n\"}{end}'",),
    (THREE + "jsonpath={range .items[*]}[{.metadata.name}] {end}done'",),
    (THREE + "jsonpath={range .items[*]}{.metadata.name},'",),
    (THREE + "jsonpath={end}'", TEMPLATE_FAILS),
    (THREE + "jsonpath=a {\"b\\x41\\u00e9\"} {1.5}{true} c'",),
    (MANY + "jsonpath={range .spec.template.spec.containers[*]}{.name}:{range .ports[*]}{.containerPort},{end};{end}'",),
    (MANY + "jsonpath={.spec.template.spec.containers[?(@.ports[0].containerPort==80)].name}'", TEMPLATE_FAILS),
    (MANY + "jsonpath={.spec.template.spec.containers[*].ports[?(@.containerPort>100)].name}'",),
    (MANY + "jsonpath={.spec.template.spec.containers[?(@.name==\"a\")].ports}'",),
    (MANY + "jsonpath={.spec.template..name}'",),
    (MANY + "jsonpath={.spec.replicas}'",),
    (MANY + "jsonpath={.spec.strategy}'",),
    (MANY + "jsonpath={.spec.template.spec.containers[*].name}'",),
    ("get deploy many -n {ns} -o jsonpath-as-json={.spec.template.spec.containers[*].image}",),
    ("get deploy many -n {ns} -o jsonpath-as-json={.nope}",),
    ("get deploy many -n {ns} -o jsonpath-as-json={.spec.template.spec.containers[0].ports}",),
    (MINE + "-o jsonpath-file=names.jsonpath",),
    (MINE + "-o jsonpath-file=nope.jsonpath",),
    (MINE + "-o jsonpath --template={.items[*].metadata.name}",),
    # custom columns
    (THREE + "custom-columns=NAME:.metadata.name'",),
    (THREE + "custom-columns=NAME:.metadata.name,SIZE:.data.size,NOPE:.data.nope'",),
    (THREE + "custom-columns=NAME:metadata.name,APP:{.metadata.labels.app},LABELS:{metadata.labels}'",),
    (THREE + "custom-columns=A:.metadata.name,B:.data.text' --no-headers",),
    (THREE + "custom-columns=NAME:.metadata.name,RANK:.metadata.annotations.example\\.com/rank'",),
    (THREE + "custom-columns=:.metadata.name,:.data.size'",),
    (THREE + "custom-columns=NAME:'",),
    (THREE + "custom-columns=NAME'",),
    (THREE + "custom-columns='",),
    (THREE + "custom-columns=NAME:.metadata.name,'", ),
    (THREE + "custom-columns=NAME:{.a}{.b}'",),
    (THREE + "custom-columns=NAME:{.a[}'", "code: kubectl says so behind the headers"),
    ("get deploy -n {ns} -o custom-columns=NAME:.metadata.name,IMAGES:.spec.template.spec.containers[*].image,"
     "PORTS:.spec.template.spec.containers[*].ports[*].containerPort,R:.spec.replicas,S:.spec.strategy",),
    ("get deploy many -n {ns} -o custom-columns=C:.spec.template.spec.containers",),
    ("get cm -n {ns} -l app=nobody -o custom-columns=NAME:.metadata.name,B:.kind",),
    ("get cm nope -n {ns} -o custom-columns=NAME:.metadata.name",),
    (MINE + "-o custom-columns-file=columns.txt",),
    (MINE + "-o custom-columns-file=columns.txt --no-headers",),
    (MINE + "-o custom-columns-file=columns-bad.txt",),
    (MINE + "-o custom-columns-file=columns-short.txt",),
    (MINE + "-o custom-columns-file=nope.txt",),
    (MINE + "-o custom-columns --template=NAME:.metadata.name",),
    # Go templates
    (THREE + "go-template={{range .items}}{{.metadata.name}} {{end}}'",),
    (THREE + "go-template={{len .items}} {{.kind}} {{.nope}}'",),
    (THREE + "go-template={{range $i, $e := .items}}{{$i}}={{$e.metadata.name}}{{\"\\n\"}}{{end}}'",),
    (THREE + "go-template={{range .items}}{{if eq .metadata.labels.app \"web\"}}{{.metadata.name}}{{else}}-{{end}};{{end}}'",),
    (THREE + "go-template={{range .items}}{{with .metadata.annotations}}{{index . \"example.com/rank\"}}{{else}}none{{end}},{{end}}'",),
    (THREE + "go-template={{(index .items 0).metadata.labels}} {{printf \"%s|%5d|%v\" .kind (len .items) true}}'",),
    (THREE + "go-template={{range $k, $v := (index .items 1).data}}{{$k}}:{{printf \"%q\" $v}} {{end}}'",),
    (THREE + "go-template={{ /* note */ }}'", "out: comments with blanks inside the braces are refused in other words"),
    (THREE + "go-template={{- range .items -}} {{- .metadata.name -}} {{- end -}}'",),
    (THREE + "go-template={{index .items 9}}'", GO_TEMPLATE_FAILS),
    (THREE + "go-template={{.kind.x}}'", GO_TEMPLATE_FAILS),
    (THREE + "go-template={{.nope}}' --allow-missing-template-keys=false", GO_TEMPLATE_FAILS),
    (THREE + "go-template={{.kind'",),
    (THREE + "go-template={{end}}'",),
    (THREE + "go-template={{foo}}'",),
    (THREE + "go-template='",),
    ("get secret hidden -n {ns} -o 'go-template={{range $k, $v := .data}}{{$k}}={{$v | base64decode}} {{end}}'",),
    ("get cm first -n {ns} -o 'go-template={{exists . \"data\" \"size\"}} {{exists . \"data\" \"nope\"}}'",),
    (MINE + "-o template={{.kind}}",),
    (MINE + "--template={{.kind}}",),
    (MINE + "-o go-template-file=names.template",),
    (MINE + "-o go-template-file=nope.template",),
    # sorting
    (MINE + "--sort-by=.metadata.name",),
    (MINE + "--sort-by={.data.size}",),
    (MINE + "--sort-by=data.weight -o name",),
    (MINE + "--sort-by=.metadata.annotations.example\\.com/rank",),
    (MINE + "--sort-by=.data.size -o jsonpath={.items[*].metadata.name}",),
    (MINE + "--sort-by=.data.size -o custom-columns=N:.metadata.name,S:.data.size",),
    (MINE + "--sort-by=.data.size -o json", "norm"),
    (MINE + "--sort-by=.data.size -o yaml", "norm"),
    (MINE + "--sort-by=.data.size --no-headers --show-labels",),
    (MINE + "--sort-by=.nope", SORT_FAILS),
    (MINE + "--sort-by=.nope -o name",),
    (MINE + "--sort-by={.a}{.b}", SORT_FAILS),
    (MINE + "--sort-by={.a[}", SORT_FAILS),
    (MINE + "--sort-by=",),
    ("get deploy -n {ns} --sort-by=.spec.minReadySeconds",),
    ("get cm first -n {ns} --sort-by=.metadata.name",),
    ("get cm -n {ns} -l app=nobody --sort-by=.metadata.name",),
    # labels, formats
    (MINE + "-L app -L tier",),
    (MINE + "--label-columns=app,tier --show-labels",),
    (MINE + "-L app -o wide",),
    (MINE + "-L app --no-headers",),
    (MINE + "--show-labels -o wide",),
    (MINE + "--show-labels -o name",),
    (MINE + "--show-labels -o json",),
    (MINE + "-L app -o custom-columns=A:.kind",),
    (MINE + "-L app -o name",),
    (MINE + "-o nope",),
    (MINE + "-o json=x",),
    (MINE + "-o name",),
    ("get cm,secret -n {ns} -o 'jsonpath={range .items[*]}{.kind} {.metadata.name};{end}' -l app",),
    ("get cm/first secret/hidden -n {ns} -o custom-columns=K:.kind,N:.metadata.name",),
    ("get cm/first secret/hidden -n {ns} -o 'go-template={{range .items}}{{.kind}} {{end}}'",),
    ("get -f set.yaml -n {ns} -o jsonpath={.items[*].kind}",),
    ("get cm -n {ns} -l app=nobody -o yaml --ignore-not-found",),
    ("get cm -n {ns} -l app=nobody -o yaml",),
    ("get cm -n {ns} --output-watch-events",),
    # what changes objects
    ("create -n {ns} -f one.yaml -o jsonpath={.metadata.name}/{.data.a}",),
    ("create -n {ns} -f pair.yaml -o 'jsonpath={.metadata.name}{\"\\n\"}'",),
    ("create -n {ns} -f pair2.yaml -o yaml", "norm"),
    ("create -n {ns} -f one.yaml -o json --dry-run=client", "norm"),
    ("create -n {ns} -f one.yaml -o nope", "norm"),
    ("apply --server-side -n {ns} -f one.yaml -o 'go-template={{.kind}} {{.metadata.name}}'",),
    ("apply --server-side -n {ns} -f one.yaml --template={{.kind}}",),
    ("apply --server-side -n {ns} -f pair.yaml --force-conflicts -o jsonpath={.items[*].metadata.name}",),
    ("apply --server-side -n {ns} -f pair.yaml --force-conflicts -o yaml", APPLY_LIST),
    ("apply --server-side -n {ns} -f pair.yaml --force-conflicts -o json --show-managed-fields=false", APPLY_LIST),
    ("scale -n {ns} deploy/few --replicas=0 -o name",),
    ("scale -n {ns} deploy/few --replicas=0 -o jsonpath={.metadata.name}",),
    ("delete -n {ns} -f pair.yaml -o name",),
    # wait
    ("wait -n {ns} cm/first --for=jsonpath={.data.size}=64Mi --timeout=0",),
    ("wait -n {ns} cm/first --for=jsonpath=.data.size=64Mi --timeout=0",),
    ("wait -n {ns} cm/first --for=jsonpath=data.size --timeout=0",),
    ("wait -n {ns} cm/first --for=jsonpath={.data.size}=65Mi --timeout=0",),
    ("wait -n {ns} cm/first --for=jsonpath={.data.nope} --timeout=0",),
    ("wait -n {ns} cm/first --for=jsonpath={.data}=x --timeout=0",),
    ("wait -n {ns} cm/first --for=jsonpath={.data.*} --timeout=0",),
    ("wait -n {ns} cm/first --for=jsonpath= --timeout=0",),
    ("wait -n {ns} cm/first --for=jsonpath={.data.size}= --timeout=0",),
    ("wait -n {ns} cm/first --for=jsonpath={.a}=b=c --timeout=0",),
    ("wait -n {ns} cm/first --for=jsonpath={.a}{.b} --timeout=0",),
    ("wait -n {ns} cm/first --for=jsonpath={.a[} --timeout=0",),
    ("wait -n {ns} deploy/many '--for=jsonpath={.spec.template.spec.containers[?(@.name==\"a\")].image}=example/a:1' --timeout=0",),
    ("wait -n {ns} deploy/many --for=jsonpath={.spec.template.spec.containers[0].ports[1].containerPort}=443 --timeout=0",),
    ("wait -n {ns} deploy/many --for=jsonpath={.spec.template.spec.containers[5].name}=x --timeout=0", NOT_YET),
    ("wait -n {ns} deploy/many --for=jsonpath={.spec.replicas}=0 --timeout=0 -o jsonpath={.metadata.name}",),
    # the configuration, Events
    ("config view -o jsonpath={.contexts[*].name}",),
    ("config view --minify -o jsonpath={.clusters[0].name}/{.users[0].name}/{.contexts[0].context.namespace}",),
    ("config view -o 'jsonpath={.contexts[?(@.name==\"t\")].context.cluster}'",),
    ("config view -o 'go-template={{range .contexts}}{{.name}}:{{.context.user}} {{end}}'",),
    ("config view -o jsonpath={.current-context}",),
    ("config view -o jsonpath={.a",),
    ("events -n {ns} -o jsonpath={.kind}", NO_EVENTS),
    ("apply --server-side --force-conflicts -n default -f event.yaml",),
    ("events -n default -o jsonpath={.items[*].reason}",),
    ("events -n default -o 'go-template={{range .items}}{{.message}}{{end}}'",),
    ("events -n default -o json", EVENT_LIST),
    ("events -n default -o name", EVENT_LIST),
    ("events -n {ns} -o nope",),
]
