//! Stored events and the files that hold them, against an independent writer of the format (`docs/log-format.md`).

use std::{io, path::PathBuf, sync::Arc};

use bytes::Bytes;

use weir_domain::{Position, PositionRange};
use weir_log::{LogError, NewEvent, record};
use weir_log_embedded::{Disk, DiskFile, DiskLock, tools};

/// Where the first frame of a segment begins.
const SEGMENT_HEADER_BYTES: usize = 128;
/// Bytes of a frame in front of the name of its space.
const FRAME_HEADER_BYTES: usize = 80;
/// Flag of a frame that stands in for lost events.
const GAP: u8 = 1;
/// Bytes that say what a frame is to be made of.
const DRAFT_BYTES: usize = 5;

/// The first byte says what the rest is.
///
/// - `S`: a segment file as it stands. Verifying it ends, and finds no more than there is.
/// - `F`: four bytes that say which bit to flip, or zero; then, for each frame, its flags, its number of events, the
///   lengths of its space and of its records (two bytes, little-endian), and those. The frames are written with the
///   right checksums and chain. Verifying finds them all, exactly the malformed ones as damaged, and every flipped bit.
/// - Anything else: records. Each that can be read comes back from what is written.
pub fn log_frames(data: &[u8]) {
    match data.split_first() {
        Some((b'S', file)) => verify_any(file),
        Some((b'F', rest)) => verify_written(rest),
        _ => read_records(data),
    }
}

