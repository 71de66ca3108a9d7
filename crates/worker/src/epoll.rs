//! Datagrams by epoll, recvmmsg and sendmmsg: what every kernel and container allows.
#![expect(unsafe_code, reason = "sockets in batches are system calls")]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;

use media::limits::PORTS_MAX;
use media::{Datagram, PortKey};

use crate::address::{NAME_BYTES, RawAddress, read_address};
use crate::clock::wall_ns;
use crate::limits::{
    DATAGRAM_BYTES_MAX, DATAGRAMS_PER_SOCKET_MAX, SENDS_PER_CALL_MAX, SOCKETS_PER_TURN_MAX,
};
use crate::socket::{Arrived, Socket, Told};
use crate::stamp::{CONTROL_BYTES, age_us};

/// The sockets of one media thread, by port.
pub(crate) struct Epoll {
    epoll: OwnedFd,
    sockets: Box<[Option<Socket>]>,
    /// Those that were taken out. Whoever takes one out fetches it in the same turn.
    released: Vec<Socket>,
    events: Box<[libc::epoll_event]>,
    inbox: Inbox,
}

impl Epoll {
    /// # Errors
    /// If the kernel gives no epoll instance.
    pub(crate) fn new() -> io::Result<Epoll> {
        // SAFETY: takes and returns plain integers.
        let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if epoll < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Epoll {
            // SAFETY: the descriptor was just made, and nobody else has it.
            epoll: unsafe { OwnedFd::from_raw_fd(epoll) },
            sockets: std::iter::repeat_with(|| None).take(PORTS_MAX).collect(),
            released: Vec::with_capacity(PORTS_MAX),
            events: vec![libc::epoll_event { events: 0, u64: 0 }; SOCKETS_PER_TURN_MAX].into(),
            inbox: Inbox::new(),
        })
    }

    /// Lets a port's socket into an empty place; false if the kernel does not watch it.
    pub(crate) fn insert(&mut self, port: PortKey, socket: Socket) -> bool {
        let watched = watch(&self.epoll, libc::EPOLL_CTL_ADD, port.index(), &socket);
        self.sockets[port.index()] = Some(socket);
        watched
    }

    /// Takes a port's socket out. The kernel forgets it when it is closed; one that `travels` stays
    /// open, and is taken from its list.
    pub(crate) fn remove(&mut self, port: PortKey, travels: bool) {
        let Some(mut socket) = self.sockets[port.index()].take() else { return };
        socket.travels = travels;
        if travels {
            // SAFETY: both descriptors are open, and for this operation no event is read.
            unsafe {
                let epoll = self.epoll.as_raw_fd();
                libc::epoll_ctl(epoll, libc::EPOLL_CTL_DEL, socket.fd(), std::ptr::null_mut());
            }
        }
        self.released.push(socket);
    }

    /// A socket that was taken out.
    pub(crate) fn next_released(&mut self) -> Option<Socket> {
        self.released.pop()
    }

    /// Hands over what came, as much as a turn may take.
    pub(crate) fn receive(&mut self, mut take: impl FnMut(Told<'_>)) {
        let capacity = self.events.len() as libc::c_int;
        // SAFETY: the array has room for so many events, and the call does not wait.
        let ready = unsafe {
            libc::epoll_wait(self.epoll.as_raw_fd(), self.events.as_mut_ptr(), capacity, 0)
        };
        let wall_ns = wall_ns();
        for event in &self.events[..usize::try_from(ready).unwrap_or(0)] {
            let index = usize::try_from(event.u64).unwrap_or(usize::MAX);
            let Some(port) = PortKey::from_index(index) else { continue };
            let Some(socket) = &self.sockets[index] else { continue };
            let count = self.inbox.receive(port, socket, wall_ns, &mut take);
            if count == DATAGRAMS_PER_SOCKET_MAX {
                // What was not taken makes no edge of its own; watched anew it is told of again.
                let watched = watch(&self.epoll, libc::EPOLL_CTL_MOD, index, socket);
                debug_assert!(watched, "what is watched can be watched anew");
            }
        }
    }

    /// Sends all datagrams, and returns how many the kernel refused.
    pub(crate) fn send<'a>(&mut self, datagrams: impl Iterator<Item = Datagram<'a>>) -> u64 {
        let mut refused = 0;
        let mut datagrams = datagrams.peekable();
        while let Some(first) = datagrams.next() {
            let mut batch = [first; SENDS_PER_CALL_MAX];
            let mut count = 1;
            while count < SENDS_PER_CALL_MAX
                && let Some(next) = datagrams.next_if(|next| next.port == first.port)
            {
                batch[count] = next;
                count += 1;
            }
            refused += match &self.sockets[first.port.index()] {
                Some(socket) => send(socket, &batch[..count]),
                None => count as u64,
            };
        }
        refused
    }
}

