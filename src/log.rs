//! The log on standard error.
//!
//! A reader that hangs (a collector's full pipe, a terminal that was stopped) makes whoever writes
//! to it wait. So nobody who logs writes: lines wait for one thread that does, and where too many
//! wait they are lost, counted, and told of once the reader takes lines again.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime as Calendar};

use crate::limits::{LOG_FLUSHED_WITHIN, LOG_WAITING_BYTES_MAX};

/// The way to the thread that writes the log.
#[derive(Debug, Clone)]
pub struct Log(Arc<Desk>);

/// The log, and what says what is told in it.
pub struct Logging {
    /// The lines.
    pub lines: Log,
    filter: Filter,
}

/// Sets the filter by its text, or says why it cannot.
type Filter = Box<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

impl Logging {
    /// The log of the lines, whose filter is set by that.
    pub fn new(
        lines: Log,
        filter: impl Fn(&str) -> Result<(), String> + Send + Sync + 'static,
    ) -> Logging {
        Logging { lines, filter: Box::new(filter) }
    }

    /// Tells from now on what that filter lets through.
    ///
    /// # Errors
    /// Why it is no filter; then all stays as it was.
    pub fn filter(&self, text: &str) -> Result<(), String> {
        (self.filter)(text)
    }
}

#[derive(Debug, Default)]
struct Desk {
    pages: Mutex<Pages>,
    turned: Condvar,
}

#[derive(Debug, Default)]
struct Pages {
    /// Whole lines that wait, and how many.
    waiting: Vec<u8>,
    lines: u64,
    pen: Pen,
    /// Lines that were lost since the start …
    lost: u64,
    /// … and how many of them the log tells of.
    told: u64,
}

/// What the thread does that writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Pen {
    #[default]
    Up,
    Down,
}

impl Log {
    /// Begins to write to `out`, in a thread of its own that lasts as long as the program.
    ///
    /// # Errors
    /// The system has no thread.
    pub fn start(out: impl Write + Send + 'static) -> io::Result<Log> {
        let desk = Arc::new(Desk::default());
        let log = Log(Arc::clone(&desk));
        std::thread::Builder::new().name("log".to_owned()).spawn(move || desk.write(out))?;
        Ok(log)
    }

    /// Has panics told in the log, and not on standard error by whoever panics: it may have calls.
    pub fn take_panics() {
        std::panic::set_hook(Box::new(|panic| {
            let thread = std::thread::current();
            let thread = thread.name().unwrap_or("without a name");
            let place = panic.location().map(ToString::to_string).unwrap_or_default();
            let why = panic.payload_as_str().unwrap_or("it does not say why");
            // By the variable RUST_BACKTRACE.
            let trace = Backtrace::capture();
            match trace.status() == BacktraceStatus::Captured {
                true => tracing::error!("thread {thread} panicked at {place}: {why}\n{trace}"),
                false => tracing::error!("thread {thread} panicked at {place}: {why}"),
            }
        }));
    }

    /// Adds whole lines, unless too many wait.
    pub fn add(&self, line: &[u8]) {
        let mut pages = self.0.pages();
        if pages.waiting.len() + line.len() > LOG_WAITING_BYTES_MAX {
            pages.lost += 1;
            return;
        }
        pages.waiting.extend_from_slice(line);
        pages.lines += 1;
        drop(pages);
        self.0.turned.notify_all();
    }

    /// Waits until all is written, or for [`LOG_FLUSHED_WITHIN`].
    pub fn flush(&self) {
        self.flush_within(LOG_FLUSHED_WITHIN);
    }

    fn flush_within(&self, most: Duration) {
        let pages = self.0.pages();
        let is_left = |pages: &mut Pages| !pages.waiting.is_empty() || pages.pen == Pen::Down;
        // Whether it is in time or not, the program ends now.
        drop(self.0.turned.wait_timeout_while(pages, most, is_left));
    }

    /// Lines that nobody read since the start, because too many waited or they could not be
    /// written.
    pub fn lost(&self) -> u64 {
        self.0.pages().lost
    }
}