fn read_records(data: &[u8]) {
    let mut bytes = Bytes::copy_from_slice(data);
    while let Ok(record) = record::split(&mut bytes) {
        match record::decode(record) {
            Ok(new) => check_record(&new),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

fn check_record(new: &NewEvent) {
    let mut out = Vec::new();
    record::encode(new, &mut out);
    let mut written = Bytes::from(out);
    let record = record::split(&mut written).expect("what is written is whole");
    assert!(written.is_empty());
    assert_eq!(record::decode(record).as_ref(), Ok(new));
    // Whatever the text is divided into, it can be asked for.
    let event = &new.event;
    assert!(event.extensions().all(|(name, _)| event.extension_text(name).is_some()));
    assert_eq!(event.fixed_values()[0], Some(event.id()));
    assert!(!format!("{event:?} {:?}", event.default_key()).is_empty());
}

fn verify_any(file: &[u8]) {
    match verified(file.to_vec()) {
        Ok(found) => {
            assert!(found.frames == 0 || found.bytes as usize + SEGMENT_HEADER_BYTES <= file.len(), "{found:?}");
            assert!(found.unfinished_bytes as usize <= file.len(), "{found:?}");
        }
        // A later version of the format is no damage.
        Err(error) => assert!(matches!(error, LogError::Unusable { .. }), "{error}"),
    }
}

fn verify_written(rest: &[u8]) {
    let Some((flip, rest)) = rest.split_first_chunk::<4>() else { return };
    let mut log = Log::new();
    let mut drafts = rest;
    while let Some(draft) = Draft::take(&mut drafts) {
        log.write(&draft);
    }
    let whole = verified(log.file.clone()).expect("a segment of this version");
    assert_eq!(whole.frames, log.frames);
    assert_eq!(whole.events, log.events);
    assert_eq!(whole.damage.len(), log.malformed, "{whole:?}");
    assert_eq!(whole.gaps, log.gaps);
    assert_eq!(whole.bytes as usize, log.file.len() - SEGMENT_HEADER_BYTES);
    assert_eq!((whole.end, whole.head, whole.unfinished_bytes), (log.next.previous(), log.chain, 0));

    let flip = u32::from_le_bytes(*flip) as usize;
    if flip == 0 {
        return;
    }
    let bit = flip % (log.file.len() * 8);
    log.file[bit / 8] ^= 1 << (bit % 8);
    let found = verified(log.file).expect("a damaged header is damage");
    assert!(found.damage != whole.damage || found.unfinished_bytes > 0, "bit {bit}: {found:?}");
}

fn verified(file: Vec<u8>) -> Result<tools::Verified, LogError> {
    tools::verify_on(&OneFile(Arc::new(Image(file))), Position::ORIGIN, &mut |_, _| {})
}

/// What a frame is to be made of.
struct Draft<'a> {
    flags: u8,
    count: u8,
    space: &'a [u8],
    records: &'a [u8],
}

impl<'a> Draft<'a> {
    /// Takes the next one off the input; shorter where the input ends.
    fn take(rest: &mut &'a [u8]) -> Option<Self> {
        let input: &'a [u8] = rest;
        let (head, behind) = input.split_first_chunk::<DRAFT_BYTES>()?;
        let [flags, count, space_len, low, high] = *head;
        let (space, behind) = behind.split_at(usize::from(space_len % 16).min(behind.len()));
        let (records, behind) = behind.split_at(usize::from(u16::from_le_bytes([low, high])).min(behind.len()));
        *rest = behind;
        Some(Self { flags: flags & GAP, count, space, records })
    }

    /// Tells whether the records are as many events as the frame says.
    fn is_well_formed(&self) -> bool {
        let mut records = Bytes::copy_from_slice(self.records);
        let mut count = 0;
        while !records.is_empty() {
            if record::split(&mut records).and_then(record::decode).is_err() {
                return false;
            }
            count += 1;
        }
        count == usize::from(self.count)
    }
}

/// A segment file on its way, with what a reader must find in it.
struct Log {
    file: Vec<u8>,
    next: Position,
    chain: [u8; 32],
    frames: u64,
    events: u64,
    malformed: usize,
    gaps: Vec<PositionRange>,
}

impl Log {
    fn new() -> Self {
        let mut file = Vec::new();
        file.extend_from_slice(b"WEIRLOG\0");
        file.extend_from_slice(&1u32.to_le_bytes());
        file.extend_from_slice(&(SEGMENT_HEADER_BYTES as u32).to_le_bytes());
        file.extend_from_slice(&0u64.to_le_bytes());
        file.extend_from_slice(&1u64.to_le_bytes());
        file.extend_from_slice(&[0; 32]);
        let crc = crc32c::crc32c(&file);
        file.extend_from_slice(&crc.to_le_bytes());
        file.resize(SEGMENT_HEADER_BYTES, 0);
        let next = Position::ORIGIN.next();
        Self { file, next, chain: [0; 32], frames: 0, events: 0, malformed: 0, gaps: Vec::new() }
    }

    fn write(&mut self, draft: &Draft<'_>) {
        let count = u32::from(draft.count);
        let mut frame = Vec::with_capacity(FRAME_HEADER_BYTES + draft.space.len() + draft.records.len());
        frame.extend_from_slice(b"WEIF");
        frame.extend_from_slice(&[1, draft.flags]);
        frame.extend_from_slice(&(draft.space.len() as u16).to_le_bytes());
        frame.extend_from_slice(&self.next.get().to_le_bytes());
        frame.extend_from_slice(&count.to_le_bytes());
        frame.extend_from_slice(&(draft.records.len() as u32).to_le_bytes());
        frame.extend_from_slice(&1_700_000_000_000_000u64.to_le_bytes());
        frame.extend_from_slice(&self.next.previous().get().to_le_bytes());
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.chain).update(&frame).update(draft.space).update(draft.records);
        self.chain = *hasher.finalize().as_bytes();
        frame.extend_from_slice(&self.chain);
        let behind = [&[0u8; 4][..], draft.space, draft.records].concat();
        let crc = crc32c::crc32c_append(crc32c::crc32c(&frame), &behind);
        frame.extend_from_slice(&crc.to_le_bytes());
        self.file.extend_from_slice(&frame);
        self.file.extend_from_slice(&behind);

        let first = self.next;
        self.next = first.plus(u64::from(count));
        self.frames += 1;
        if draft.flags & GAP != 0 {
            self.gaps.extend((count > 0).then(|| PositionRange { first, last: self.next.previous() }));
        } else if draft.is_well_formed() {
            self.events += u64::from(count);
        } else {
            self.malformed += 1;
        }
    }
}

/// A directory with one segment, which nobody may change.
struct OneFile(Arc<Image>);

struct Image(Vec<u8>);

fn unchangeable<T>() -> io::Result<T> {
    Err(io::ErrorKind::Unsupported.into())
}

impl DiskFile for Image {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.0.get(offset..)).unwrap_or_default();
        let read = rest.len().min(buffer.len());
        buffer[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }

    fn write_all_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        unchangeable()
    }

    fn allocate(&self, _: u64) -> io::Result<()> {
        unchangeable()
    }

    fn truncate(&self, _: u64) -> io::Result<()> {
        unchangeable()
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn sync(&self) -> io::Result<()> {
        unchangeable()
    }
}

impl Disk for OneFile {
    fn lock(&self) -> io::Result<Box<dyn DiskLock>> {
        unchangeable()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(vec!["00000000000000000001.seg".to_owned()])
    }

    fn create(&self, _: &str) -> io::Result<Arc<dyn DiskFile>> {
        unchangeable()
    }

    fn open(&self, _: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.0.clone())
    }

    fn remove(&self, _: &str) -> io::Result<()> {
        unchangeable()
    }

    fn sync_names(&self) -> io::Result<()> {
        unchangeable()
    }

    fn path(&self, name: &str) -> PathBuf {
        name.into()
    }
}
