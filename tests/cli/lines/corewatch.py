"""Watches, wait, rollout and scale: what goes on while objects change."""
ROLLED = "Deployments are rolled out by Kubernetes: refused, and kubectl named; rollout is for WasmActors and WasmProviders"
INTERRUPTED = "kubectl ends with 1 when it is interrupted, wasmctl as any program that SIGINT ends"
DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  labels: {{app: {name}}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers: [{{name: c, image: "example/{name}:{tag}"}}]
"""
FILES = {
    "web.yaml": DEPLOYMENT.format(name="web", replicas=2, tag="1"),
    "web2.yaml": DEPLOYMENT.format(name="web", replicas=3, tag="2"),
    "cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, labels: {app: c}}\ndata: {phase: Ready, empty: \"\", num: \"3\"}\n",
    "cm2.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c2, labels: {app: c}}\ndata: {phase: Ready}\n",
    "actor.yaml": "apiVersion: wasmctl.dev/v1alpha1\nkind: WasmActor\nmetadata: {name: hello}\n"
                  "spec: {image: \"ghcr.io/example/hello:1\", replicas: 2}\n",
}

LINES = [
    ("apply --server-side -n {ns} -f web.yaml -f cm.yaml -f cm2.yaml -f actor.yaml",),
    # Watches
    ("get cm c -n {ns} -w", "watch=label cm c -n {ns} a=1 --overwrite", "differs", INTERRUPTED),
    ("get cm -n {ns} -l app=c -w --no-headers", "watch=label cm c -n {ns} a=2 --overwrite", "differs", INTERRUPTED),
    # Wait
    ("wait -n {ns} cm/c --for=jsonpath={.data.phase}=Ready",),
    ("wait -n {ns} cm/c cm/c2 --for=jsonpath={.data.phase}=Ready",),
    ("wait -n {ns} cm c c2 --for=jsonpath={.data.phase}=Ready",),
    ("wait -n {ns} cm -l app=c --for=jsonpath={.data.phase}=Ready",),
    ("wait -n {ns} cm --all --for=jsonpath={.metadata.name}",),
    ("wait -n {ns} cm/c --for=jsonpath={.data.num}=3 --for=jsonpath={.data.phase}=Ready", "code", "an object that meets all conditions is told once, not once a condition"),
    ("wait -n {ns} cm/c --for=jsonpath={.data.num}=3 --for=create", "code", "an object that meets all conditions is told once, not once a condition"),
    ("wait -n {ns} cm/c --for=jsonpath={.data.num}=4 --timeout=0s",),
    ("wait -n {ns} cm/c --for=jsonpath={.data.num}=3 -o name",),
    ("wait -n {ns} cm/c --for=jsonpath={.data.num}=3 -o 'jsonpath={.data.phase}'",),
    ("wait -n {ns} cm/c --for=jsonpath='{.data.phase}'=Ready",),
    ("wait -n {ns} cm/c --for=condition=Ready --timeout=0s",),
    ("wait -n {ns} cm/c --for=condition=Ready=False --timeout=0s",),
    ("wait -n {ns} deploy/web --for=condition=Available --timeout=0s",),
    ("wait -n {ns} deploy web --for=jsonpath={.spec.replicas}=2",),
    ("wait -n {ns} wa/hello --for=jsonpath={.spec.replicas}=2",),
    ("wait -n {ns} wa/hello --for=jsonpath={.spec.replicas}=2 --timeout=-1s",),
    ("wait -n {ns} cm/gone --for=delete",),
    ("wait -n {ns} cm/c --for=delete --timeout=0s",),
    ("wait -n {ns} cm/gone --for=create --timeout=0s", "out", "looking once is not waiting: said as for other conditions"),
    ("wait -n {ns} cm/gone --for=jsonpath={.data.num}=3 --timeout=1s",),
    ("wait -n {ns} cm --all -l app=c --for=create",),
    ("wait -n {ns} -f cm.yaml --for=jsonpath={.data.num}=3",),
    ("wait -n {ns} cm --for=jsonpath={.data.num}=3",),
    ("wait -n {ns} cm/c --for=jsonpath={.data.num=3",),
    ("wait -n {ns} cm/c --for=",),
    ("wait -n {ns} cm/c --for=create --timeout=soon",),
    ("wait -n {ns}",),
    ("wait nope/x --for=create --timeout=1s",),
    # Rollout; nothing rolls a Deployment here
    ("rollout status deploy/web -n {ns} --watch=false", "differs", ROLLED),
    ("rollout status deploy/web -n {ns} --timeout=300ms", "differs", ROLLED),
    ("rollout status deploy/nope -n {ns}", "differs", ROLLED),
    ("rollout status cm/c -n {ns}", "differs", ROLLED),
    ("rollout history deploy/web -n {ns}", "differs", ROLLED),
    ("rollout history deploy/nope -n {ns}", "differs", ROLLED),
    ("rollout pause deploy/web -n {ns}", "differs", ROLLED),
    ("rollout pause deploy/web -n {ns}", "differs", ROLLED),
    ("rollout restart deploy/web -n {ns}", "differs", ROLLED),
    ("rollout resume deploy/web -n {ns}", "differs", ROLLED),
    ("rollout resume deploy/web -n {ns}", "differs", ROLLED),
    ("rollout restart deploy/web -n {ns}", "differs", ROLLED),
    ("rollout restart deploy web -n {ns} -o name", "differs", ROLLED),
    ("rollout restart cm/c -n {ns}", "differs", ROLLED),
    ("rollout undo deploy/web -n {ns}", "differs", ROLLED),
    ("rollout undo deploy/web -n {ns} --to-revision=9", "differs", ROLLED),
    ("rollout restart deploy/nope -n {ns}", "differs", ROLLED),
    ("rollout restart",),
    ("rollout nope deploy/web",),
    # Scale
    ("scale deploy/web --replicas=1 -n {ns}",),
    ("scale deploy web --replicas=4 -n {ns}",),
    ("scale deploy/web --replicas=5 --current-replicas=4 -n {ns}",),
    ("scale deploy/web --replicas=6 --current-replicas=4 -n {ns}",),
    ("scale deploy/web --replicas=6 --dry-run=client -n {ns}",),
    ("scale deploy/web --replicas=6 --dry-run=server -n {ns}",),
    ("scale deploy/web wa/hello --replicas=2 -n {ns}",),
    ("scale deploy -l app=web --replicas=3 -n {ns}",),
    ("scale deploy --all --replicas=2 -n {ns}",),
    ("scale -f web.yaml --replicas=1 -n {ns}",),
    ("scale deploy/web --replicas=2 -n {ns} -o name",),
    ("scale deploy/nope --replicas=2 -n {ns}",),
    ("scale deploy/web --replicas=-1 -n {ns}",),
    ("scale deploy/web --replicas=many -n {ns}",),
    ("scale wa/hello --replicas=3 -n {ns}",),
    ("get deploy web -n {ns} -o 'jsonpath={.spec.replicas}'",),
    ("get wa hello -n {ns} -o 'jsonpath={.spec.replicas}'",),
    ("get --raw /apis/apps/v1/namespaces/{ns}/deployments/nope/scale",),
    ("delete deploy web -n {ns} --timeout=5s",),
    ("delete cm c c2 -n {ns} --wait=false",),
    ("delete cm,wa --all -n {ns} -o name",),
]
