//! From a plain document to an encrypted file: chosen values become `ENC[…]` where they stand, the envelope is added.
//!
//! Values that did not change since an earlier version keep its text to the byte. Before the result is given out it is
//! decrypted again: a file that would not come back is never written.

use std::collections::HashMap;

use zeroize::Zeroizing;

use super::cipher::{self, Cipher, NONCE_LEN, Type};
use super::decrypt::{Encrypted, MacCheck, Opened, Token, strip_line_break};
use super::envelope::Envelope;
use super::layout::Layout;
use super::mac::Mac;
use super::secret::{DataKey, Plaintext};
use super::selection::{Selection, SelectionError, SelectionRule};
use super::value;
use super::walk::{What, walk};
use crate::document::{
    AttachmentStyle, Branch, Comment, Document, Edits, Format, KeyPath, Leaf, Node, Scalar, Span, Step, Style, Text,
    duplicate_key, float_shortest,
};

/// What a plain document is encrypted with.
pub struct Sealing<'a> {
    /// Recipients and selection; MAC, time and layout are filled in.
    pub envelope: Envelope,
    /// The data key that the envelope's wrapped keys hold.
    pub key: &'a DataKey,
    /// The version of the file before, under the same data key: unchanged values keep its text.
    pub previous: Option<&'a Opened<'a>>,
    /// How the envelope is written.
    pub style: AttachmentStyle,
    /// Now, RFC 3339 UTC in whole seconds.
    pub now: String,
}

/// An encrypted file, made.
pub struct Sealed {
    /// The file.
    pub bytes: Vec<u8>,
    /// How many values and comments are encrypted.
    pub encrypted: usize,
    /// How many of them kept their text from the previous version.
    pub kept: usize,
}

/// Why a document could not be encrypted. No variant holds secret bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncryptError {
    /// It has an envelope.
    #[error("it is encrypted already")]
    AlreadyEncrypted,
    /// A later document of the file has an entry `sops`.
    #[error("document {0} has a top-level key `sops`, which is reserved for the envelope")]
    ReservedKey(usize),
    /// A key is a number, boolean, null or timestamp.
    #[error("the key `{path}` is not a string")]
    KeyIsNoString {
        /// Where it stands.
        path: KeyPath,
    },
    /// A key occurs twice in one map.
    #[error("the key `{0}` occurs twice in the same map")]
    DuplicateKey(String),
    /// An integer that sops cannot hold.
    #[error("the value of `{path}` is an integer beyond 64 bits with sign, which sops cannot hold")]
    Unsupported {
        /// Where it stands.
        path: KeyPath,
    },
    /// The selection matches what it has encrypted.
    #[error("the pattern of {0} also matches encrypted comments, so the file could not be decrypted")]
    CommentClash(&'static str),
    /// What a comment decides of changes when an alias is written out, as its comments are lost.
    #[error("it has an alias for values that comments choose")]
    AliasUnderComments,
    /// Once values are encrypted, a comment reads as one of another map or list.
    #[error("a comment would belong elsewhere once the values around it are encrypted")]
    CommentMoves,
    /// The selection cannot be used.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// The system gives no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(String),
    /// The result does not come back. Nothing was written.
    #[error("the encrypted form would not decrypt to the same document ({0}); this is a defect of seal")]
    WouldNotComeBack(String),
}

/// Fills a buffer with random bytes from the system.
pub type Random<'r> = &'r mut dyn FnMut(&mut [u8]) -> Result<(), String>;

