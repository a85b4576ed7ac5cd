//! Downloads one archive, with as many connections as it takes.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use ureq::Agent;
use ureq::http::{Uri, header};

use super::answer::{self, Offer};
use super::{Archive, part, sum, write_error};
use crate::Error;

/// The suffix of a file that is being downloaded, or is downloaded and not yet unpacked.
pub(super) const PART: &str = ".part";

/// The timeouts and retries of a download.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// The longest wait for a connection, for an answer, or for the next bytes.
    pub silence: Duration,
    /// The pause after a connection that brought little. It doubles with each further one in a row.
    pub pause: Duration,
    /// The download fails after this many connections in a row that brought little.
    pub connections: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            silence: Duration::from_secs(60),
            pause: Duration::from_secs(1),
            connections: 5,
        }
    }
}

/// A connection brings little if it brings less than 1/64 of the file. So there are at most 64 others.
const LITTLE: u64 = 64;

/// The fewest bytes that a connection must bring within [`Patience::silence`].
const SLOWEST: u64 = 1 << 14;

/// Why a download failed.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// No answer.
    #[error("cannot be reached ({0})")]
    Unreachable(ureq::Error),
    /// The server answers with an error.
    #[error("the server answers with status {0}")]
    Status(u16),
    /// The server sends a web page, or anything else that is not the file.
    #[error(
        "the server sends something other than the file ({kind}{begins}); what was downloaded before is kept. A network that wants a \
         login answers so: log in with a browser, then run the same command again"
    )]
    Page {
        /// The content type.
        kind: String,
        /// A phrase with the first bytes, if they show the problem; else empty.
        begins: String,
    },
    /// The server sends another part of the file than requested.
    #[error("the server was asked for what follows byte {asked} and sends something else")]
    Range {
        /// The number of bytes already on disk.
        asked: u64,
    },
    /// The server's file has another length.
    #[error("the server offers {found} bytes instead of {expected}")]
    Size {
        /// Length in bytes.
        found: u64,
        /// Expected length in bytes.
        expected: u64,
    },
    /// The server's file differs from the part on disk, and its length is unknown.
    #[error(
        "the server's file differs from the {have} bytes in {}, from byte {at} on; delete that file to start again", part.display()
    )]
    Different {
        /// The file on disk.
        part: PathBuf,
        /// Its length in bytes.
        have: u64,
        /// The first byte that differs.
        at: u64,
    },
    /// The connection was lost.
    #[error(
        "the connection was lost after {have} of {expected} bytes; the same command goes on from there"
    )]
    Cut {
        /// Bytes on disk.
        have: u64,
        /// Length of the file in bytes.
        expected: u64,
        /// The system's reason.
        reason: io::Error,
    },
    /// Too many connections in a row were lost, with almost nothing gained.
    #[error(
        "{connections} connections in a row were lost with next to nothing gained, the last after {have} of {expected} bytes; the same \
         command goes on from there: try it later, or name another address with `--url`"
    )]
    Starved {
        /// Number of connections.
        connections: u32,
        /// Bytes on disk.
        have: u64,
        /// Length of the file in bytes.
        expected: u64,
    },
    /// The contents differ from the published file.
    #[error(
        "the sha256 of what was downloaded is {found} instead of {expected}; it was thrown away"
    )]
    Checksum {
        /// Its checksum, in hex.
        found: String,
        /// The expected checksum, in hex.
        expected: &'static str,
    },
    /// Another process is fetching the same archive.
    #[error("another process is downloading or unpacking this; wait for it")]
    Busy,
}

/// Why a connection ended.
enum Trouble {
    Problem(Problem),
    Disk(io::Error),
}

impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl Archive {
    /// Downloads the archive to `<file>.part`, and returns that path with its lock. The part survives interruptions. The name
    /// without `.part` is reserved for archives that a person puts there.
    pub(super) fn download(
        &self,
        file: &Path,
        url: &str,
        patience: &Patience,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(PathBuf, File), Error> {
        let part = part(file);
        let fail = |problem| Error::Download {
            url: url.into(),
            problem: Box::new(problem),
            by_hand: self.by_hand(file),
        };
        let unwritable = |reason| write_error(&part, reason);

        let mut out = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&part)
            .map_err(unwritable)?;
        // If the file system does not support locks, go without.
        if let Err(TryLockError::WouldBlock) = out.try_lock() {
            return Err(self.busy(file, url));
        }
        let agent = agent(url, patience);
        let mut poor = 0;
        loop {
            let have = out.metadata().map_err(unwritable)?.len();
            if have == self.bytes {
                break;
            }
            if have > self.bytes {
                // Longer than the archive, so it cannot be its beginning.
                out.set_len(0).map_err(unwritable)?;
                continue;
            }
            let connection = Connection {
                archive: self,
                part: &part,
                silence: patience.silence,
            };
            let end = connection.run(&agent, url, have, &mut out, progress);
            let now = match end {
                Ok(()) => continue,
                // If every connection brings something, the download will be complete at some point.
                Err(Trouble::Problem(Problem::Cut { have: now, .. })) if now > have => now,
                Err(Trouble::Problem(problem)) => return Err(fail(problem)),
                Err(Trouble::Disk(reason)) => return Err(unwritable(reason)),
            };
            if (now - have).saturating_mul(LITTLE) >= self.bytes {
                poor = 0;
                continue;
            }
            poor += 1;
            if poor >= patience.connections {
                return Err(fail(Problem::Starved {
                    connections: poor,
                    have: now,
                    expected: self.bytes,
                }));
            }
            thread::sleep(patience.pause.saturating_mul(1 << (poor - 1).min(16)));
        }
        out.sync_all().map_err(unwritable)?;

        let found = sum(&part).map_err(unwritable)?;
        if found != self.sha256 {
            fs::remove_file(&part).map_err(unwritable)?;
            return Err(fail(Problem::Checksum {
                found,
                expected: self.sha256,
            }));
        }
        Ok((part, out))
    }
}