/// Has the kernel tell when something comes at a socket, or begin anew to do so; false if it does
/// not.
fn watch(epoll: &OwnedFd, operation: libc::c_int, index: usize, socket: &Socket) -> bool {
    // By edges: a socket that was taken until it is empty need not be looked at once more.
    let events = (libc::EPOLLIN | libc::EPOLLET) as u32;
    let mut event = libc::epoll_event { events, u64: index as u64 };
    // SAFETY: both descriptors are open, and `event` lives through the call.
    let result =
        unsafe { libc::epoll_ctl(epoll.as_raw_fd(), operation, socket.fd(), &raw mut event) };
    result == 0
}

/// Sends the datagrams of one socket, and returns how many the kernel refused.
fn send(socket: &Socket, datagrams: &[Datagram<'_>]) -> u64 {
    if let [datagram] = datagrams {
        let address = RawAddress::new(datagram.remote, socket.ipv6);
        // SAFETY: bytes and address live through the call, and their lengths are given.
        let sent = unsafe {
            libc::sendto(
                socket.fd(),
                datagram.bytes.as_ptr().cast(),
                datagram.bytes.len(),
                libc::MSG_NOSIGNAL,
                address.pointer(),
                address.length(),
            )
        };
        return u64::from(sent < 0);
    }
    let mut addresses = [const { MaybeUninit::<RawAddress>::uninit() }; SENDS_PER_CALL_MAX];
    let mut vectors =
        [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; SENDS_PER_CALL_MAX];
    // SAFETY: all of the structure is integers and pointers, for which zero is a value.
    let mut headers: [libc::mmsghdr; SENDS_PER_CALL_MAX] =
        unsafe { MaybeUninit::zeroed().assume_init() };
    let parts = addresses.iter_mut().zip(&mut vectors).zip(&mut headers);
    for (((address, vector), header), datagram) in parts.zip(datagrams) {
        let address = address.write(RawAddress::new(datagram.remote, socket.ipv6));
        *vector = libc::iovec {
            iov_base: datagram.bytes.as_ptr().cast_mut().cast(),
            iov_len: datagram.bytes.len(),
        };
        header.msg_hdr.msg_name = address.pointer().cast_mut().cast();
        header.msg_hdr.msg_namelen = address.length();
        header.msg_hdr.msg_iov = vector;
        header.msg_hdr.msg_iovlen = 1;
    }
    let count = datagrams.len();
    let mut done = 0;
    let mut refused = 0;
    while done < count {
        // SAFETY: the headers up to `count` point to addresses and bytes that live through the
        // call; the kernel does not write to what is sent.
        let sent = unsafe {
            let rest = headers[done..].as_mut_ptr();
            libc::sendmmsg(socket.fd(), rest, (count - done) as libc::c_uint, libc::MSG_NOSIGNAL)
        };
        match usize::try_from(sent) {
            Ok(sent) if sent > 0 => done += sent,
            // The first of them was refused: the others have their chance.
            Ok(_) | Err(_) => {
                done += 1;
                refused += 1;
            }
        }
    }
    refused
}

/// What one call receives. The headers point into the other parts, so it stays where it is, and it
/// is only ever reached through the one pointer that the kernel's pointers come from.
#[repr(C)]
struct Room {
    headers: [libc::mmsghdr; DATAGRAMS_PER_SOCKET_MAX],
    vectors: [libc::iovec; DATAGRAMS_PER_SOCKET_MAX],
    names: [Name; DATAGRAMS_PER_SOCKET_MAX],
    controls: [Control; DATAGRAMS_PER_SOCKET_MAX],
    bytes: [[u8; DATAGRAM_BYTES_MAX]; DATAGRAMS_PER_SOCKET_MAX],
}

/// Ancillary data, aligned as its headers must be.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; CONTROL_BYTES]);

/// An address, aligned as the kernel likes it.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Name([u8; NAME_BYTES]);

/// The room of one thread.
struct Inbox {
    room: NonNull<Room>,
}

impl Inbox {
    fn new() -> Inbox {
        // SAFETY: all of the room is integers and pointers, for which zero is a value.
        let room: Box<Room> = Box::new(unsafe { MaybeUninit::zeroed().assume_init() });
        let room = NonNull::from(Box::leak(room));
        let place = room.as_ptr();
        for index in 0..DATAGRAMS_PER_SOCKET_MAX {
            // SAFETY: the room was just made, and nobody else has it.
            unsafe {
                (*place).vectors[index] = libc::iovec {
                    iov_base: (&raw mut (*place).bytes[index]).cast(),
                    iov_len: DATAGRAM_BYTES_MAX,
                };
                let header = &raw mut (*place).headers[index].msg_hdr;
                (*header).msg_name = (&raw mut (*place).names[index]).cast();
                (*header).msg_namelen = NAME_BYTES as libc::socklen_t;
                (*header).msg_control = (&raw mut (*place).controls[index]).cast();
                (*header).msg_controllen = CONTROL_BYTES;
                (*header).msg_iov = &raw mut (*place).vectors[index];
                (*header).msg_iovlen = 1;
            }
        }
        Inbox { room }
    }

    /// Hands over what came to one socket, as much as a turn may take, and returns how many that
    /// were.
    fn receive(
        &mut self,
        port: PortKey,
        socket: &Socket,
        wall_ns: u64,
        take: &mut impl FnMut(Told<'_>),
    ) -> usize {
        let place = self.room.as_ptr();
        // SAFETY: each header points to room whose size it gives, and which is ours.
        let count = unsafe {
            libc::recvmmsg(
                socket.fd(),
                (&raw mut (*place).headers).cast(),
                DATAGRAMS_PER_SOCKET_MAX as libc::c_uint,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        let count = usize::try_from(count).unwrap_or(0).min(DATAGRAMS_PER_SOCKET_MAX);
        for index in 0..count {
            // SAFETY: the kernel is done with the room, which is ours again until the next call.
            let (header, name, control, bytes) = unsafe {
                (
                    &mut (*place).headers[index],
                    &(*place).names[index],
                    &(*place).controls[index],
                    &(*place).bytes[index],
                )
            };
            let control = &control.0[..header.msg_hdr.msg_controllen.min(CONTROL_BYTES)];
            let name = &name.0[..(header.msg_hdr.msg_namelen as usize).min(NAME_BYTES)];
            // The kernel wrote how much of its room it used; the next call has all of it again.
            header.msg_hdr.msg_controllen = CONTROL_BYTES;
            header.msg_hdr.msg_namelen = NAME_BYTES as libc::socklen_t;
            let length = (header.msg_len as usize).min(DATAGRAM_BYTES_MAX);
            let Some(remote) = read_address(name) else { continue };
            let age_us = age_us(control, wall_ns);
            take(Told::Came(Arrived { port, remote, age_us, bytes: &bytes[..length] }));
        }
        count
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        // SAFETY: the room came from a box, and nobody points to it any more.
        drop(unsafe { Box::from_raw(self.room.as_ptr()) });
    }
}