/// Encrypts `plain`, whose tree is given up as soon as its values are encrypted.
///
/// Binary documents are encrypted whole, whatever the selection says, into a JSON file.
pub fn encrypt(plain: Document, sealing: Sealing<'_>, random: Random<'_>) -> Result<Sealed, EncryptError> {
    let Sealing { mut envelope, key, previous, style, now } = sealing;
    let rule = envelope.selection.clone().unwrap_or_default();
    let selection = Selection::compile(rule)?;
    check(&plain)?;

    let cipher = Cipher::new(key);
    let mut making = Making {
        plain: &plain,
        cipher: &cipher,
        selection: &selection,
        random,
        nonces: Vec::new(),
        pool: previous.map(Pool::new),
        edits: Edits::new(),
        originals: Vec::new(),
        touched: Vec::new(),
        aliases: HashMap::new(),
        comments: Vec::new(),
        kept: 0,
    };
    let mac = making.values(envelope.mac_only_encrypted)?;
    let expanded = making.expand_aliases();
    making.close_open_block();
    envelope.last_modified = now;
    let mac_nonce = making.nonce()?;
    let layout_nonce = making.nonce()?;
    let (edits, originals, kept) = making.done();
    envelope.mac = cipher.encrypt(mac.as_bytes(), envelope.last_modified.as_bytes(), &mac_nonce, Type::Str);
    envelope.seal = None;

    if plain.format() == Format::Binary {
        let data = edits.apply(plain.source());
        let text = format!("{{\n\t\"data\": \"{}\"\n}}\n", String::from_utf8_lossy(&data));
        let json = Document::parse(text.into_bytes(), Format::Json).map_err(broken)?;
        let attach = json.attach(&serde_json::Value::Object(envelope.to_map()), &style);
        let bytes = attach.apply(json.source()).to_vec();
        let read = Encrypted::parse(bytes.clone(), Format::Binary).map_err(broken)?;
        let opened = read.open(key, MacCheck::Require).map_err(broken)?;
        if opened.plain().expose() != plain.source() {
            return Err(EncryptError::WouldNotComeBack("other bytes".into()));
        }
        return Ok(Sealed { bytes, encrypted: originals.len(), kept });
    }

    let attach =
        |plain: &Document, envelope: &Envelope| plain.attach(&serde_json::Value::Object(envelope.to_map()), &style);
    let attachment = attach(&plain, &envelope);
    let format = plain.format();
    // Of a large file the tree is larger than the source: it is read once more where it is needed.
    let source = plain.into_source();
    // At the end of the file the envelope comes behind what is added there.
    let (bytes, places) = edits.apply_before(&source, &attachment);
    let read = Encrypted::parse(bytes, format).map_err(broken)?;
    let of_alias = |error| match expanded && selection.is_by_comment() {
        true => EncryptError::AliasUnderComments,
        false => broken(error),
    };
    // Most documents need no layout, which is found out in passing; else all values are looked at together.
    if !expanded && read.gives_back(&source, &originals, key).map_err(of_alias)? {
        let bytes = std::mem::take(&mut *read.into_bytes());
        return Ok(Sealed { bytes, encrypted: originals.len(), kept });
    }
    let opened = read.open(key, MacCheck::Require).map_err(of_alias)?;
    let plain = Document::parse(source, format).map_err(broken)?;
    let layout = layout_of(&plain, &opened, &originals, expanded)?;
    if !opened.plain_comments.is_empty() || !(layout.is_canonical() || opened.is(&plain)) {
        return Err(EncryptError::CommentMoves);
    }
    let mac = opened.mac().to_owned();
    drop(opened);
    let mut bytes = read.into_bytes();
    if !layout.is_canonical() && !is_sops_secret(&plain) {
        envelope.seal = layout.seal(&cipher, &mac, &layout_nonce);
        if envelope.seal.is_none() {
            let whole = Layout::Whole(Plaintext::from(plain.source()));
            envelope.seal = whole.seal(&cipher, &mac, &layout_nonce);
        }
        bytes = attach(&plain, &envelope).moved(&places).apply(&bytes);
    }
    Ok(Sealed { bytes: std::mem::take(&mut *bytes), encrypted: originals.len(), kept })
}

