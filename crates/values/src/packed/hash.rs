//! A small hash: field and value in turn, an expiry before a field that has one, in the order in
//! which the fields came.
//!
//! ```text
//! | field | value | expiry | field | value | field | value | …
//! ```

#![forbid(unsafe_code)]

use std::collections::HashSet;
use std::ops::Range;

use crate::Value;

use super::{
    EXPIRY, EXPIRY_LEN, Encoded, Item, Malformed, Splice, checked, decode_value, load, skip,
};

/// A field with all that belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Field<'a> {
    /// Where it lies, with its value and its expiry. A cut of the range removes the field.
    pub range: Range<usize>,
    /// Its name.
    pub name: Value<'a>,
    /// Its value.
    pub value: Value<'a>,
    /// When it expires, in milliseconds of Unix time.
    pub expires_at: Option<u64>,
    name_at: usize,
    value_at: usize,
}

impl Field<'_> {
    /// Gives the field another value; the expiry stays.
    pub fn set_value<'v>(&self, value: Value<'v>) -> Splice<'v> {
        Splice::new(self.value_at..self.range.end, [Encoded::of(value)])
    }

    /// Gives the field an expiry or takes it away; the value stays.
    pub fn set_expiry(&self, expires_at: Option<u64>) -> Splice<'static> {
        Splice::new(self.range.start..self.name_at, [expiry(expires_at)])
    }
}

fn expiry(expires_at: Option<u64>) -> Encoded<'static> {
    expires_at.map_or(Encoded::NOTHING, Encoded::expiry)
}

/// The fields of a hash.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    run: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    #[inline]
    fn next(&mut self) -> Option<Field<'a>> {
        let field = field_at(self.run, self.at);
        debug_assert!(field.is_some() || self.at >= self.run.len(), "no field at {}", self.at);
        self.at = field.as_ref()?.range.end;
        field
    }
}

/// The fields.
#[inline]
pub fn fields(run: &[u8]) -> Fields<'_> {
    Fields { run, at: 0 }
}

/// The field at `at`.
#[inline]
fn field_at(run: &[u8], at: usize) -> Option<Field<'_>> {
    let name_at = name_of(run, at);
    let expires_at = if name_at > at { Some(load(run.get(at + 1..name_at)?)) } else { None };
    let (name, value_at) = decode_value(run, name_at)?;
    let (value, end) = decode_value(run, value_at)?;
    Some(Field { range: at..end, name, value, expires_at, name_at, value_at })
}

/// Where the name of the field at `at` begins.
#[inline]
fn name_of(run: &[u8], at: usize) -> usize {
    if run.get(at) == Some(&EXPIRY) { at + 1 + EXPIRY_LEN } else { at }
}

/// The number of fields.
pub fn len(run: &[u8]) -> usize {
    let (mut at, mut count) = (0, 0);
    while at < run.len() {
        at = skip(run, skip(run, name_of(run, at)));
        count += 1;
    }
    count
}

/// The field of this name.
#[inline]
pub fn find<'a>(run: &'a [u8], name: Value<'_>) -> Option<Field<'a>> {
    look(run, name).ok()
}

/// The field of this name, or how many fields there are, none of which has it.
#[inline]
pub fn look<'a>(run: &'a [u8], name: Value<'_>) -> Result<Field<'a>, usize> {
    let name = Encoded::of(name);
    let (mut at, mut count) = (0, 0);
    while at < run.len() {
        let name_at = name_of(run, at);
        if name.is_at(run, name_at) {
            return field_at(run, at).ok_or(count);
        }
        at = skip(run, skip(run, name_at));
        count += 1;
    }
    Err(count)
}

/// Puts a field with its value and its expiry in the place of a range.
#[inline]
pub fn put<'a>(
    range: Range<usize>,
    name: Value<'a>,
    value: Value<'a>,
    expires_at: Option<u64>,
) -> Splice<'a> {
    Splice::new(range, [expiry(expires_at), Encoded::of(name), Encoded::of(value)])
}

/// Sets a field with its value and its expiry; and whether it is new.
pub fn set<'a>(
    run: &[u8],
    name: Value<'a>,
    value: Value<'a>,
    expires_at: Option<u64>,
) -> (Splice<'a>, bool) {
    match look(run, name) {
        Ok(field) if field.expires_at == expires_at => (field.set_value(value), false),
        Ok(field) => (put(field.range, name, value, expires_at), false),
        Err(_) => (put(run.len()..run.len(), name, value, expires_at), true),
    }
}

/// Takes a field out; nothing to do when it is not there.
pub fn remove(run: &[u8], name: Value<'_>) -> Option<Splice<'static>> {
    find(run, name).map(|field| Splice::cut(field.range))
}

/// When the first field expires, in milliseconds of Unix time.
pub fn earliest_expiry(run: &[u8]) -> Option<u64> {
    fields(run).filter_map(|field| field.expires_at).min()
}

/// The first field that expires at `now_ms` or before.
pub fn first_due(run: &[u8], now_ms: u64) -> Option<Field<'_>> {
    fields(run).find(|field| field.expires_at.is_some_and(|at| at <= now_ms))
}

/// Whether bytes from outside are a hash; its number of fields.
pub fn check(bytes: &[u8]) -> Result<usize, Malformed> {
    let mut names = HashSet::new();
    let mut items = checked(bytes);
    while let Some(item) = items.next() {
        let (range, item) = item?;
        let fault = Err(Malformed { at: range.start });
        let (name, item) = match item {
            Item::Expiry(_) => match items.next() {
                Some(named) => named?,
                None => return fault,
            },
            _ => (range, item),
        };
        let Some(value) = items.next() else { return fault };
        let is_field = item.value().is_some() && value?.1.value().is_some();
        if !is_field || !names.insert(&bytes[name]) {
            return fault;
        }
    }
    Ok(names.len())
}