/// One connection to a server.
struct Connection<'a> {
    archive: &'a Archive,
    part: &'a Path,
    silence: Duration,
}

impl Connection<'_> {
    /// Requests the rest of the archive and appends it to `out`, which holds `have` bytes.
    fn run(
        &self,
        agent: &Agent,
        url: &str,
        have: u64,
        out: &mut File,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), Trouble> {
        let mut request = agent.get(url).header(header::ACCEPT_ENCODING, "identity");
        if have > 0 {
            request = request.header(header::RANGE, format!("bytes={have}-"));
        }
        let mut response = request.call().map_err(Problem::Unreachable)?;
        let offer = answer::judge(self.archive, &response, have)?;
        let mut stream = Stream {
            have,
            expected: self.archive.bytes,
            silence: self.silence,
            since: Instant::now(),
            window: 0,
        };
        progress(have, stream.expected);
        let mut buffer = vec![0; 1 << 16];
        let mut filled = 0;
        if offer.from == 0 {
            /// Bytes to check before writing: the magic number, and some to show in a message.
            const FIRST: u64 = 64;
            let first = FIRST.min(stream.expected) as usize;
            while filled < first {
                let body = &mut response.body_mut().as_reader();
                match stream.read(body, &mut buffer[filled..]) {
                    Ok(read) => filled += read,
                    Err(cut) if filled == 0 => return Err(cut.into()),
                    // Bytes of the archive are kept; the next read ends the connection.
                    Err(_) => break,
                }
            }
            answer::recognise(self.archive, &response, &buffer[..filled])?;
        }
        let mut body = response.into_body().into_reader();
        // The offset of the buffer in the archive.
        let mut at = offer.from;
        loop {
            let fresh = self.compare(&buffer[..filled], at, offer, out, &mut stream)?;
            let fresh = &buffer[filled - fresh..filled];
            let more = fresh.len() as u64;
            if stream.have + more > stream.expected {
                let found = stream.have + more;
                let expected = stream.expected;
                return Err(Problem::Size { found, expected }.into());
            }
            out.write_all(fresh).map_err(Trouble::Disk)?;
            stream.have += more;
            at += filled as u64;
            progress(stream.have, stream.expected);
            if stream.have == stream.expected {
                return Ok(());
            }
            filled = stream.read(&mut body, &mut buffer)?;
        }
    }

    /// Compares the received bytes with those on disk: a server without range support sends them again. Returns the number of
    /// new bytes, which are the last ones.
    fn compare(
        &self,
        came: &[u8],
        at: u64,
        offer: Offer,
        out: &mut File,
        stream: &mut Stream,
    ) -> Result<usize, Trouble> {
        let known = stream.have.saturating_sub(at).min(came.len() as u64) as usize;
        let mut there = vec![0; known];
        out.seek(SeekFrom::Start(at)).map_err(Trouble::Disk)?;
        out.read_exact(&mut there).map_err(Trouble::Disk)?;
        let pairs = there.iter().zip(came);
        let same = pairs.take_while(|(there, came)| there == came).count();
        if same < known {
            let at = at + same as u64;
            if !offer.fits {
                return Err(Problem::Different {
                    part: self.part.into(),
                    have: stream.have,
                    at,
                }
                .into());
            }
            // The server's file has the right length and type, so the bytes on disk are wrong.
            out.set_len(at).map_err(Trouble::Disk)?;
            stream.have = at;
        }
        Ok(came.len() - same)
    }
}

/// The progress and the speed of a download.
struct Stream {
    /// Bytes on disk.
    have: u64,
    expected: u64,
    silence: Duration,
    /// The start of the current window.
    since: Instant,
    /// Bytes received in the current window.
    window: u64,
}

impl Stream {
    /// Reads at least one byte. Fails if the connection ends or is too slow.
    fn read(&mut self, body: &mut impl Read, buffer: &mut [u8]) -> Result<usize, Problem> {
        let read = match body.read(buffer) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) if self.is_too_slow(read) => Err(io::ErrorKind::TimedOut.into()),
            other => other,
        };
        read.map_err(|reason| Problem::Cut {
            have: self.have,
            expected: self.expected,
            reason,
        })
    }

    fn is_too_slow(&mut self, read: usize) -> bool {
        self.window += read as u64;
        if self.since.elapsed() < self.silence {
            return false;
        }
        let slow = self.window < SLOWEST;
        (self.since, self.window) = (Instant::now(), 0);
        slow
    }
}

/// An HTTP client with timeouts. It uses no proxy for addresses of this machine.
fn agent(url: &str, patience: &Patience) -> Agent {
    let silence = Some(patience.silence);
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_resolve(silence)
        .timeout_connect(silence)
        .timeout_send_request(silence)
        .timeout_recv_response(silence)
        .timeout_per_read(silence);
    let uri: Option<Uri> = url.parse().ok();
    let local = uri.and_then(|uri| {
        uri.host()
            .map(|host| ["localhost", "127.0.0.1", "[::1]"].contains(&host))
    });
    match local {
        Some(true) => config.proxy(None).build().into(),
        _ => config.build().into(),
    }
}
