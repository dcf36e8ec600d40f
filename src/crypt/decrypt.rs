//! From an encrypted file to the plain one, to the byte.
//!
//! Each encrypted value is replaced where it stands; the envelope is cut out. Nothing is re-emitted.

use std::collections::HashMap;

use zeroize::Zeroizing;

use super::cipher::{Cipher, CipherError};
use super::envelope::{Envelope, EnvelopeError};
use super::layout::Layout;
use super::mac::Mac;
use super::secret::{DataKey, Plaintext};
use super::selection::{Selection, SelectionError};
use super::value;
use super::walk::{What, walk};
use crate::document::{
    AttachmentStyle, Branch, Comment, Document, Edits, Format, Item, KeyPath, Leaf, Node, ParseError, Scalar, Span,
    Text,
};

/// An encrypted file: its values still closed, its envelope read.
#[derive(Debug)]
pub struct Encrypted {
    document: Document,
    format: Format,
    envelope: Envelope,
    selection: Selection,
}

/// Why a file is not one that can be decrypted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It is not of the format.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// Its envelope is missing or damaged.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// Its selection cannot be used.
    #[error("its envelope's {0}")]
    Selection(#[from] SelectionError),
}

/// Why an encrypted file could not be decrypted. No variant holds secret bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecryptError {
    /// A value that the selection calls encrypted cannot be decrypted.
    #[error("the value of `{path}` cannot be decrypted: {cause}")]
    Value {
        /// Where it stands.
        path: KeyPath,
        /// Why.
        cause: CipherError,
    },
    /// A value that the selection calls encrypted is plain.
    #[error("the value of `{path}` is plain, but the file's selection says that it is encrypted")]
    Plain {
        /// Where it stands.
        path: KeyPath,
    },
    /// A value's bytes do not fit its type word, which was changed.
    #[error("the value of `{path}` does not fit its type, which was changed after it was encrypted")]
    Type {
        /// Where it stands.
        path: KeyPath,
    },
    /// The envelope has no MAC.
    #[error("it has no MAC, so nothing tells whether it was changed")]
    MacMissing,
    /// The MAC cannot be decrypted.
    #[error("its MAC cannot be decrypted: {0}")]
    MacUnreadable(CipherError),
    /// The MAC is another than that of the values.
    #[error("it was changed after it was encrypted: MAC mismatch")]
    MacMismatch {
        /// What the file says, 128 hexadecimal digits.
        found: String,
        /// What its values give.
        computed: String,
    },
}

/// Whether a file's MAC is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacCheck {
    /// A wrong or missing MAC is an error.
    Require,
    /// It is not looked at: for files that were changed by hand on purpose.
    Ignore,
}

/// A decrypted file, still attached to the encrypted one.
pub struct Opened<'e> {
    encrypted: &'e Encrypted,
    pub(super) tokens: Vec<Token<'e>>,
    mac: String,
    layout: Layout,
    /// Comments that should be encrypted and are not; they are kept as they stand.
    pub plain_comments: Vec<KeyPath>,
}

/// One encrypted value or comment, decrypted.
pub(super) struct Token<'e> {
    pub(super) place: What<'e>,
    pub(super) aad: Box<[u8]>,
    pub(super) value: Scalar,
    /// A string in a list that stands for a comment: how sops writes encrypted comments of lists.
    is_list_comment: bool,
}

impl Encrypted {
    /// Reads an encrypted file of `format`; an encrypted binary file is JSON.
    pub fn parse(bytes: impl Into<Zeroizing<Vec<u8>>>, format: Format) -> Result<Self, ReadError> {
        let syntax = if format == Format::Binary { Format::Json } else { format };
        let document = Document::parse(bytes, syntax)?;
        let attachment = document.roots().first().and_then(|root| root.attachment.as_ref());
        let map = match attachment {
            None => return Err(EnvelopeError::Missing.into()),
            Some(attachment) => attachment.value.as_ref().ok_or(EnvelopeError::NotAnEnvelope)?,
        };
        let envelope = Envelope::from_map(map)?;
        let selection = Selection::compile(envelope.selection.clone().unwrap_or_default())?;
        Ok(Self { document, format, envelope, selection })
    }

