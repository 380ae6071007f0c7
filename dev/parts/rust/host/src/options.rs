//! The command line: text in, checked values out. Every message names the option and what it accepts.

use std::collections::HashMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use nkeys::{KeyPair, KeyPairType};
use tracing::Level;
use wasmcloud_host::url::Url;
use wasmcloud_host::wasmbus::{Features, HostConfig};
use wasmcloud_host::OciConfig;

const SEED_VARIABLE: &str = "WASMCLOUD_HOST_SEED";

const HELP: &str = "\
Usage: wasmcloud-host [OPTION]...
Run one wasmCloud v1 host until SIGTERM, SIGINT or a stop request of the lattice.

Lattice:
  --nats URL                  NATS server for control and calls (default nats://127.0.0.1:4222)
  --lattice ID                lattice to join (default: default)
  --js-domain NAME            JetStream domain that holds the state of the lattice
  --seed SN...                fixed identity; better in the environment, as WASMCLOUD_HOST_SEED, where
                              ps does not show it (default: a new identity each start)
  --label KEY=VALUE           label of the host, repeatable
  --heartbeat-seconds N       time between heartbeats, 1 to 3600 (default 30)

Components and providers:
  --max-execution-ms N        longest run of one call, 1000 to 86400000, counted in whole seconds
                              (default 600000)
  --max-components N          calls running at once over all components, 1 to 100000 (default 2000)
  --max-memory-mib N          linear memory of one component instance, 1 to 4095 (default 256)
  --max-component-mib N       size of one component file, 1 to 1024 (default 50)
  --provider-shutdown-ms N    time a provider has to end by itself, 0 to 600000 (default 300)
  --http-builtin              offer the built-in provider wasmcloud+builtin://http-server

Images:
  --allow-file                accept file:// references
  --allow-latest              accept the tag latest
  --allow-insecure HOST[:PORT]
                              registry that is spoken to over plain HTTP, repeatable

Other:
  --restart                   start anew, empty, after a stop request of the lattice, as a supervisor would;
                              only a signal ends the process
  --http-admin ADDRESS:PORT   serve /livez and /readyz there
  --log-level LEVEL           error, warn, info, debug or trace (default: RUST_LOG, else info)
  --gen-seed                  print a new identity as {\"seed\":\"SN...\",\"id\":\"N...\"} and exit
  --version                   print the version and exit
  --help                      print this text and exit

Cached images go to TMPDIR: give each host of a machine its own. When ready, the line
\"wasmcloud-host: ready id=N... lattice=... nats=... pid=...\" is written to stderr.
";

/// What the command line asks for.
pub enum Request {
    /// Text for stdout, then success.
    Print(String),
    Run(Box<Options>),
}

pub struct Options {
    pub nats: Url,
    pub lattice: String,
    /// None: the environment decides.
    pub log_level: Option<Level>,
    /// A stop request of the lattice starts the host anew.
    pub restart: bool,
    js_domain: Option<String>,
    key: KeyPair,
    labels: HashMap<String, String>,
    heartbeat: Duration,
    max_execution: Duration,
    max_components: u32,
    max_memory: u32,
    max_component_size: u64,
    provider_shutdown: Duration,
    http_builtin: bool,
    allow_file: bool,
    allow_latest: bool,
    allow_insecure: Vec<String>,
    http_admin: Option<SocketAddr>,
}

impl Options {
    fn new() -> Self {
        Self {
            nats: Url::parse("nats://127.0.0.1:4222").expect("the default is a URL"),
            lattice: "default".into(),
            log_level: None,
            restart: false,
            js_domain: None,
            key: KeyPair::new_server(),
            labels: HashMap::new(),
            heartbeat: Duration::from_secs(30),
            max_execution: Duration::from_secs(600),
            max_components: 2000,
            max_memory: 256 << 20,
            max_component_size: 50 << 20,
            provider_shutdown: Duration::from_millis(300),
            http_builtin: false,
            allow_file: false,
            allow_latest: false,
            allow_insecure: Vec::new(),
            http_admin: None,
        }
    }

    /// The identity the host will have: its public key, N...
    pub fn host_id(&self) -> String {
        self.key.public_key()
    }

    pub fn into_config(self) -> HostConfig {
        let mut features = Features::new();
        if self.http_builtin {
            features = features.enable_builtin_http_server();
        }
        HostConfig {
            ctl_nats_url: self.nats.clone(),
            rpc_nats_url: self.nats,
            lattice: self.lattice.into(),
            js_domain: self.js_domain,
            labels: self.labels,
            host_key: Some(Arc::new(self.key)),
            heartbeat_interval: Some(self.heartbeat),
            max_execution_time: self.max_execution,
            max_components: self.max_components,
            max_linear_memory: self.max_memory,
            max_component_size: self.max_component_size,
            provider_shutdown_delay: Some(self.provider_shutdown),
            allow_file_load: self.allow_file,
            oci_opts: OciConfig {
                allow_latest: self.allow_latest,
                allowed_insecure: self.allow_insecure,
                ..OciConfig::default()
            },
            log_level: self.log_level.unwrap_or(Level::INFO).into(),
            experimental_features: features,
            http_admin: self.http_admin,
            ..HostConfig::default()
        }
    }
}

fn number(option: &str, text: &str, least: u64, most: u64) -> Result<u64, String> {
    match text.parse() {
        Ok(value) if (least..=most).contains(&value) => Ok(value),
        _ => Err(format!(
            "{option} takes a whole number from {least} to {most}, not {text:?}"
        )),
    }
}

fn nats_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|problem| format!("--nats {text:?} is not a URL: {problem}"))?;
    if !matches!(url.scheme(), "nats" | "tls") || url.host_str().unwrap_or_default().is_empty() {
        return Err(format!(
            "--nats takes nats://HOST:PORT or tls://HOST:PORT, not {text:?}"
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "--nats takes no user and password: the host library ignores them; let the server map \
                    connections without credentials to an account (no_auth_user) on a loopback address"
                .into(),
        );
    }
    Ok(url)
}

/// The name is a token of NATS subjects and part of bucket names.
fn lattice_name(text: &str) -> Result<String, String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if text.is_empty() || text.len() > 64 || !text.chars().all(legal) {
        return Err(format!(
            "--lattice takes 1 to 64 letters, digits, '-' or '_', not {text:?}"
        ));
    }
    Ok(text.into())
}