/// Finds the layout by which `opened` gives back the bytes of `plain`.
fn layout_of(
    plain: &Document,
    opened: &Opened<'_>,
    originals: &[Span],
    expanded: bool,
) -> Result<Layout, EncryptError> {
    let whole = || Layout::Whole(Plaintext::from(plain.source()));
    if expanded || opened.tokens.len() != originals.len() {
        return Ok(whole());
    }
    let mut spellings = std::collections::BTreeMap::new();
    for (number, original) in originals.iter().enumerate() {
        let original = &plain.source()[original.range()];
        if *opened.canonical(number) != original {
            spellings.insert(number, Plaintext::from(original));
        }
    }
    let mut back = opened.with(&|number| match spellings.get(&number) {
        Some(text) => Zeroizing::new(text.expose().to_vec()),
        None => opened.canonical(number),
    });
    let open_end = !plain.source().ends_with(b"\n") && back.ends_with(b"\n");
    if open_end {
        strip_line_break(&mut back);
    }
    if *back == plain.source() {
        return Ok(Layout::Pieces { spellings, open_end });
    }
    Ok(whole())
}

fn broken(cause: impl std::fmt::Display) -> EncryptError {
    EncryptError::WouldNotComeBack(cause.to_string())
}

/// `SopsSecret` is a custom resource whose schema refuses unknown fields in its envelope.
fn is_sops_secret(plain: &Document) -> bool {
    plain.roots().iter().any(|root| {
        root.branch.items.iter().any(|item| {
            item.key.as_ref().is_some_and(|key| plain.text(&key.text) == b"kind")
                && matches!(&item.node, Node::Leaf(Leaf { scalar: Scalar::Str(text), .. }) if plain.text(text) == b"SopsSecret")
        })
    })
}

/// Refuses what sops cannot hold.
fn check(plain: &Document) -> Result<(), EncryptError> {
    for (index, root) in plain.roots().iter().enumerate() {
        match (&root.attachment, index) {
            (Some(_), 0) => return Err(EncryptError::AlreadyEncrypted),
            (Some(_), _) => return Err(EncryptError::ReservedKey(index + 1)),
            (None, _) => {}
        }
        check_keys(plain, &root.branch).map_err(|mut path| {
            path.reverse();
            EncryptError::KeyIsNoString { path: KeyPath(path) }
        })?;
        if plain.format() == Format::Yaml
            && let Some(key) = duplicate_key(&root.branch, plain.source())
        {
            return Err(EncryptError::DuplicateKey(String::from_utf8_lossy(plain.text(&key.text)).into_owned()));
        }
    }
    Ok(())
}

/// Errs with the steps to a key that is no string, innermost first.
fn check_keys(plain: &Document, branch: &Branch) -> Result<(), Vec<Step>> {
    for (index, item) in branch.items.iter().enumerate() {
        let step = || match &item.key {
            Some(key) => Step::Key(String::from_utf8_lossy(plain.text(&key.text)).into_owned()),
            None => Step::Index(index),
        };
        if item.key.as_ref().is_some_and(|key| !key.is_string) {
            return Err(vec![step()]);
        }
        if let Node::Map(inner) | Node::List(inner) = &item.node {
            check_keys(plain, inner).map_err(|mut path| {
                path.push(step());
                path
            })?;
        }
    }
    Ok(())
}

/// An encrypted file in the making.
struct Making<'a> {
    plain: &'a Document,
    cipher: &'a Cipher,
    selection: &'a Selection,
    random: Random<'a>,
    /// Fresh nonces, each used once.
    nonces: Vec<[u8; NONCE_LEN]>,
    pool: Option<Pool<'a>>,
    edits: Edits,
    /// The spans of all that is encrypted, in document order.
    originals: Vec<Span>,
    /// The same, as far as aliases must know of them: ascending, expanded aliases included.
    touched: Vec<Span>,
    /// By start of an outermost alias: whether something below it is encrypted, and each value's text if it is.
    aliases: HashMap<u32, (bool, Vec<Option<String>>)>,
    /// Comments to encrypt that were read since the last value, each with its additional data.
    comments: Vec<(&'a Comment, Box<[u8]>)>,
    kept: usize,
}

impl<'a> Making<'a> {
    /// The edits, the spans of all that is encrypted, and how many texts were kept.
    fn done(self) -> (Edits, Vec<Span>, usize) {
        (self.edits, self.originals, self.kept)
    }