    /// Reads an encrypted file by its name or, where that tells no format, by its content: JSON that has but one key, `data`,
    /// is then a binary file.
    pub fn parse_named(bytes: impl Into<Zeroizing<Vec<u8>>>, name: &std::path::Path) -> Result<Self, ReadError> {
        let bytes = bytes.into();
        match Format::of_path(name) {
            Format::Binary => {
                let written_in = Format::of_encrypted(&bytes);
                let mut read = Self::parse(bytes, written_in)?;
                if let (Format::Json, [root]) = (written_in, read.document.roots())
                    && let [Item { key: Some(key), node: Node::Leaf(_) }] = root.branch.items.as_slice()
                    && read.document.text(&key.text) == b"data"
                {
                    read.format = Format::Binary;
                }
                Ok(read)
            }
            format => Self::parse(bytes, format),
        }
    }

    /// Who may read it, and all else its envelope says.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// Gives the encrypted bytes back.
    pub fn into_bytes(self) -> Zeroizing<Vec<u8>> {
        self.document.into_source()
    }

    /// Its bytes and the tree of its values, which are encrypted.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The format it decrypts to.
    pub fn format(&self) -> Format {
        self.format
    }

    /// How its envelope is written.
    pub fn style(&self) -> AttachmentStyle {
        let attachment = self.document.roots().first().and_then(|root| root.attachment.as_ref());
        attachment.map(|attachment| attachment.style).unwrap_or_default()
    }

    /// Which values are encrypted.
    pub fn selection(&self) -> &Selection {
        &self.selection
    }

