//! Texts in archives and container images: tar, zip, gzip and zstd, in one another; all in memory, nothing is ever unpacked to a disk.
//!
//! An image, as an OCI layout or as `docker save` writes it, is a tar of layers, which are tars: it needs no case of its own, and
//! what a later layer deletes is found in the earlier one. Each limit that ends the reading of an archive is reported.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io::{self, Cursor, Read};

use flate2::read::MultiGzDecoder;
use gix::bstr::BString;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

use super::Unscanned;

/// How far archives are followed.
#[derive(Debug, Clone, Copy)]
pub struct ArchiveLimits {
    /// How many archives in one another; a compressed tar is one.
    pub depth: usize,
    /// How many entries in all.
    pub entries: usize,
    /// How many bytes in all.
    pub bytes: u64,
    /// How many times its size an archive may unpack to, once that is more than `free`.
    pub ratio: u64,
    /// So many bytes are read whatever the ratio.
    pub free: u64,
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self { depth: 3, entries: 1 << 20, bytes: 64 << 30, ratio: 200, free: 64 << 20 }
    }
}

/// What is found in an archive, by the names that lead to it: the archive's own, then those inside.
pub enum Member<'m> {
    /// A file. An error while it is read is to be given back.
    File(&'m mut dyn Read),
    /// Where a link leads.
    Link(&'m [u8]),
    /// Something that was left out.
    Unscanned(Unscanned),
}

/// Called for each member.
pub type Visit<'v> = dyn FnMut(&[BString], Member<'_>) -> io::Result<()> + 'v;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Gzip,
    Zstd,
    Zip,
    Tar,
}

/// Whether a file that begins with these bytes, 512 if it has them, is an archive.
pub fn is_archive(start: &[u8]) -> bool {
    Kind::of(start).is_some()
}

/// Reads an archive, and calls `visit` for each member, in order. What is no archive is a member itself.
pub fn read_archive(name: BString, reader: &mut dyn Read, limits: ArchiveLimits, visit: &mut Visit<'_>) {
    let budget = Budget { limits, input: Cell::new(0), output: Cell::new(0), entries: Cell::new(0) };
    let mut names = vec![name];
    let mut input = Counted { inner: reader, budget: &budget, count: &budget.input };
    let mut walk = Walk { budget: &budget, visit };
    if let Err(error) = walk.open(&mut names, &mut input, 0, None) {
        let _ = (walk.visit)(&names[..1], Member::Unscanned(why(&error)));
    }
}

struct Walk<'w, 'v> {
    budget: &'w Budget,
    visit: &'w mut Visit<'v>,
}

impl Walk<'_, '_> {
    /// Reads one file. An error is one that ends the archive around it too; what is wrong with the file alone was reported.
    fn open(
        &mut self,
        names: &mut Vec<BString>,
        reader: &mut dyn Read,
        depth: usize,
        around: Option<Kind>,
    ) -> io::Result<()> {
        let mut start = Vec::with_capacity(512);
        (&mut *reader).take(512).read_to_end(&mut start)?;
        let kind = Kind::of(&start);
        let mut whole = Cursor::new(start).chain(reader);
        let Some(kind) = kind else {
            let mut file = Counted { inner: &mut whole, budget: self.budget, count: &self.budget.output };
            return (self.visit)(names, Member::File(&mut file));
        };
        let is_compressed_tar = kind == Kind::Tar && matches!(around, Some(Kind::Gzip | Kind::Zstd));
        let depth = if is_compressed_tar { depth } else { depth + 1 };
        if depth > self.budget.limits.depth {
            return (self.visit)(names, Member::Unscanned(Unscanned::TooDeep));
        }
        let result = match kind {
            Kind::Gzip => self.compressed(names, &mut MultiGzDecoder::new(whole), kind, depth),
            Kind::Zstd => self.compressed(names, &mut Zstd::new(whole), kind, depth),
            Kind::Tar => self.tar(names, &mut whole, depth),
            Kind::Zip => self.zip(names, &mut whole, depth),
        };
        match result {
            // The archive around it is whole and can be read on.
            Err(error) if depth > 1 && !is_over(&error) => (self.visit)(names, Member::Unscanned(why(&error))),
            result => result,
        }
    }

    fn compressed(
        &mut self,
        names: &mut Vec<BString>,
        decoder: &mut dyn Read,
        kind: Kind,
        depth: usize,
    ) -> io::Result<()> {
        let name = names.last().map(|name| without_extension(name)).unwrap_or_default();
        let is_named = names.last() != Some(&name);
        let mut inner = Counted { inner: decoder, budget: self.budget, count: &self.budget.output };
        if is_named {
            names.push(name);
        }
        let result = self.open(names, &mut inner, depth, Some(kind));
        if is_named {
            names.pop();
        }
        result
    }

