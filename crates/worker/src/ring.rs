//! Datagrams by io_uring: each socket is told once to receive for ever into shared buffers, and all
//! that goes is handed over at once.
//!
//! What a socket receives is not done as it comes (which would interrupt this thread) but when this
//! thread asks for it, some twenty sockets at a time, until none is left.
#![expect(unsafe_code, reason = "the kernel reads and writes the memory that it is told")]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;

use io_uring::{IoUring, cqueue, opcode, squeue, types};
use media::limits::PORTS_MAX;
use media::{Datagram, PortKey};

use crate::address::{NAME_BYTES, RawAddress, read_address};
use crate::buffers::{Buffers, GROUP};
use crate::clock::wall_ns;
use crate::limits::{
    ARMED_AT_ONCE_MAX, COMPLETIONS_MAX, ENTERS_PER_TURN_MAX, ORDERS_PER_TURN_MAX, SUBMISSIONS_MAX,
    SUBMIT_TRIES_MAX,
};
use crate::socket::{Arrived, Socket, Told};
use crate::stamp::{CONTROL_BYTES, age_us};

/// Marks the completion of a send; only those that failed have one.
const SENT: u64 = u64::MAX;

/// Marks the completion of a cancellation, of which there is nothing to know.
const CANCELLED: u64 = u64::MAX - 1;

/// A socket in its port's place.
struct Seat {
    socket: Socket,
    /// Distinguishes it from those that were in this place before and that the kernel may still
    /// tell of.
    generation: u32,
    /// The kernel receives for it.
    armed: bool,
}

/// The sockets of one media thread, by port.
pub(crate) struct Ring {
    // Closed before the memory that it writes to is freed: fields are dropped in this order.
    ring: IoUring,
    buffers: Buffers,
    /// How the kernel lays out what it receives; it reads this when a socket is armed.
    layout: Box<libc::msghdr>,
    /// Where to, for what is being sent.
    addresses: Box<[MaybeUninit<RawAddress>]>,
    seats: Box<[Option<Seat>]>,
    generation: u32,
    /// Places whose sockets the kernel is to receive for.
    unarmed: Vec<u32>,
    /// Those whose sockets had an error: their turn is the next one.
    failed: Vec<u32>,
    /// Sockets that were taken out while the kernel received for them. It holds them, and their
    /// ports, until it has said that it ended.
    leaving: Vec<(u64, Socket)>,
    released: Vec<Socket>,
    /// What is being taken.
    completed: Vec<cqueue::Entry>,
    /// Sends that failed and were not told of.
    refused: u64,
}