    /// Decrypts all values and checks the MAC.
    pub fn open(&self, key: &DataKey, check: MacCheck) -> Result<Opened<'_>, DecryptError> {
        let cipher = Cipher::new(key);
        let mut tokens = Vec::new();
        let (mac, plain_comments) = self.tokens(&cipher, check, |token| tokens.push(token))?;
        let layout = match &self.envelope.seal {
            Some(text) => Layout::open(text, &cipher, &mac),
            None => Layout::Canonical,
        };
        Ok(Opened { encrypted: self, tokens, mac, layout, plain_comments })
    }

    /// Whether it is `plain` once each value is spelled without a layout; `originals` are their spans there, in document order.
    ///
    /// Holds one value at a time. Errs where it cannot be decrypted.
    pub(super) fn gives_back(&self, plain: &[u8], originals: &[Span], key: &DataKey) -> Result<bool, DecryptError> {
        let cuts = self.document.roots().iter().filter_map(|root| root.attachment.as_ref()).flat_map(|a| &a.cuts);
        let mut places = Vec::with_capacity(originals.len() + cuts.clone().count());
        let mut is_same = true;
        let (_, plain_comments) = self.tokens(&Cipher::new(key), MacCheck::Require, |token| {
            let original = originals.get(places.len()).copied().unwrap_or_default();
            is_same = is_same && !token.is_list_comment && *self.canonical(&token) == plain[original.range()];
            places.push((token.span(), original));
        })?;
        // What a comment of INI replaces is more than its text.
        let is_ini = self.format == Format::Ini;
        if !is_same || is_ini || !plain_comments.is_empty() || places.len() != originals.len() {
            return Ok(false);
        }
        places.extend(cuts.map(|cut| (*cut, Span::default())));
        places.sort_unstable_by_key(|(here, _)| here.start);
        let source = self.document.source();
        let (mut at, mut rest) = (0, plain);
        for (here, original) in places {
            let same = source.get(at..here.start as usize).and_then(|between| rest.strip_prefix(between));
            let Some(behind) = same.and_then(|rest| rest.strip_prefix(&plain[original.range()])) else {
                return Ok(false);
            };
            (at, rest) = (here.end as usize, behind);
        }
        Ok(source[at..] == *rest)
    }

    /// Hands out all that is encrypted, decrypted, and gives the MAC and the comments that should be encrypted and are not.
    fn tokens<'e>(
        &'e self,
        cipher: &Cipher,
        check: MacCheck,
        mut take: impl FnMut(Token<'e>),
    ) -> Result<(String, Vec<KeyPath>), DecryptError> {
        let mut mac = Mac::new(self.envelope.mac_only_encrypted);
        let mut plain_comments = Vec::new();
        let source = self.document.source();
        walk(&self.document, &self.selection, |site| {
            let leaf = match site.what {
                What::Comment(comment) => {
                    let text = self.document.text(&comment.text);
                    if site.chosen && !text.is_empty() && site.alias.is_none() {
                        match cipher.decrypt(text, site.aad) {
                            Ok((plain, _)) => take(Token {
                                place: site.what,
                                aad: site.aad.into(),
                                value: Scalar::Str(Text::owned(plain.expose())),
                                is_list_comment: false,
                            }),
                            Err(_) => plain_comments.push(site.path.to_key_path()),
                        }
                    }
                    return Ok(());
                }
                What::Leaf(leaf) => leaf,
            };
            if !site.chosen {
                if let Some((bytes, _)) = value::to_bytes(&leaf.scalar, source) {
                    mac.add(&bytes, false);
                }
                return Ok(());
            }
            let text = match &leaf.scalar {
                Scalar::Null => return Ok(()),
                Scalar::Str(text) => self.document.text(text),
                _ => return Err(DecryptError::Plain { path: site.path.to_key_path() }),
            };
            if text.is_empty() {
                return Ok(());
            }
            let (plain, kind) = cipher.decrypt(text, site.aad).map_err(|cause| match cause {
                CipherError::NotEncrypted => DecryptError::Plain { path: site.path.to_key_path() },
                cause => DecryptError::Value { path: site.path.to_key_path(), cause },
            })?;
            let is_list_comment = site.in_list && kind == super::cipher::Type::Comment;
            let value =
                value::from_bytes(plain, kind).ok_or_else(|| DecryptError::Type { path: site.path.to_key_path() })?;
            if kind != super::cipher::Type::Comment
                && let Some((bytes, _)) = value::to_bytes(&value, source)
            {
                mac.add(&bytes, true);
            }
            // Behind an alias stands the anchored node, whose own visit replaces it.
            if site.alias.is_none() {
                take(Token { place: site.what, aad: site.aad.into(), value, is_list_comment });
            }
            Ok(())
        })?;

        let computed = mac.finish();
        let found = cipher.decrypt(self.envelope.mac.as_bytes(), self.envelope.last_modified.as_bytes());
        if check == MacCheck::Require {
            if self.envelope.mac.is_empty() {
                return Err(DecryptError::MacMissing);
            }
            let (found, _) = found.map_err(DecryptError::MacUnreadable)?;
            if found.expose() != computed.as_bytes() {
                let found = String::from_utf8_lossy(found.expose()).into_owned();
                return Err(DecryptError::MacMismatch { found, computed });
            }
        }
        Ok((computed, plain_comments))
    }

    /// How a value is spelled without a layout.
    fn canonical(&self, token: &Token<'_>) -> Zeroizing<Vec<u8>> {
        match (token.place, &token.value) {
            (What::Leaf(leaf), value) => self.document.spell(leaf, value),
            // Only INI has comments of several lines: sops makes one comment of all that stand above a key.
            (What::Comment(_), Scalar::Str(text)) => {
                let text = text.bytes(self.document.source());
                Zeroizing::new(if self.format == Format::Ini { text.to_vec() } else { one_line(text) })
            }
            (What::Comment(_), _) => Zeroizing::default(),
        }
    }
}