    fn tar(&mut self, names: &mut Vec<BString>, reader: &mut dyn Read, depth: usize) -> io::Result<()> {
        let mut archive = tar::Archive::new(reader);
        // Long names are read here, as the crate would read one of any length.
        let (mut long_name, mut long_link) = (None, None);
        for entry in archive.entries()?.raw(true) {
            let mut entry = entry?;
            self.budget.count_entry()?;
            let kind = entry.header().entry_type();
            if kind.is_gnu_longname() || kind.is_gnu_longlink() || kind.is_pax_local_extensions() {
                let mut text = Vec::new();
                (&mut entry).take(MAX_NAME).read_to_end(&mut text)?;
                if kind.is_pax_local_extensions() {
                    for extension in tar::PaxExtensions::new(&text).flatten() {
                        match extension.key_bytes() {
                            b"path" => long_name = Some(BString::from(extension.value_bytes())),
                            b"linkpath" => long_link = Some(BString::from(extension.value_bytes())),
                            _ => {}
                        }
                    }
                } else {
                    let long = if kind.is_gnu_longname() { &mut long_name } else { &mut long_link };
                    let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
                    *long = Some(text[..end].into());
                }
                continue;
            }
            let name = long_name.take().unwrap_or_else(|| entry.path_bytes().into_owned().into());
            let link = long_link.take().or_else(|| entry.link_name_bytes().map(|link| link.into_owned().into()));
            names.push(name);
            let result = match link {
                _ if kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse() => {
                    self.open(names, &mut entry, depth, None)
                }
                Some(link) if kind.is_symlink() || kind.is_hard_link() => (self.visit)(names, Member::Link(&link)),
                _ => Ok(()),
            };
            names.pop();
            result?;
        }
        Ok(())
    }

    fn zip(&mut self, names: &mut Vec<BString>, reader: &mut dyn Read, depth: usize) -> io::Result<()> {
        let mut bytes = Vec::new();
        reader.take(MAX_ZIP + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_ZIP {
            return (self.visit)(names, Member::Unscanned(Unscanned::TooLarge));
        }
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(io::Error::other)?;
        for number in 0..archive.len() {
            self.budget.count_entry()?;
            let name = archive.name_for_index(number).unwrap_or_default().to_owned();
            match archive.by_index(number) {
                Ok(mut file) if file.is_dir() => _ = file.read(&mut [])?,
                Ok(mut file) => {
                    names.push(file.name_raw().into());
                    let mut inner = Counted { inner: &mut file, budget: self.budget, count: &self.budget.output };
                    let result = self.open(names, &mut inner, depth, Some(Kind::Zip));
                    let result = match result {
                        Err(error) if !is_over(&error) => (self.visit)(names, Member::Unscanned(why(&error))),
                        result => result,
                    };
                    names.pop();
                    result?;
                }
                // It is encrypted, or compressed in a way that few use.
                Err(_) => {
                    names.push(name.into());
                    let result = (self.visit)(names, Member::Unscanned(Unscanned::Unreadable));
                    names.pop();
                    result?;
                }
            }
        }
        Ok(())
    }
}

/// A longer name of an entry is cut.
const MAX_NAME: u64 = 1 << 20;

/// A zip is read from its end, so all of it has to be at hand.
const MAX_ZIP: u64 = 512 << 20;

impl Kind {
    fn of(start: &[u8]) -> Option<Self> {
        Some(match start {
            [0x1f, 0x8b, 8, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Self::Zip,
            _ if start.get(257..262) == Some(b"ustar") => Self::Tar,
            _ => return None,
        })
    }
}

/// `a.tar` of `a.tgz`, `a` of `a.gz`.
fn without_extension(name: &[u8]) -> BString {
    let lower = name.to_ascii_lowercase();
    let cut = |end: &[u8]| lower.ends_with(end).then(|| &name[..name.len() - end.len()]);
    if let Some(stem) = cut(b".tgz") {
        return [stem, b".tar"].concat().into();
    }
    [&b".gz"[..], b".zst", b".zstd"].into_iter().find_map(cut).unwrap_or(name).into()
}

/// What may be read of one archive, and what was.
struct Budget {
    limits: ArchiveLimits,
    input: Cell<u64>,
    output: Cell<u64>,
    entries: Cell<usize>,
}

impl Budget {
    fn count_entry(&self) -> io::Result<()> {
        self.entries.set(self.entries.get() + 1);
        if self.entries.get() > self.limits.entries { Err(io::Error::other(Over)) } else { Ok(()) }
    }