impl Desk {
    /// No operation on the pages is left half done by a panic.
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, mut out: impl Write) {
        let mut text = Vec::new();
        loop {
            let Batch { lines, lost } = self.take(&mut text);
            let written = out.write_all(&text).and_then(|()| out.flush());
            let mut pages = self.pages();
            match written {
                Ok(()) => pages.told = lost,
                // A disk that is full may have room again for what comes next.
                Err(_) => pages.lost += lines,
            }
            pages.pen = Pen::Up;
            drop(pages);
            self.turned.notify_all();
        }
    }

    /// Waits for lines and takes them all. Those that were lost by then came after them.
    fn take(&self, text: &mut Vec<u8>) -> Batch {
        text.clear();
        let nothing = |pages: &mut Pages| pages.waiting.is_empty();
        let waited = self.turned.wait_while(self.pages(), nothing);
        let mut pages = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(text, &mut pages.waiting);
        pages.pen = Pen::Down;
        let batch = Batch { lines: std::mem::take(&mut pages.lines), lost: pages.lost };
        if batch.lost > pages.told {
            text.extend_from_slice(loss(batch.lost - pages.told).as_bytes());
        }
        batch
    }
}

/// What is written at once: how many lines, and how many were lost by then since the start.
struct Batch {
    lines: u64,
    lost: u64,
}

/// The line that tells of lines that are not there.
fn loss(lines: u64) -> String {
    let mut text = String::new();
    if Calendar.format_time(&mut Writer::new(&mut text)).is_err() {
        text.push_str("<no time>");
    }
    text + &format!("  WARN convoke::log: {lines} lines of the log are lost: nobody took them\n")
}

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.add(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    /// What is written to, and takes only when it may.
    struct Reader {
        may: Receiver<io::Result<()>>,
        read: Sender<String>,
    }

    impl Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.may.recv().unwrap_or(Ok(()))?;
            self.read.send(String::from_utf8(bytes.to_vec()).unwrap()).unwrap();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn log() -> (Log, Sender<io::Result<()>>, Receiver<String>) {
        let ((go, may), (sender, read)) = (channel(), channel());
        (Log::start(Reader { may, read: sender }).unwrap(), go, read)
    }

    #[test]
    fn nothing_is_lost_of_what_a_slow_reader_takes_before_the_end() {
        let (log, go, read) = log();
        (0..1_000).for_each(|line| log.add(format!("{line}\n").as_bytes()));
        drop(go);
        log.flush_within(SOON);
        let text: String = read.try_iter().collect();
        assert!(text.lines().map(str::to_owned).eq((0..1_000).map(|line| line.to_string())));
        assert_eq!(log.lost(), 0);
    }

    #[test]
    fn the_end_does_not_wait_for_a_reader_that_takes_nothing() {
        let (log, _go, _read) = log();
        log.add(b"a\n");
        log.flush_within(Duration::from_millis(10));
    }

    #[test]
    fn what_has_no_room_is_lost_and_told_of_where_it_is_missing() {
        let (log, go, read) = log();
        log.add(b"first\n");
        let line = [b'x'; 1_023];
        let line = [&line[..], b"\n"].concat();
        let added = 2 * LOG_WAITING_BYTES_MAX / line.len() + 10;
        (0..added).for_each(|_| log.add(&line));
        let lost = log.lost();
        assert!(lost >= 10, "{lost}");
        drop(go);
        log.flush_within(SOON);
        log.add(b"last\n");
        log.flush_within(SOON);
        let text: String = read.try_iter().collect();
        let told = format!("{lost} lines of the log are lost");
        let place = text.find(&told).unwrap();
        assert_eq!(text.matches("are lost").count(), 1);
        assert!(text[place..].ends_with("last\n"));
        assert_eq!(text.matches('x').count() / 1_023 + lost as usize, added);
    }

    #[test]
    fn what_could_not_be_written_is_told_of_once_something_can() {
        let (log, go, read) = log();
        go.send(Err(io::ErrorKind::StorageFull.into())).unwrap();
        log.add(b"a\n");
        log.flush_within(SOON);
        assert_eq!(log.lost(), 1);
        drop(go);
        log.add(b"b\n");
        log.flush_within(SOON);
        let text: String = read.try_iter().collect();
        assert!(text.starts_with("b\n") && text.contains("1 lines of the log are lost"), "{text}");
    }
}
