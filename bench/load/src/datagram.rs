//! Datagrams taken from a socket several at a time, with the time at which they came.

use std::io::IoSliceMut;
use std::os::fd::{AsRawFd, RawFd};

use anyhow::Result;
use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, recvmmsg, setsockopt, sockopt,
};
use nix::sys::time::TimeSpec;

use crate::clock::nanoseconds;
use crate::limits::{BATCH, DATAGRAM_BYTES_MAX, DESCRIPTORS_BESIDES};

/// Room for one `recvmmsg` from sockets that are connected: who sends is known.
pub(crate) struct Batch {
    headers: MultiHeaders<()>,
    buffers: Box<[[u8; DATAGRAM_BYTES_MAX]; BATCH]>,
}

/// One datagram as it came.
pub(crate) struct Arrival<'a> {
    /// When the kernel got it, on [`crate::clock::realtime_ns`]'s clock; 0 if it was not asked to
    /// tell.
    pub(crate) at_ns: u64,
    /// What it says.
    pub(crate) bytes: &'a [u8],
}

impl Batch {
    pub(crate) fn new() -> Batch {
        let control = cmsg_space!(TimeSpec);
        Batch {
            headers: MultiHeaders::preallocate(BATCH, Some(control)),
            buffers: Box::new([[0; DATAGRAM_BYTES_MAX]; BATCH]),
        }
    }

    /// Takes all that waits at a socket.
    ///
    /// # Errors
    /// What the system says, except that nothing waits, that a call was interrupted, and that an
    /// earlier packet of ours found nobody (the server closes its port before we close ours).
    pub(crate) fn drain(&mut self, socket: RawFd, mut take: impl FnMut(Arrival<'_>)) -> Result<()> {
        loop {
            let mut slices = self.buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
            let flags = MsgFlags::MSG_DONTWAIT;
            let mut count = 0;
            match recvmmsg(socket, &mut self.headers, &mut slices, flags, None) {
                Ok(messages) => {
                    for message in messages {
                        count += 1;
                        take(Arrival {
                            at_ns: arrival_ns(message.cmsgs()?),
                            bytes: message.iovs().next().unwrap_or_default(),
                        });
                    }
                }
                Err(Errno::EAGAIN) => return Ok(()),
                Err(Errno::EINTR | Errno::ECONNREFUSED) => count = BATCH,
                Err(error) => return Err(error.into()),
            }
            if count < BATCH {
                return Ok(());
            }
        }
    }
}

fn arrival_ns(messages: impl Iterator<Item = ControlMessageOwned>) -> u64 {
    for message in messages {
        if let ControlMessageOwned::ScmTimestampns(time) = message {
            return nanoseconds(time);
        }
    }
    0
}

/// Asks the kernel to stamp what comes to this socket.
pub(crate) fn stamp_arrivals(socket: &std::net::UdpSocket) -> Result<()> {
    Ok(setsockopt(socket, sockopt::ReceiveTimestampns, &true)?)
}

/// Sends to the address that a socket is connected to. A packet that cannot go is lost, as on any
/// network; the result says whether it went.
pub(crate) fn send(socket: &std::net::UdpSocket, bytes: &[u8]) -> bool {
    nix::sys::socket::send(socket.as_raw_fd(), bytes, MsgFlags::MSG_DONTWAIT).is_ok()
}

/// Raises the limit of open files so that there is one for each leg.
///
/// # Errors
/// What the system says when this process may not have so many.
pub(crate) fn allow_descriptors(legs: usize) -> Result<()> {
    let wanted = legs as u64 + DESCRIPTORS_BESIDES;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < wanted {
        setrlimit(Resource::RLIMIT_NOFILE, wanted, hard.max(wanted))?;
    }
    Ok(())
}