    fn check(&self) -> io::Result<()> {
        let (input, output) = (self.input.get(), self.output.get());
        let is_over =
            output > self.limits.bytes || output > self.limits.free && output > input.saturating_mul(self.limits.ratio);
        if is_over { Err(io::Error::other(Over)) } else { Ok(()) }
    }
}

/// A limit of the whole archive was reached.
#[derive(Debug, thiserror::Error)]
#[error("the archive is larger than is read")]
struct Over;

fn is_over(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Over>())
}

fn why(error: &io::Error) -> Unscanned {
    if is_over(error) { Unscanned::TooMuch } else { Unscanned::Unreadable }
}

/// Counts what is read, and stops where it is too much.
struct Counted<'c> {
    inner: &'c mut dyn Read,
    budget: &'c Budget,
    count: &'c Cell<u64>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count.set(self.count.get() + read as u64);
        self.budget.check()?;
        Ok(read)
    }
}

/// All frames of a zstd file, one after the other.
struct Zstd<R: Read> {
    source: Option<Peeked<R>>,
    frame: Option<StreamingDecoder<Peeked<R>, FrameDecoder>>,
}

/// The decoder holds as much in memory as a frame's window; more than this no compressor writes unless told to.
const MAX_WINDOW: u64 = 128 << 20;

impl<R: Read> Zstd<R> {
    fn new(source: R) -> Self {
        Self { source: Some(Peeked { start: VecDeque::new(), rest: source }), frame: None }
    }
}

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(frame) = &mut self.frame {
                let read = frame.read(buffer)?;
                if read > 0 || buffer.is_empty() {
                    return Ok(read);
                }
                self.source = self.frame.take().map(StreamingDecoder::into_inner);
            }
            let Some(source) = &mut self.source else { return Ok(0) };
            match *source.peek(18)? {
                [] => return Ok(0),
                // A frame that is to be skipped: its magic number, then its length.
                [magic, 0x2a, 0x4d, 0x18, a, b, c, d, ..] if magic & 0xf0 == 0x50 => {
                    let length = 8 + u64::from(u32::from_le_bytes([a, b, c, d]));
                    if io::copy(&mut source.take(length), &mut io::sink())? < length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                ref header => {
                    if window(header).is_none_or(|window| window > MAX_WINDOW) {
                        return Err(io::Error::other("not a frame that is read"));
                    }
                    let source = self.source.take().expect("it was just looked at");
                    self.frame = Some(StreamingDecoder::new(source).map_err(io::Error::other)?);
                }
            }
        }
    }
}

/// How much of its output a frame may refer back to, as its header says (RFC 8878, section 3.1.1.1).
fn window(header: &[u8]) -> Option<u64> {
    let descriptor = *header.get(4)?;
    if descriptor & 0x20 == 0 {
        let window = *header.get(5)?;
        let base = 1u64 << (10 + (window >> 3));
        return Some(base + base / 8 * u64::from(window & 7));
    }
    // All in one segment: as large as the content.
    let start = 5 + [0, 1, 2, 4][usize::from(descriptor & 3)];
    let width = [1, 2, 4, 8][usize::from(descriptor >> 6)];
    let bytes = header.get(start..start + width)?;
    Some(bytes.iter().rev().fold(0, |size, byte| size << 8 | u64::from(*byte)))
}

/// A reader whose first bytes can be looked at.
struct Peeked<R> {
    start: VecDeque<u8>,
    rest: R,
}

impl<R: Read> Peeked<R> {
    /// Up to `count` bytes that are read next.
    fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        let wanted = count.saturating_sub(self.start.len()) as u64;
        let mut more = Vec::new();
        self.rest.by_ref().take(wanted).read_to_end(&mut more)?;
        self.start.extend(more);
        Ok(self.start.make_contiguous())
    }
}