impl Ring {
    /// # Errors
    /// If the kernel or the container does not allow it, or the kernel is older than 6.1.
    pub(crate) fn new() -> io::Result<Ring> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_taskrun_flag()
            .setup_submit_all()
            .setup_cqsize(COMPLETIONS_MAX)
            .build(SUBMISSIONS_MAX as u32)?;
        // A container may allow a ring to be made and not to be entered.
        ring.submit()?;
        let buffers = Buffers::register(&ring)?;
        // By its place in this table the kernel finds a socket without looking into the process's.
        ring.submitter().register_files_sparse(PORTS_MAX as u32)?;
        // SAFETY: all of the structure is integers and pointers, for which zero is a value.
        let mut layout: Box<libc::msghdr> =
            Box::new(unsafe { MaybeUninit::zeroed().assume_init() });
        layout.msg_namelen = NAME_BYTES as libc::socklen_t;
        layout.msg_controllen = CONTROL_BYTES;
        Ok(Ring {
            ring,
            buffers,
            layout,
            addresses: Box::new_uninit_slice(SUBMISSIONS_MAX),
            seats: std::iter::repeat_with(|| None).take(PORTS_MAX).collect(),
            generation: 0,
            unarmed: Vec::with_capacity(PORTS_MAX + ORDERS_PER_TURN_MAX),
            failed: Vec::with_capacity(PORTS_MAX),
            leaving: Vec::with_capacity(PORTS_MAX),
            released: Vec::with_capacity(PORTS_MAX),
            completed: Vec::with_capacity(COMPLETIONS_MAX as usize),
            refused: 0,
        })
    }

    /// Lets a port's socket into an empty place; false if the kernel has no memory for it.
    pub(crate) fn insert(&mut self, port: PortKey, socket: Socket) -> bool {
        let seated = self.set_file(port, socket.fd());
        // The top bit stays free for the marks.
        self.generation = (self.generation + 1) & (u32::MAX >> 1);
        let seat = Seat { socket, generation: self.generation, armed: false };
        self.seats[port.index()] = Some(seat);
        self.unarmed.push(port.index() as u32);
        seated
    }

    /// Sets which socket the kernel finds in a port's place; -1 is none.
    fn set_file(&self, port: PortKey, fd: RawFd) -> bool {
        self.ring.submitter().register_files_update(port.index() as u32, &[fd]).is_ok()
    }

    /// Takes a port's socket out.
    pub(crate) fn remove(&mut self, port: PortKey, travels: bool) {
        let Some(Seat { mut socket, generation, armed }) = self.seats[port.index()].take() else {
            return;
        };
        socket.travels = travels;
        // What is under way with it goes on to its end.
        self.set_file(port, -1);
        if !armed {
            self.released.push(socket);
            return;
        }
        let token = token(port.index(), generation);
        self.leaving.push((token, socket));
        let cancel = opcode::AsyncCancel::new(token).build().user_data(CANCELLED);
        self.push(&cancel);
    }

    /// A socket that was taken out and that the kernel let go.
    pub(crate) fn next_released(&mut self) -> Option<Socket> {
        self.released.pop()
    }

    /// Hands over what came.
    pub(crate) fn receive(&mut self, mut take: impl FnMut(Told<'_>)) {
        let wall_ns = wall_ns();
        self.unarmed.append(&mut self.failed);
        for _ in 0..ENTERS_PER_TURN_MAX {
            // Also those for which the buffers ran out just now.
            self.arm();
            let (due, waiting) = {
                let submissions = self.ring.submission();
                let due = submissions.taskrun() || submissions.cq_overflow();
                (due, !submissions.is_empty())
            };
            if due || waiting {
                self.enter();
            }
            self.reap(wall_ns, &mut take);
            if !due && self.unarmed.is_empty() {
                return;
            }
        }
    }

    /// Sends all datagrams, and returns how many the kernel refused since the last time.
    pub(crate) fn send<'a>(&mut self, datagrams: impl Iterator<Item = Datagram<'a>>) -> u64 {
        let mut queued = 0;
        for datagram in datagrams {
            if queued == SUBMISSIONS_MAX {
                self.submit();
                queued = 0;
            }
            let Some(seat) = &self.seats[datagram.port.index()] else {
                self.refused += 1;
                continue;
            };
            let address = RawAddress::new(datagram.remote, seat.socket.ipv6);
            let address = self.addresses[queued].write(address);
            let (at, length) = (datagram.bytes.as_ptr(), datagram.bytes.len() as u32);
            let send = opcode::Send::new(types::Fixed(datagram.port.index() as u32), at, length)
                .flags(libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL)
                .dest_addr(address.pointer())
                .dest_addr_len(address.length())
                .build()
                .flags(squeue::Flags::SKIP_SUCCESS)
                .user_data(SENT);
            self.push(&send);
            queued += 1;
        }
        self.submit();
        std::mem::take(&mut self.refused)
    }

    /// Has the kernel receive for some of the sockets that it does not receive for. It begins with
    /// what waits there, so no more of them than it has buffers for.
    fn arm(&mut self) {
        for _ in 0..ARMED_AT_ONCE_MAX {
            let Some(index) = self.unarmed.pop() else { return };
            let Some(seat) = &mut self.seats[index as usize] else { continue };
            if std::mem::replace(&mut seat.armed, true) {
                continue;
            }
            let (fd, layout) = (types::Fixed(index), &raw const *self.layout);
            let token = token(index as usize, seat.generation);
            let receive = opcode::RecvMsgMulti::new(fd, layout, GROUP).build().user_data(token);
            self.push(&receive);
        }
    }

    /// Takes what the kernel completed.
    fn reap(&mut self, wall_ns: u64, take: &mut impl FnMut(Told<'_>)) {
        let Ring {
            ring,
            buffers,
            layout,
            seats,
            unarmed,
            failed,
            leaving,
            released,
            completed,
            refused,
            ..
        } = self;
        completed.clear();
        completed.extend(ring.completion().take(COMPLETIONS_MAX as usize));
        for completion in completed.iter() {
            let (index, _) = place(completion.user_data());
            if let Some(port) = PortKey::from_index(index) {
                take(Told::Soon(port));
            }
        }
        for completion in completed.iter() {
            let (token, flags) = (completion.user_data(), completion.flags());
            match token {
                SENT => *refused += 1,
                CANCELLED => {}
                _ => {
                    let (index, generation) = place(token);
                    let place = seats.get_mut(index).and_then(Option::as_mut);
                    let seat = place.filter(|seat| seat.generation == generation);
                    if let Some(buffer) = cqueue::buffer_select(flags) {
                        if let (Some(_), Some(port)) = (&seat, PortKey::from_index(index)) {
                            hand_over(port, buffers.bytes(buffer), layout, wall_ns, take);
                        }
                        buffers.give_back(buffer);
                    }
                    if cqueue::more(flags) {
                        continue;
                    }
                    // It ended: it was told to, the buffers ran out, or the socket has an error.
                    if let Some(seat) = seat {
                        seat.armed = false;
                        let result = completion.result();
                        let sound = result >= 0 || result == -libc::ENOBUFS;
                        if sound { &mut *unarmed } else { &mut *failed }.push(index as u32);
                    } else if let Some(at) = leaving.iter().position(|(of, _)| *of == token) {
                        released.push(leaving.swap_remove(at).1);
                    }
                }
            }
        }
        buffers.publish();
    }

    /// Queues a submission. Without room, what is queued goes first.
    fn push(&mut self, entry: &squeue::Entry) {
        // SAFETY: what an entry points to is read when it is submitted, which is before the memory
        // goes: datagrams and addresses live until the end of `send`, the layout as long as this.
        if unsafe { self.ring.submission().push(entry) }.is_ok() {
            return;
        }
        self.submit();
        // SAFETY: as above.
        if unsafe { self.ring.submission().push(entry) }.is_err() {
            self.refused += 1;
        }
    }

    /// Has the kernel take all that is queued.
    fn submit(&mut self) {
        for _ in 0..SUBMIT_TRIES_MAX {
            if self.ring.submission().is_empty() {
                return;
            }
            self.enter();
        }
    }

    /// Lets the kernel take what is queued, and do some of what waits to be received.
    fn enter(&mut self) {
        // It fails when memory is short or a signal came; what it left is there the next time.
        self.ring.submit().ok();
    }
}

/// Hands over a datagram that the kernel laid into a buffer.
fn hand_over(
    port: PortKey,
    buffer: &[u8],
    layout: &libc::msghdr,
    wall_ns: u64,
    take: &mut impl FnMut(Told<'_>),
) {
    let Ok(message) = types::RecvMsgOut::parse(buffer, layout) else { return };
    let Some(remote) = read_address(message.name_data()) else { return };
    let age_us = age_us(message.control_data(), wall_ns);
    take(Told::Came(Arrived { port, remote, age_us, bytes: message.payload_data() }));
}

/// What a socket's completions carry.
fn token(index: usize, generation: u32) -> u64 {
    u64::from(generation) << u32::BITS | index as u64
}

/// The place and the generation of a token.
fn place(token: u64) -> (usize, u32) {
    (token as u32 as usize, (token >> u32::BITS) as u32)
}