/// Never repeats the seed: it is a secret, and messages end up in log files.
fn host_key(origin: &str, seed: &str) -> Result<KeyPair, String> {
    let key = KeyPair::from_seed(seed.trim())
        .map_err(|problem| format!("{origin} holds no usable seed ({problem}); make one with --gen-seed"))?;
    if key.key_pair_type() != KeyPairType::Server {
        return Err(format!(
            "{origin} holds the seed of another kind of key; a host needs one that starts with SN"
        ));
    }
    Ok(key)
}

fn add_label(labels: &mut HashMap<String, String>, text: &str) -> Result<(), String> {
    let Some((key, value)) = text.split_once('=').filter(|(key, _)| !key.is_empty()) else {
        return Err(format!("--label takes KEY=VALUE, not {text:?}"));
    };
    if key.to_ascii_lowercase().starts_with("hostcore.") {
        return Err(format!(
            "--label {text:?}: labels that start with hostcore. are the host's own"
        ));
    }
    if labels.insert(key.into(), value.into()).is_some() {
        return Err(format!("--label {key:?} is given twice"));
    }
    Ok(())
}

fn log_level(text: &str) -> Result<Level, String> {
    match text {
        "error" => Ok(Level::ERROR),
        "warn" => Ok(Level::WARN),
        "info" => Ok(Level::INFO),
        "debug" => Ok(Level::DEBUG),
        "trace" => Ok(Level::TRACE),
        _ => Err(format!(
            "--log-level takes error, warn, info, debug or trace, not {text:?}"
        )),
    }
}

fn set_flag(options: &mut Options, name: &str) -> bool {
    match name {
        "--http-builtin" => options.http_builtin = true,
        "--allow-file" => options.allow_file = true,
        "--allow-latest" => options.allow_latest = true,
        "--restart" => options.restart = true,
        _ => return false,
    }
    true
}