    fn nonce(&mut self) -> Result<[u8; NONCE_LEN], EncryptError> {
        if self.nonces.is_empty() {
            // One system call for many values.
            let mut batch = [[0; NONCE_LEN]; 64];
            (self.random)(batch.as_flattened_mut()).map_err(EncryptError::Random)?;
            self.nonces.extend(batch);
        }
        Ok(self.nonces.pop().expect("filled above"))
    }

    /// Encrypts all chosen values and gives the MAC over all.
    fn values(&mut self, mac_only_encrypted: bool) -> Result<String, EncryptError> {
        let plain = self.plain;
        let mut mac = Mac::new(mac_only_encrypted);
        let all = plain.format() == Format::Binary;
        walk(plain, self.selection, |site| {
            let leaf = match site.what {
                What::Comment(comment) => {
                    let text = plain.text(&comment.text);
                    if !site.chosen || text.is_empty() {
                        return Ok(());
                    }
                    if let Some(alias) = site.alias {
                        // sops sees a copy of the comment here, which would have to be encrypted.
                        self.aliases.entry(alias.start).or_default().0 |= !comment.lost;
                        return Ok(());
                    }
                    self.comments.push((comment, site.aad.into()));
                    return Ok(());
                }
                What::Leaf(leaf) => leaf,
            };
            if matches!(leaf.scalar, Scalar::Unsupported) {
                return Err(EncryptError::Unsupported { path: site.path.to_key_path() });
            }
            let Some((bytes, kind)) = value::to_bytes(&leaf.scalar, plain.source()) else {
                if let Some(alias) = site.alias {
                    self.aliases.entry(alias.start).or_default().1.push(None);
                }
                return Ok(());
            };
            let chosen = site.chosen || all;
            mac.add(&bytes, chosen);
            let chosen = chosen && !bytes.is_empty();
            let replaced = if chosen && site.alias.is_none() { leaf.span } else { Span::default() };
            let inside = self.replace_comments(replaced)?;
            if let Some(alias) = site.alias {
                let text = match chosen.then(|| self.reused(site.aad, &leaf.scalar, kind)) {
                    None => None,
                    Some(Some((text, _))) => Some(text),
                    Some(None) => Some(self.fresh(&bytes, site.aad, kind)?),
                };
                let entry = self.aliases.entry(alias.start).or_default();
                entry.0 |= chosen;
                entry.1.push(text);
            } else if chosen {
                let (text, raw) = match self.reused(site.aad, &leaf.scalar, kind) {
                    Some(reused) => reused,
                    None => (self.fresh(&bytes, site.aad, kind)?, None),
                };
                match raw.filter(|_| !in_flow(leaf.style)) {
                    Some(raw) => self.replace(leaf.span, raw),
                    None => {
                        let mut spelled = plain.spell(leaf, &Scalar::Str(Text::owned(text.into_bytes())));
                        for comment in inside.iter().rev() {
                            let with_marker = Span { start: comment.start - 1, end: comment.end };
                            let at = (with_marker.start - leaf.span.start) as usize;
                            let here = at..at + with_marker.len();
                            if spelled.get(here.clone()) == Some(&plain.source()[with_marker.range()]) {
                                spelled.drain(here);
                            }
                        }
                        self.replace(leaf.span, &spelled);
                    }
                }
            }
            Ok(())
        })?;
        self.replace_comments(Span::default())?;
        Ok(mac.finish())
    }

