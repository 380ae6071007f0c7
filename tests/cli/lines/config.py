"""config: each program changes kubeconfig files of its own; after a change kubectl must read the same from both ("file=NAME")."""
CONFIG = """# a comment
apiVersion: v1
kind: Config
current-context: one
clusters:
- name: zc
  cluster: {server: "https://a:1", certificate-authority: ca.crt, extensions: [{name: x, extension: {a: b}}]}
- name: bc
  cluster: {server: "https://b:1", certificate-authority-data: QUJD, insecure-skip-tls-verify: false}
users:
- name: u1
  user: {token: secret, client-key-data: QUJD, client-certificate-data: QUJD}
- name: u2
  user:
    username: me
    password: pw
    exec: {apiVersion: client.authentication.k8s.io/v1, command: foo, args: [a], env: [{name: A, value: b}], interactiveMode: Never}
- name: u3
  user: {auth-provider: {name: oidc, config: {client-id: i}}}
contexts:
- name: two.dots
  context: {cluster: bc, user: u2}
- name: one
  context: {cluster: zc, user: u1, namespace: ns1}
"""
SINGLE = """apiVersion: v1
kind: Config
current-context: only
clusters: [{name: c, cluster: {server: "https://a:1"}}]
users: [{name: u, user: {token: t}}]
contexts: [{name: only, context: {cluster: c, user: u}}]
"""
FILES = {
    "ours-config.yaml": CONFIG,
    "them-config.yaml": CONFIG,
    "read.yaml": CONFIG,
    "single.yaml": SINGLE,
    "empty.yaml": "",
    "list.yaml": "[a]\n",
    "broken.yaml": "a: [\n",
    "other.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n",
    "ca.crt": "CERTIFICATE\n",
    "sub/me.crt": "MINE\n",
    "sub/me.key": "KEY\n",
}

# kubectl writes several new --exec-env in any order: one at a time.
FILE = "--kubeconfig {ns}.yaml"
CHANGED = "file={ns}.yaml"