impl Token<'_> {
    /// Where it stands in the encrypted file.
    fn span(&self) -> Span {
        match self.place {
            What::Leaf(leaf) => leaf.span,
            What::Comment(comment) => comment.span,
        }
    }
}

impl Opened<'_> {
    /// The plain file: laid out as it was before, where that is known and still fits.
    pub fn plain(&self) -> Plaintext {
        if self.encrypted.format == Format::Binary {
            return Plaintext::from(self.binary());
        }
        if let Some(bytes) = self.laid_out() {
            return Plaintext::from(bytes);
        }
        let canonical = |number: usize| self.canonical(number);
        Plaintext::from(self.with(&canonical))
    }

    /// The encrypted file it was opened from.
    pub fn encrypted(&self) -> &Encrypted {
        self.encrypted
    }

    /// The MAC that its values give.
    pub(super) fn mac(&self) -> &str {
        &self.mac
    }

    /// The file that the layout gives, if it is the same document as the one decrypted.
    fn laid_out(&self) -> Option<Zeroizing<Vec<u8>>> {
        if self.layout.is_canonical() {
            return None;
        }
        let bytes = match &self.layout {
            Layout::Canonical => return None,
            Layout::Whole(bytes) => Zeroizing::new(bytes.expose().to_vec()),
            Layout::Pieces { spellings, open_end } => {
                let mut bytes = self.with(&|number| match spellings.get(&number) {
                    Some(text) => Zeroizing::new(text.expose().to_vec()),
                    None => self.canonical(number),
                });
                if *open_end {
                    strip_line_break(&mut bytes);
                }
                bytes
            }
        };
        let laid_out = Document::parse(bytes, self.encrypted.format).ok()?;
        self.is(&laid_out).then(|| laid_out.into_source())
    }

    /// The one value of a binary file.
    fn binary(&self) -> Zeroizing<Vec<u8>> {
        let document = &self.encrypted.document;
        let data = document.roots().first().and_then(|root| {
            root.branch.items.iter().find(|item| item.key.as_ref().is_some_and(|k| document.text(&k.text) == b"data"))
        });
        let Some(Node::Leaf(leaf)) = data.map(|item| &item.node) else { return Zeroizing::default() };
        let here = |token: &&Token<'_>| matches!(token.place, What::Leaf(other) if std::ptr::eq(other, leaf));
        let value = self.tokens.iter().find(here).map_or(&leaf.scalar, |token| &token.value);
        match value {
            Scalar::Str(text) => Zeroizing::new(text.bytes(document.source()).to_vec()),
            _ => Zeroizing::default(),
        }
    }

    /// How value `number` is spelled without a layout.
    pub(super) fn canonical(&self, number: usize) -> Zeroizing<Vec<u8>> {
        self.encrypted.canonical(&self.tokens[number])
    }

    /// The plain bytes, with each value as `spelling` says.
    pub(super) fn with(&self, spelling: &dyn Fn(usize) -> Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>> {
        let document = &self.encrypted.document;
        let mut edits = Edits::new();
        let mut list_comments = HashMap::new();
        for (number, token) in self.tokens.iter().enumerate() {
            match token.place {
                What::Leaf(leaf) if token.is_list_comment => {
                    list_comments.insert(std::ptr::from_ref(leaf), number);
                }
                What::Leaf(leaf) => edits.replace(leaf.span, &spelling(number)),
                What::Comment(comment) => edits.extend(&document.replace_comment(comment, &spelling(number))),
            }
        }
        if !list_comments.is_empty() {
            for root in document.roots() {
                self.comment_items(&root.branch, &list_comments, &mut edits);
            }
        }
        for cut in document.roots().iter().filter_map(|root| root.attachment.as_ref()).flat_map(|a| &a.cuts) {
            edits.replace(*cut, b"");
        }
        edits.apply(document.source())
    }

    /// Turns list items that stand for comments back into comments, or drops them where there can be none.
    fn comment_items(&self, branch: &Branch, found: &HashMap<*const Leaf, usize>, edits: &mut Edits) {
        let number_of = |node: &Node| match node {
            Node::Leaf(leaf) => found.get(&std::ptr::from_ref(leaf)).copied(),
            _ => None,
        };
        let source = self.encrypted.document.source();
        let numbers: Vec<_> = branch.items.iter().map(|item| number_of(&item.node)).collect();
        if numbers.iter().any(Option::is_some) {
            let block = self.encrypted.format == Format::Yaml && !branch.flow;
            if block {
                for (item, number) in branch.items.iter().zip(&numbers) {
                    let (Some(number), span) = (number, item.node.span()) else { continue };
                    let before = &source[..span.start as usize];
                    let dash = memchr::memrchr(b'-', before).unwrap_or(before.len());
                    let Scalar::Str(text) = &self.tokens[*number].value else { continue };
                    let comment = [b"#".as_slice(), &one_line(text.bytes(source))].concat();
                    edits.replace(Span { start: dash as u32, end: span.end }, &comment);
                }
                let real = |(item, number): (&crate::document::Item, &Option<usize>)| {
                    number.is_none() && !matches!(item.node, Node::Comment(_))
                };
                if !branch.items.iter().zip(&numbers).any(real) {
                    // Without an item the list would read as null.
                    let start = branch.span.start as usize;
                    let at = source[..start].iter().rposition(|b| !b.is_ascii_whitespace()).map_or(start, |i| i + 1);
                    edits.replace(Span::new(at, at), b" []");
                }
            } else {
                let gone: Vec<_> = numbers.iter().map(Option::is_some).collect();
                for cut in branch.cuts(&gone) {
                    edits.replace(cut, b"");
                }
            }
        }
        for item in &branch.items {
            if let Node::Map(inner) | Node::List(inner) = &item.node {
                self.comment_items(inner, found, edits);
            }
        }
    }

    /// Whether `plain` is the document that was decrypted: keys, values, types and comments alike.
    ///
    /// Comments inside what an alias stands for are left out of account: expanding an alias loses them.
    pub(super) fn is(&self, plain: &Document) -> bool {
        let encrypted = &self.encrypted.document;
        let mut tokens = self.tokens.iter();
        let mut next = tokens.next();
        let mut value_of = |what: What<'_>| -> Option<&Token<'_>> {
            let here = next.filter(|token| match (token.place, what) {
                (What::Leaf(a), What::Leaf(b)) => std::ptr::eq(a, b),
                (What::Comment(a), What::Comment(b)) => std::ptr::eq(a, b),
                _ => false,
            });
            if here.is_some() {
                next = tokens.next();
            }
            here
        };
        let mut comments = Comments::default();
        let same_roots = plain.roots().len() == encrypted.roots().len();
        let same = same_roots
            && encrypted.roots().iter().zip(plain.roots()).all(|(a, b)| {
                let (a_branch, b_branch) = ((encrypted, &a.branch), (plain, &b.branch));
                a.attachment.is_some()
                    && b.attachment.is_none()
                    && same_branch(&mut value_of, a_branch, b_branch, false, &mut comments)
            });
        // Only their order counts: where one stands among the entries can depend on quotes, which encrypting may add.
        comments.iter_mut().for_each(|comments| comments.sort_by_key(|(at, _)| *at));
        let [left, right] = &comments;
        same && left.iter().map(|(_, text)| text).eq(right.iter().map(|(_, text)| text))
    }
}