    /// Encrypts the comments that were read since the last value, but those inside `value`, which goes with all it holds:
    /// they stand behind the header of a block scalar or behind a tag, and only the layout keeps them. Gives their spans.
    fn replace_comments(&mut self, value: Span) -> Result<Vec<Span>, EncryptError> {
        let mut inside = Vec::new();
        for (comment, aad) in std::mem::take(&mut self.comments) {
            let span = comment.span;
            if span.is_within(value) {
                inside.push(span);
                continue;
            }
            // Noted behind it.
            if self.originals.last().is_some_and(|before| span.is_within(*before)) {
                continue;
            }
            let encrypted = match self.reused(&aad, &Scalar::Str(comment.text.clone()), Type::Comment) {
                Some((text, _)) => text,
                None => self.fresh(self.plain.text(&comment.text), &aad, Type::Comment)?,
            };
            if matches!(self.selection.rule(), SelectionRule::UnencryptedCommentRegex(_))
                && !comment.lost
                && self.selection.comment_hit(encrypted.as_bytes())
            {
                return Err(EncryptError::CommentClash(self.selection.rule().field()));
            }
            self.edits.extend(&self.plain.replace_comment(comment, encrypted.as_bytes()));
            self.originals.push(span);
            // Where sops sees no comment an alias need not be expanded.
            if !comment.lost {
                self.touched.push(span);
            }
        }
        Ok(inside)
    }

    fn replace(&mut self, span: Span, text: &[u8]) {
        self.edits.replace(span, text);
        self.originals.push(span);
        self.touched.push(span);
    }

    fn fresh(&mut self, bytes: &[u8], aad: &[u8], kind: Type) -> Result<String, EncryptError> {
        let nonce = self.nonce()?;
        Ok(self.cipher.encrypt(bytes, aad, &nonce, kind))
    }

    /// The text that this value had before, and how it stood in the file if that is one line.
    fn reused(&mut self, aad: &[u8], value: &Scalar, kind: Type) -> Option<(String, Option<&'a [u8]>)> {
        let found = self.pool.as_mut()?.take(aad, value, self.plain.source(), kind)?;
        self.kept += 1;
        Some(found)
    }

    /// Rewrites a plain block scalar that ends the file without a line break, as the one that the envelope needs would
    /// become part of its value.
    fn close_open_block(&mut self) {
        let end = self.plain.source().len() as u32;
        let Some(root) = self.plain.roots().last().filter(|_| !self.plain.source().ends_with(b"\n")) else { return };
        let mut branch = &root.branch;
        loop {
            // A comment may be noted behind the value that it stands in, between its tag and its text.
            match branch.items.iter().map(|item| &item.node).rfind(|node| !matches!(node, Node::Comment(_))) {
                Some(Node::Map(inner) | Node::List(inner)) => branch = inner,
                Some(Node::Leaf(leaf)) if self.touched.last() != Some(&leaf.span) => {
                    let source = self.plain.source();
                    let is_block = matches!(leaf.style, Style::Literal { .. } | Style::Folded { .. });
                    if leaf.span.end < end {
                        // Blanks alone on the last line: a line break behind them would be one more of the value's.
                        if is_block && source[leaf.span.end as usize..].trim_ascii().is_empty() {
                            let quoted = Leaf { style: Style::Double, ..leaf.clone() };
                            let span = Span { start: leaf.span.start, end };
                            self.edits.replace(span, &self.plain.spell(&quoted, &leaf.scalar));
                        }
                    } else if is_block {
                        // `|-` says that no line break belongs to the value, which is how sops reads it now.
                        let header = leaf.span.start as usize + 1;
                        let indicators = source[header..].iter().take_while(|b| matches!(b, b'0'..=b'9' | b'+' | b'-'));
                        let span = Span::new(header, header + indicators.count());
                        let digits = source[span.range()].iter().copied().filter(u8::is_ascii_digit);
                        self.edits.replace(span, &digits.chain([b'-']).collect::<Vec<_>>());
                    } else if source[leaf.span.range()].contains(&b'\n') && source[leaf.span.start as usize] == b'!' {
                        // Behind a tag there may be such a block, too.
                        self.edits.replace(leaf.span, &self.plain.spell(leaf, &leaf.scalar));
                    }
                    return;
                }
                _ => return,
            }
        }
    }