LINES = [
    ("config view --kubeconfig read.yaml",),
    ("config view --kubeconfig read.yaml -o yaml --raw",),
    ("config view --kubeconfig read.yaml -o json", "json"),
    ("config view --kubeconfig read.yaml --minify",),
    ("config view --kubeconfig read.yaml --minify --raw",),
    ("config view --kubeconfig read.yaml --minify --flatten",),
    ("config view --kubeconfig read.yaml --flatten",),
    ("config view --kubeconfig read.yaml --minify --context two.dots",),
    ("config view --kubeconfig read.yaml --minify --context nope",),
    ("config view --kubeconfig read.yaml --context two.dots",),
    ("config view --kubeconfig empty.yaml",),
    ("config view --kubeconfig empty.yaml --minify",),
    ("config view --kubeconfig nope.yaml",),
    ("config view --kubeconfig broken.yaml",),
    ("config view --merge=false",),
    ("config view --kubeconfig read.yaml --merge=false --minify",),
    ("config view -o nope",),
    ("config view --kubeconfig read.yaml -o jsonpath={.users[*].name}",),
    ("config view --kubeconfig read.yaml --raw -o 'jsonpath={.users[?(@.name == \"u2\")].user.password}'",),
    ("config view --kubeconfig read.yaml -o 'jsonpath={.users[?(@.name == \"u2\")].user.password}'",),
    ("config view --kubeconfig read.yaml -o 'go-template={{range .contexts}}{{.name}} {{end}}'",),
    ("config view --kubeconfig read.yaml -o jsonpath={",),
    ("config view extra",),
    ("config get-contexts --kubeconfig read.yaml",),
    ("config get-contexts --kubeconfig read.yaml -o name",),
    ("config get-contexts --kubeconfig read.yaml --no-headers",),
    ("config get-contexts --kubeconfig read.yaml one",),
    ("config get-contexts --kubeconfig read.yaml one nope",),
    ("config get-contexts --kubeconfig read.yaml -o json",),
    ("config get-contexts --kubeconfig empty.yaml",),
    ("config get-clusters --kubeconfig single.yaml",),
    ("config get-users --kubeconfig read.yaml",),
    ("config get-users --kubeconfig empty.yaml",),
    ("config current-context --kubeconfig read.yaml",),
    ("config current-context --kubeconfig empty.yaml",),
    ("config use-context nope " + FILE, CHANGED),
    ("config use-context " + FILE, CHANGED, "code", "a wrong command line shows the usage on standard error"),
    ("config use-context a b " + FILE, CHANGED, "code", "a wrong command line shows the usage on standard error"),
    ("config use-context two.dots " + FILE, CHANGED),
    ("config use-context two.dots " + FILE, CHANGED),
    ("config current-context " + FILE,),
    ("config set-context three --cluster=q --namespace=x " + FILE, CHANGED),
    ("config set-context three --user=uu " + FILE, CHANGED),
    ("config set-context --current --namespace=zz " + FILE, CHANGED),
    ("config set-context --current --namespace= " + FILE, CHANGED),
    ("config set-context " + FILE, CHANGED),
    ("config set-context --current x " + FILE, CHANGED),
    ("config set-context --current --namespace=x --kubeconfig empty.yaml",),
    ("config rename-context three four " + FILE, CHANGED),
    ("config rename-context nope x " + FILE, CHANGED),
    ("config rename-context one two.dots " + FILE, CHANGED),
    ("config rename-context two.dots two " + FILE, CHANGED),
    ("config set-cluster new --server=https://n:1 --certificate-authority=ca.crt " + FILE, CHANGED),
    ("config set-cluster new --insecure-skip-tls-verify=true " + FILE, CHANGED),
    ("config set-cluster new --insecure-skip-tls-verify=true --certificate-authority=ca.crt " + FILE, CHANGED),
    ("config set-cluster new --certificate-authority=sub/me.crt --embed-certs " + FILE, CHANGED),
    ("config set-cluster e2 --certificate-authority=nope.crt --embed-certs " + FILE, CHANGED),
    ("config set-cluster e3 --certificate-authority=nope.crt " + FILE, CHANGED),
    ("config set-cluster e4 --embed-certs " + FILE, CHANGED),
    ("config set-cluster e5 --server=https://x --proxy-url=http://p --tls-server-name=t " + FILE, CHANGED),
    ("config set-cluster e5 --server=https://y " + FILE, CHANGED),
    ("config set-credentials n1 --token=t " + FILE, CHANGED),
    ("config set-credentials n1 --username=u --password=p " + FILE, CHANGED),
    ("config set-credentials n1 --username=u --token=p " + FILE, CHANGED),
    ("config set-credentials n1 --token=x " + FILE, CHANGED),
    ("config set-credentials n2 --client-certificate=sub/me.crt --client-key=sub/me.key " + FILE, CHANGED),
    ("config set-credentials n2 --client-certificate=sub/me.crt --client-key=sub/me.key --embed-certs " + FILE, CHANGED),
    ("config set-credentials n2 --embed-certs " + FILE, CHANGED),
    ("config set-credentials n3 --exec-command=foo --exec-api-version=client.authentication.k8s.io/v1 --exec-arg=a --exec-arg=b "
     "--exec-env=A=b --exec-interactive-mode=Never " + FILE, CHANGED),
    ("config set-credentials n3 --exec-env=A- --exec-env=C=e --exec-arg=z " + FILE, CHANGED),
    ("config set contexts.q.cluster zz " + FILE, CHANGED),
    ("config set contexts.one.namespace other " + FILE, CHANGED),
    ("config set clusters.zc.insecure-skip-tls-verify maybe " + FILE, CHANGED),
    ("config set clusters.zc.insecure-skip-tls-verify true " + FILE, CHANGED),
    ("config set nope x " + FILE, CHANGED),
    ("config set current-context one " + FILE, CHANGED),
    ("config unset contexts.one.namespace " + FILE, CHANGED),
    ("config unset users.u2.exec " + FILE, CHANGED),
    ("config unset users.nope " + FILE, CHANGED),
    ("config unset clusters.zc.nope " + FILE, CHANGED),
    ("config unset nope " + FILE, CHANGED),
    ("config delete-cluster bc " + FILE, CHANGED),
    ("config delete-cluster bc " + FILE, CHANGED),
    ("config delete-user u3 " + FILE, CHANGED),
    ("config delete-user nope " + FILE, CHANGED),
    ("config delete-context one " + FILE, CHANGED),
    ("config delete-context one " + FILE, CHANGED),
    ("config unset current-context " + FILE, CHANGED),
    ("config current-context " + FILE,),
    ("config unset contexts.two " + FILE, CHANGED),
    ("config unset clusters " + FILE, CHANGED),
    ("config get-contexts " + FILE,),
    ("config set-context x --cluster=c --kubeconfig broken.yaml",),
    ("config set-context x --cluster=c --kubeconfig list.yaml",),
    ("config set-context x --cluster=c --kubeconfig other.yaml",),
    ("config set-context x --cluster=c --kubeconfig new/{ns}.yaml", "file=new/{ns}.yaml"),
    ("config nope", "code", "kubectl says it the same way"),
]