fn takes_value(name: &str) -> bool {
    matches!(
        name,
        "--nats"
            | "--lattice"
            | "--js-domain"
            | "--seed"
            | "--label"
            | "--heartbeat-seconds"
            | "--max-execution-ms"
            | "--max-components"
            | "--max-memory-mib"
            | "--max-component-mib"
            | "--provider-shutdown-ms"
            | "--allow-insecure"
            | "--http-admin"
            | "--log-level"
    )
}

fn set_value(options: &mut Options, name: &str, value: &str) -> Result<(), String> {
    if value.is_empty() {
        return Err(format!("{name} needs a value"));
    }
    match name {
        "--nats" => options.nats = nats_url(value)?,
        "--lattice" => options.lattice = lattice_name(value)?,
        "--js-domain" => options.js_domain = Some(value.into()),
        "--seed" => options.key = host_key(name, value)?,
        "--label" => add_label(&mut options.labels, value)?,
        "--heartbeat-seconds" => options.heartbeat = Duration::from_secs(number(name, value, 1, 3600)?),
        "--max-execution-ms" => {
            options.max_execution = Duration::from_millis(number(name, value, 1000, 86_400_000)?);
        }
        "--max-components" => options.max_components = number(name, value, 1, 100_000)? as u32,
        "--max-memory-mib" => options.max_memory = (number(name, value, 1, 4095)? << 20) as u32,
        "--max-component-mib" => options.max_component_size = number(name, value, 1, 1024)? << 20,
        "--provider-shutdown-ms" => {
            options.provider_shutdown = Duration::from_millis(number(name, value, 0, 600_000)?);
        }
        "--allow-insecure" => options.allow_insecure.push(value.into()),
        "--http-admin" => {
            let address = value.parse();
            options.http_admin =
                Some(address.map_err(|_| {
                    format!("--http-admin takes ADDRESS:PORT (127.0.0.1:8080), not {value:?}")
                })?);
        }
        "--log-level" => options.log_level = Some(log_level(value)?),
        _ => unreachable!("takes_value knows the names"),
    }
    Ok(())
}

fn new_seed() -> Result<String, String> {
    let key = KeyPair::new_server();
    let seed = key
        .seed()
        .map_err(|problem| format!("cannot make a seed: {problem}"))?;
    Ok(format!(
        "{{\"seed\":\"{seed}\",\"id\":\"{}\"}}\n",
        key.public_key()
    ))
}

/// Reads the arguments (without the program's name) and, for the seed, the environment.
pub fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Request, String> {
    let mut options = Options::new();
    if let Ok(seed) = std::env::var(SEED_VARIABLE) {
        options.key = host_key(SEED_VARIABLE, &seed)?;
    }
    let mut arguments = arguments.map(|argument| {
        argument
            .into_string()
            .map_err(|argument| format!("argument is not UTF-8: {argument:?}"))
    });
    while let Some(argument) = arguments.next().transpose()? {
        match argument.as_str() {
            "--help" | "-h" => return Ok(Request::Print(HELP.into())),
            "--version" => {
                let version = env!("CARGO_PKG_VERSION");
                return Ok(Request::Print(format!("wasmcloud-host {version}\n")));
            }
            "--gen-seed" => return Ok(Request::Print(new_seed()?)),
            _ => {}
        }
        let (name, attached) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        if takes_value(name) {
            let value = match attached {
                Some(value) => value,
                None => arguments
                    .next()
                    .transpose()?
                    .ok_or_else(|| format!("{name} needs a value"))?,
            };
            set_value(&mut options, name, &value)?;
        } else if attached.is_some() || !set_flag(&mut options, name) {
            return Err(match attached {
                Some(_) if set_flag(&mut options, name) => format!("{name} takes no value"),
                _ if name.starts_with('-') => format!("unknown option {name}"),
                _ => format!("unexpected argument {argument:?}"),
            });
        }
    }
    Ok(Request::Run(Box::new(options)))
}