    /// Writes out aliases whose values are encrypted, or whose anchor's are; says whether there were any.
    fn expand_aliases(&mut self) -> bool {
        if self.aliases.is_empty() {
            return false;
        }
        // An inline comment is visited before the value that it stands behind.
        self.touched.sort_unstable_by_key(|touched| touched.start);
        let mut expanded = false;
        let mut found = Vec::new();
        for root in self.plain.roots() {
            aliases_below(&root.branch, &mut found);
        }
        for (span, target, comment) in found {
            let (chosen, texts) = self.aliases.remove(&span.start).unwrap_or_default();
            let anchored = target.span();
            let next = self.touched.partition_point(|touched| touched.end <= anchored.start);
            let anchor_touched = self.touched.get(next).is_some_and(|touched| touched.start < anchored.end);
            if chosen || anchor_touched {
                let mut text = Zeroizing::new(String::new());
                write_flow(self.plain, target, &mut texts.into_iter(), &mut text);
                self.edits.replace(span, text.as_bytes());
                if let Some(comment) = comment {
                    self.edits.replace(Span { start: comment.start - 1, end: comment.end }, b"");
                }
                let at = self.touched.partition_point(|touched| touched.start < span.start);
                self.touched.insert(at, span);
                expanded = true;
            }
        }
        expanded
    }
}

fn in_flow(style: Style) -> bool {
    matches!(style, Style::PlainFlow | Style::SingleFlow | Style::DoubleFlow)
}

/// An alias: its span, what it stands for, and the comment that cannot stay if it is written out.
///
/// Behind a map or list in flow style a comment belongs into it, behind an alias it does not: it would lose its place.
type Alias<'d> = (Span, &'d Node, Option<Span>);

/// All aliases that stand in the document itself, in order.
fn aliases_below<'d>(branch: &'d Branch, found: &mut Vec<Alias<'d>>) {
    let mut inline = None;
    for item in &branch.items {
        match &item.node {
            Node::Alias { span, .. } => {
                let target = item.node.resolved();
                let is_branch = matches!(target, Node::Map(_) | Node::List(_));
                found.push((*span, target, inline.filter(|_| is_branch)));
            }
            Node::Map(inner) | Node::List(inner) => aliases_below(inner, found),
            Node::Leaf(_) | Node::Comment(_) => {}
        }
        inline = match &item.node {
            Node::Comment(comment) if comment.inline => Some(comment.span),
            _ => None,
        };
    }
}

/// Writes a node in flow style on one line; `texts` has, for each value in order, its encrypted text if it has one.
fn write_flow(plain: &Document, node: &Node, texts: &mut impl Iterator<Item = Option<String>>, out: &mut String) {
    let quote = |text: &[u8]| {
        let json = serde_json::Value::String(String::from_utf8_lossy(text).into_owned()).to_string();
        // What JSON leaves as it is and YAML does not take, or reads as the end of a line.
        let is_raw =
            |c: char| matches!(c, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}');
        json.chars().fold(String::with_capacity(json.len()), |mut out, c| {
            match is_raw(c) {
                true => out.push_str(&format!("\\u{:04x}", u32::from(c))),
                false => out.push(c),
            }
            out
        })
    };
    match node.resolved() {
        Node::Leaf(leaf) => match (texts.next().flatten(), &leaf.scalar) {
            (Some(text), _) => out.push_str(&quote(text.as_bytes())),
            (None, Scalar::Str(text)) => out.push_str(&quote(plain.text(text))),
            (None, Scalar::Bool(value)) => out.push_str(if *value { "true" } else { "false" }),
            (None, Scalar::Int(value)) => out.push_str(&value.to_string()),
            (None, Scalar::Float(value)) if value.is_nan() => out.push_str(".nan"),
            (None, Scalar::Float(value)) if value.is_infinite() => {
                out.push_str(if *value > 0.0 { ".inf" } else { "-.inf" });
            }
            (None, Scalar::Float(value)) => {
                let text = float_shortest(*value, -4, 21);
                out.push_str(&text);
                if !text.contains(['.', 'e']) {
                    out.push_str(".0");
                }
            }
            (None, Scalar::Time(text)) => out.push_str(text),
            (None, Scalar::Null | Scalar::Unsupported) => out.push_str("null"),
        },
        Node::Map(branch) => {
            out.push('{');
            let mut first = true;
            for item in branch.items.iter().filter(|item| !matches!(item.node, Node::Comment(_))) {
                if !std::mem::take(&mut first) {
                    out.push_str(", ");
                }
                if let Some(key) = &item.key {
                    match plain.text(&key.text) {
                        b"<<" => out.push_str("<<"),
                        key => out.push_str(&quote(key)),
                    }
                    out.push_str(": ");
                }
                write_flow(plain, &item.node, texts, out);
            }
            out.push('}');
        }
        Node::List(branch) => {
            out.push('[');
            let mut first = true;
            for item in branch.items.iter().filter(|item| !matches!(item.node, Node::Comment(_))) {
                if !std::mem::take(&mut first) {
                    out.push_str(", ");
                }
                write_flow(plain, &item.node, texts, out);
            }
            out.push(']');
        }
        Node::Comment(_) | Node::Alias { .. } => {}
    }
}

