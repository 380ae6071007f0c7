//! A wasmCloud v1 host as one program: the host library with a command line around it.
//!
//! stdout carries nothing but the answer to `--gen-seed`, `--help` and `--version`; everything said goes to
//! stderr. Exit status: 0 after an orderly stop (signal or `host.stop`), 1 when the host could not start or
//! stop, 2 for a command line it cannot use. With `--restart` only a signal ends it once it was ready: it starts
//! anew as the same process, empty, as a supervisor would start it.

mod options;

use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{bail, Context as _};
use options::{Options, Request};
use tokio::signal::unix::{signal, Signal, SignalKind};
use tokio::time::{timeout, timeout_at, Instant};
use tracing_subscriber::EnvFilter;
use wasmcloud_host::wasmbus::Host;

/// A NATS server that accepts connections but has no usable JetStream leaves the host waiting for replies.
const START_LIMIT: Duration = Duration::from_secs(30);

/// Covers the flush of the last events; with the server gone it would wait for ever.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// Between the end of a host and its new start, when it did not end well.
const RESTART_DELAY: Duration = Duration::from_secs(1);

/// Set for a process that was started anew: it goes on trying when it cannot start.
const RESTARTED_VARIABLE: &str = "WASMCLOUD_HOST_RESTARTED";

/// Frames of asynchronous functions are large in a build that is not fully optimised.
const STACK_SIZE: usize = 8 << 20;

/// What these crates say below `info` drowns what is looked for.
const QUIETED: &str =
    "async_nats=info,cranelift_codegen=warn,h2=info,hyper=info,hyper_util=info,oci_client=info,\
    reqwest=info,rustls=info,wasmtime_internal_cranelift=warn";

fn init_log(options: &Options) -> anyhow::Result<()> {
    let directives = match (&options.log_level, std::env::var("RUST_LOG")) {
        (Some(level), _) => format!("{level},{QUIETED}"),
        (None, Ok(directives)) if !directives.is_empty() => directives,
        (None, _) => format!("info,{QUIETED}"),
    };
    let filter = EnvFilter::try_new(&directives)
        .with_context(|| format!("RUST_LOG is not a list of log directives: {directives:?}"))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    Ok(())
}

struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).context("cannot handle SIGINT")?,
            terminate: signal(SignalKind::terminate()).context("cannot handle SIGTERM")?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

/// Why the host ended in good order.
enum End {
    Signal,
    Lattice,
}

async fn run(options: Options, ready: &mut bool) -> anyhow::Result<End> {
    let mut signals = StopSignals::new()?;
    let nats = options.nats.clone();
    let lattice = options.lattice.clone();
    let id = options.host_id();
    let start = timeout(START_LIMIT, Box::pin(Host::new(options.into_config())));
    let (host, shutdown) = tokio::select! {
        started = start => match started {
            Ok(started) => started
                .with_context(|| format!("cannot start the host on {nats} in lattice {lattice}"))?,
            Err(_) => bail!(
                "cannot start the host on {nats} in lattice {lattice}: not ready after {} s; does the NATS \
                 server have JetStream, and is --js-domain its domain?",
                START_LIMIT.as_secs()
            ),
        },
        name = signals.next() => {
            eprintln!("wasmcloud-host: {name} before the host was ready");
            return Ok(End::Signal);
        }
    };
    let mut shutdown = Box::pin(shutdown);
    eprintln!(
        "wasmcloud-host: ready id={id} lattice={lattice} nats={nats} pid={}",
        std::process::id()
    );
    *ready = true;

    let (end, deadline) = tokio::select! {
        name = signals.next() => {
            eprintln!("wasmcloud-host: stopping on {name}");
            (End::Signal, None)
        }
        stopped = host.stopped() => {
            eprintln!("wasmcloud-host: stopping on request of the lattice, or because a task of the host ended");
            (End::Lattice, stopped.context("lost the channel that carries stop requests")?)
        }
    };
    drop(host);
    let deadline = deadline.unwrap_or_else(|| Instant::now() + STOP_LIMIT);
    tokio::select! {
        finished = timeout_at(deadline, &mut shutdown) => match finished {
            Ok(finished) => finished.context("cannot stop the host in order")?,
            Err(_) => bail!("cannot stop the host in order: its last events were not accepted by {nats} in time"),
        },
        name = signals.next() => {
            eprintln!("wasmcloud-host: {name}: stopped without waiting for the last events");
            return Ok(End::Signal);
        }
    }
    eprintln!("wasmcloud-host: stopped id={id}");
    Ok(end)
}

/// Returns only when the program cannot be started again.
fn start_anew() -> anyhow::Error {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(problem) => return anyhow::Error::new(problem).context("cannot find the program to start anew"),
    };
    let problem = Command::new(program)
        .args(std::env::args_os().skip(1))
        .env(RESTARTED_VARIABLE, "1")
        .exec();
    anyhow::Error::new(problem).context("cannot start anew")
}

fn start(options: Options) -> anyhow::Result<()> {
    init_log(&options)?;
    let restart = options.restart;
    let mut ready = std::env::var_os(RESTARTED_VARIABLE).is_some();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK_SIZE)
        .build()
        .context("cannot start the thread pool")?;
    let result = runtime.block_on(run(options, &mut ready));
    // Ends the provider processes, which are killed when their tasks are dropped.
    runtime.shutdown_timeout(Duration::from_secs(1));
    match result {
        Ok(End::Lattice) if restart => Err(start_anew()),
        Err(problem) if restart && ready => {
            eprintln!("wasmcloud-host: {problem:#}; starting anew");
            std::thread::sleep(RESTART_DELAY);
            Err(start_anew())
        }
        other => other.map(|_| ()),
    }
}

fn main() -> ExitCode {
    let request = match options::parse(std::env::args_os().skip(1)) {
        Ok(request) => request,
        Err(problem) => {
            eprintln!("wasmcloud-host: {problem}\nTry 'wasmcloud-host --help'.");
            return ExitCode::from(2);
        }
    };
    let result = match request {
        Request::Print(text) => {
            print!("{text}");
            Ok(())
        }
        Request::Run(options) => start(*options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("wasmcloud-host: {problem:#}");
            ExitCode::FAILURE
        }
    }
}