impl<R: Read> Read for Peeked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.start.is_empty() { self.rest.read(buffer) } else { self.start.read(buffer) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    }

    fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, bytes) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            // The crate refuses names that leave the folder; an attacker does not.
            if name.len() < 100 {
                header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
                header.set_cksum();
                builder.append(&header, *bytes).unwrap();
            } else {
                builder.append_data(&mut header, name, *bytes).unwrap();
            }
        }
        builder.into_inner().unwrap()
    }

    fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in files {
            writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    /// What is found, one line a member.
    fn read(bytes: &[u8], limits: ArchiveLimits) -> Vec<String> {
        let mut found = Vec::new();
        read_archive("a".into(), &mut &*bytes, limits, &mut |names, member| {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            let what = match member {
                Member::File(reader) => {
                    let mut text = Vec::new();
                    reader.read_to_end(&mut text)?;
                    if text.len() > 99 { format!("{} bytes", text.len()) } else { String::from_utf8(text).unwrap() }
                }
                Member::Link(target) => format!("-> {}", String::from_utf8_lossy(target)),
                Member::Unscanned(why) => format!("{why:?}"),
            };
            found.push(format!("{}: {what}", names.join(" > ")));
            Ok(())
        });
        found
    }

    fn all(bytes: &[u8]) -> Vec<String> {
        read(bytes, ArchiveLimits::default())
    }

    #[test]
    fn archives_in_archives_are_read_and_names_lead_to_each_text() {
        let long = "d/".repeat(80) + "x";
        let layer = tar(&[("etc/env", b"one"), ("../../up", b"two"), (&long, b"three")]);
        let image = tar(&[("layer.tgz", &gzip(&layer)), ("l.tar.zst", &zstd(&layer)), ("c.json", b"{}")]);
        let long = format!("a > layer.tgz > layer.tar > {long}: three");
        let found = all(&image);
        assert_eq!(found[0], "a > layer.tgz > layer.tar > etc/env: one");
        assert_eq!(found[1], "a > layer.tgz > layer.tar > ../../up: two");
        assert_eq!(found[2], long);
        assert_eq!(found[3], "a > l.tar.zst > l.tar > etc/env: one");
        assert_eq!(found[6], "a > c.json: {}");
        assert_eq!(
            all(&zip(&[("x/.env", b"four"), ("b.gz", &gzip(b"five"))])),
            ["a > x/.env: four", "a > b.gz > b: five"]
        );
        assert_eq!(all(b"plain"), ["a: plain"]);
    }

    #[test]
    fn frames_of_zstd_follow_each_other() {
        let skipped = [&[0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"xyz"].concat();
        assert_eq!(all(&[zstd(b"one"), skipped.clone(), zstd(b"two")].concat()), ["a: onetwo"]);
        assert_eq!(all(&[zstd(b"one"), skipped[..9].to_vec()].concat()).last().unwrap(), "a: Unreadable");
        // A window of many gigabytes.
        let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xff, 0, 0, 0];
        assert_eq!(all(&frame), ["a: Unreadable"]);
    }

    #[test]
    fn bombs_are_reported_and_end_early() {
        let limits = ArchiveLimits { free: 1 << 20, ..ArchiveLimits::default() };
        let zeros = vec![0; 8 << 20];
        for bomb in [gzip(&zeros), zstd(&zeros), zip(&[("z", &zeros)]), gzip(&tar(&[("z", &zeros)]))] {
            assert_eq!(read(&bomb, limits).last().unwrap(), "a: TooMuch");
        }
        // Many entries that say the same bytes over and over count together.
        let many: Vec<(String, Vec<u8>)> = (0..64).map(|number| (format!("{number}"), vec![0; 64 << 10])).collect();
        let many: Vec<(&str, &[u8])> = many.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
        let found = read(&zip(&many), limits);
        assert!(found.len() < 20 && found.last().unwrap() == "a: TooMuch", "{found:?}");
        let few = ArchiveLimits { entries: 3, ..limits };
        assert_eq!(read(&tar(&[("1", b""), ("2", b""), ("3", b""), ("4", b"")]), few).last().unwrap(), "a: TooMuch");
    }

    #[test]
    fn depth_is_limited_and_what_lies_deeper_is_named() {
        let mut nested = b"x".to_vec();
        for _ in 0..5 {
            nested = gzip(&nested);
        }
        assert_eq!(all(&nested), ["a: TooDeep"]);
        assert_eq!(all(&gzip(&tar(&[("b.tgz", &gzip(&tar(&[("c.zip", &zip(&[("d", b"deep")]))])))]))).len(), 1);
        assert!(all(&zip(&[("b", &zip(&[("c", &zip(&[("d", b"deep")]))]))]))[0].ends_with("d: deep"));
    }

    #[test]
    fn what_is_damaged_is_reported_and_the_rest_is_read() {
        let mut broken = gzip(b"some text that is long enough to be compressed, compressed, compressed");
        let cut = broken.len() - 12;
        broken.truncate(cut);
        let found = all(&tar(&[("broken.gz", &broken), ("whole", b"text")]));
        assert_eq!(found.last().unwrap(), "a > whole: text");
        assert!(found.contains(&"a > broken.gz: Unreadable".to_owned()), "{found:?}");
        let whole = tar(&[("x", &[b'x'; 2000])]);
        assert_eq!(all(&whole[..1500]).last().unwrap(), "a: Unreadable");
        for bytes in [&b"PK\x03\x04garbage"[..], b"\x1f\x8b\x08\xff\xff", b"\x28\xb5\x2f\xfd\xff\xff"] {
            assert_eq!(all(bytes).last().unwrap(), "a: Unreadable");
        }
    }
}