/// The comments of an encrypted and of a plain document: where each starts, and its text.
type Comments<'c> = [Vec<(u32, &'c [u8])>; 2];

/// Compares two branches entry by entry, the first with its values decrypted, and gathers their comments.
fn same_branch<'t: 'c, 'c>(
    value_of: &mut impl FnMut(What<'_>) -> Option<&'t Token<'t>>,
    (encrypted, a): (&'c Document, &'c Branch),
    (plain, b): (&'c Document, &'c Branch),
    in_alias: bool,
    comments: &mut Comments<'c>,
) -> bool {
    let mut others = b.items.iter().enumerate().filter(|(_, item)| !matches!(item.node, Node::Comment(_)));
    let mut gone = Vec::new();
    let (inside_a, inside_b) = (comments_inside_values(a), comments_inside_values(b));
    for (item, inside) in a.items.iter().zip(inside_a) {
        let token = match item.node.resolved() {
            Node::Comment(comment) => value_of(What::Comment(comment)),
            Node::Leaf(leaf) => value_of(What::Leaf(leaf)),
            _ => None,
        };
        match (&item.node, token) {
            (_, Some(Token { value: Scalar::Str(text), is_list_comment: true, .. }))
            | (Node::Comment(_), Some(Token { value: Scalar::Str(text), .. }))
            | (Node::Comment(Comment { text, .. }), _) => {
                if !in_alias && !inside {
                    comments[0].push((item.node.span().start, text.bytes(encrypted.source())));
                }
                continue;
            }
            _ => {}
        }
        let Some((at, other)) = others.next() else { return false };
        let keys = match (&item.key, &other.key) {
            (Some(x), Some(y)) => encrypted.text(&x.text) == plain.text(&y.text),
            (None, None) => true,
            _ => false,
        };
        let is_alias = matches!(other.node, Node::Alias { .. });
        let same = match (item.node.resolved(), other.node.resolved()) {
            (Node::Leaf(x), Node::Leaf(y)) => {
                let value = token.map_or(&x.scalar, |token| &token.value);
                value::same((value, encrypted.source()), (&y.scalar, plain.source()))
            }
            (Node::Map(x), Node::Map(y)) | (Node::List(x), Node::List(y)) => {
                if is_alias && !matches!(item.node, Node::Alias { .. }) {
                    // A comment behind it went when it was written out.
                    gone.extend(at.checked_sub(1));
                }
                same_branch(value_of, (encrypted, x), (plain, y), in_alias || is_alias, comments)
            }
            _ => false,
        };
        if !keys || !same {
            return false;
        }
    }
    for (index, (item, inside)) in b.items.iter().zip(inside_b).enumerate() {
        if let Node::Comment(comment) = &item.node
            && !in_alias
            && !inside
            && !(comment.inline && gone.binary_search(&index).is_ok())
        {
            comments[1].push((comment.span.start, plain.text(&comment.text)));
        }
    }
    others.next().is_none()
}

/// Which entries are comments behind the header of a block scalar or behind a tag: encrypting that scalar takes them away.
fn comments_inside_values(branch: &Branch) -> Vec<bool> {
    let mut inside = vec![false; branch.items.len()];
    let mut mark = |value: &mut Span, index: usize| match &branch.items[index].node {
        Node::Comment(comment) => inside[index] |= comment.span.is_within(*value),
        other => *value = if let Node::Leaf(leaf) = other { leaf.span } else { Span::default() },
    };
    let (mut before, mut behind) = (Span::default(), Span::default());
    (0..branch.items.len()).for_each(|index| mark(&mut before, index));
    (0..branch.items.len()).rev().for_each(|index| mark(&mut behind, index));
    inside
}

/// A comment's text without line breaks, which would end it: nobody but the holder of the data key can have put one in.
fn one_line(text: &[u8]) -> Vec<u8> {
    text.iter().map(|b| if matches!(b, b'\n' | b'\r') { b' ' } else { *b }).collect()
}

/// Takes the last line break off, if there is one.
pub(super) fn strip_line_break(bytes: &mut Vec<u8>) {
    if bytes.ends_with(b"\n") {
        bytes.pop();
        if bytes.ends_with(b"\r") {
            bytes.pop();
        }
    }
}