/// The values of the version before, to be taken over.
///
/// Values under one key path (list items) are paired in their order; where some came, went or moved, with the nearest equal one.
struct Pool<'a> {
    previous: &'a Opened<'a>,
    by_aad: HashMap<&'a [u8], Queue>,
}

#[derive(Default)]
struct Queue {
    /// Numbers of the tokens under this key path; taken ones are gone.
    tokens: Vec<Option<usize>>,
    /// How many values of the new document were under it so far.
    seen: usize,
    /// By how many places the last one that was taken stood further behind.
    shift: isize,
}

impl<'a> Pool<'a> {
    fn new(previous: &'a Opened<'a>) -> Self {
        let mut by_aad: HashMap<&[u8], Queue> = HashMap::with_capacity(previous.tokens.len());
        for (number, token) in previous.tokens.iter().enumerate() {
            by_aad.entry(&token.aad).or_default().tokens.push(Some(number));
        }
        Self { previous, by_aad }
    }

    fn take(&mut self, aad: &[u8], value: &Scalar, source: &[u8], kind: Type) -> Option<(String, Option<&'a [u8]>)> {
        let document = self.previous.encrypted().document();
        let tokens = &self.previous.tokens;
        let queue = self.by_aad.get_mut(aad)?;
        let position = queue.seen;
        queue.seen += 1;
        let text_of = |token: &Token<'a>| match token.place {
            What::Leaf(Leaf { scalar: Scalar::Str(text), .. }) => Some(text.bytes(document.source()).to_vec()),
            What::Leaf(_) => None,
            What::Comment(comment) => Some(document.text(&comment.text).to_vec()),
        };
        let fits = |number: usize| {
            let token = &tokens[number];
            let is_comment = matches!(token.place, What::Comment(_));
            is_comment == (kind == Type::Comment) && value::same((&token.value, document.source()), (value, source))
        };
        let expected = position.saturating_add_signed(queue.shift);
        // Looking through all of a long list for every item would be quadratic.
        let near = (0..64).flat_map(|distance| [expected.checked_add(distance), expected.checked_sub(distance + 1)]);
        let at = near.flatten().find(|at| queue.tokens.get(*at).copied().flatten().is_some_and(fits))?;
        queue.shift = at as isize - position as isize;
        let number = queue.tokens[at].take()?;
        let token = &tokens[number];
        let text = text_of(token)?;
        // A nonce of another length makes sops crash when it writes the value again.
        if cipher::nonce_len(&text) != Some(NONCE_LEN) {
            return None;
        }
        let raw = match token.place {
            What::Leaf(leaf) if matches!(leaf.style, Style::Plain | Style::Single | Style::Double) => {
                Some(&document.source()[leaf.span.range()])
            }
            _ => None,
        };
        // Text behind the closing bracket is ignored on reading and not carried on.
        let end = memchr::memchr(b']', &text)? + 1;
        let trimmed = end != text.len();
        Some((String::from_utf8(text[..end].to_vec()).ok()?, raw.filter(|_| !trimmed)))
    }
}
