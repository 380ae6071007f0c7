//! The HTTP server provider of a wasmCloud lattice, as the program a host starts.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Ends this process when the process that started it has ended.
///
/// A host that is killed cannot end its providers; without this they would go on holding their ports. The death
/// signal of Linux is no help: it follows the thread that started the child, and the host's threads come and go.
fn follow_parent() -> std::io::Result<()> {
    // SAFETY: plain system calls; the descriptor is new and owned by nobody else.
    let (parent, pidfd) = unsafe {
        let parent = libc::getppid();
        let pidfd = libc::syscall(libc::SYS_pidfd_open, parent, 0);
        if pidfd < 0 {
            return Err(std::io::Error::last_os_error());
        }
        (parent, OwnedFd::from_raw_fd(pidfd as libc::c_int))
    };
    // The parent may have ended before the descriptor was made, its number then being nobody's or another's.
    if unsafe { libc::getppid() } != parent {
        std::process::exit(0);
    }
    std::thread::Builder::new()
        .name("follow-parent".into())
        .spawn(move || loop {
            let mut wait = libc::pollfd {
                fd: pidfd.as_raw_fd(),
                events: libc::POLLIN,
                revents: 0,
            };
            // SAFETY: one valid entry, and the call writes only into it.
            if unsafe { libc::poll(&mut wait, 1, -1) } > 0 {
                eprintln!("http-server-provider: the host (pid {parent}) is gone, ending");
                std::process::exit(0);
            }
        })?;
    Ok(())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    if let Err(problem) = follow_parent() {
        eprintln!("http-server-provider: cannot watch the host, will outlive it if it is killed: {problem}");
    }
    wasmcloud_provider_http_server::run().await
}
