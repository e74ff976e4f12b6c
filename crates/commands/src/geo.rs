//! Points on earth, kept as scores of sorted sets: the rows of the family, and what adds points or
//! looks at single ones.
//!
//! ```text
//! request    what a search is asked for
//! search     GEOSEARCH, GEORADIUS and their like
//! ```
//!
//! What points, cells, distances and areas are: see [`values::geo`].

mod request;
mod search;

use protocol::number::parse_f64;
use protocol::reply::Reply;
use values::Score;
use values::geo::{Point, cell, earth};
use values::typed::SortedSets;

pub(crate) use self::request::destination;
use crate::sorted_sets::write::{Options, add_many, add_one};
use crate::spec::arguments::{Argument, block, double, integer, key, oneof, string, token};
use crate::spec::{Access, Find, Flags, Group, KeySpec};
use crate::{Command, Context, Failure, Handler, Outcome};

const READ: Flags = Flags::READONLY;
const READ_SHORT: Flags = READ.union(Flags::SHORT);
const WRITE: Flags = Flags::WRITE.union(Flags::DENYOOM);
const READ_ONE: &[KeySpec] = &[KeySpec::one(Access::READ)];

const UNIT: Argument = oneof("unit").of(&[token("M"), token("KM"), token("FT"), token("MI")]);
const COORDINATES: &[Argument] = &[double("longitude"), double("latitude")];
const WITHCOORD: Argument = token("WITHCOORD").opt();
const WITHDIST: Argument = token("WITHDIST").opt();
const WITHHASH: Argument = token("WITHHASH").opt();
const ORDER: Argument = oneof("order").opt().of(&[token("ASC"), token("DESC")]);
const COUNT: Argument =
    block("count-block").opt().of(&[integer("count").after("COUNT"), token("ANY").opt()]);
/// As before, where Redis tells since when there is ANY.
const COUNT_LATER: Argument = block("count-block")
    .opt()
    .of(&[integer("count").after("COUNT"), token("ANY").opt().since("6.2.0")]);
const STORE: Argument = oneof("store").opt().of(&[
    key("storekey").shown("key").after("STORE").in_spec(1),
    key("storedistkey").shown("key").after("STOREDIST").in_spec(2),
]);
const FROM: Argument = oneof("from").opt().of(&[
    string("member").after("FROMMEMBER"),
    block("fromlonlat").after("FROMLONLAT").of(COORDINATES),
]);
const BY: Argument = oneof("by").of(&[
    block("circle").of(&[double("radius").after("BYRADIUS"), UNIT]),
    block("box").of(&[double("width").after("BYBOX"), double("height"), UNIT]),
    block("polygon").since("9.0.0").of(&[
        integer("num-vertices").after("BYPOLYGON"),
        block("vertices").many().of(COORDINATES),
    ]),
]);
const NAMED: &[Argument] = &[key("key"), string("member").opt().many()];

const OF_AREA: &str = "O(N+log(M)) with N the members in the cells around the area and M all";
const UNITS: (&str, &str) = ("7.0.0", "Units in capitals.");
const ANY: (&str, &str) = ("6.2.0", "`ANY`.");
const POLYGONS: (&str, &str) = ("9.0.0", "`BYPOLYGON` (Valkey).");

/// The rows of this family.
pub static COMMANDS: &[Command<Handler>] = &[
    Command::<Handler>::new("geoadd", -5, geoadd)
        .members(4, 3)
        .flags(WRITE.union(Flags::SHORT))
        .keys(&[KeySpec::one(Access::UPDATE)])
        .docs(Group::Geo, "3.2.0", "Gives members a place, and adds those that are not there.")
        .complexity("O(log(N)) for each member, with N the number of members")
        .history(&[("6.2.0", "`CH`, `NX` and `XX`.")])
        .args(&[
            key("key"),
            oneof("condition").opt().since("6.2.0").of(&[token("NX"), token("XX")]),
            token("CH").named("change").opt().since("6.2.0"),
            block("data").many().of(&[double("longitude"), double("latitude"), string("member")]),
        ]),
    Command::<Handler>::new("geodist", -4, geodist)
        .members(2, 1)
        .flags(READ_SHORT)
        .keys(READ_ONE)
        .docs(Group::Geo, "3.2.0", "Tells how far two members are from each other.")
        .complexity("O(1)")
        .history(&[UNITS])
        .args(&[key("key"), string("member1"), string("member2"), UNIT.opt()]),
    Command::<Handler>::new("geohash", -2, geohash)
        .members(2, 1)
        .flags(READ_SHORT)
        .keys(READ_ONE)
        .docs(Group::Geo, "3.2.0", "Tells the places of members as geohashes.")
        .complexity("O(1) for each member asked for")
        .args(NAMED),
    Command::<Handler>::new("geopos", -2, geopos)
        .members(2, 1)
        .flags(READ_SHORT)
        .keys(READ_ONE)
        .docs(Group::Geo, "3.2.0", "Tells the places of members.")
        .complexity("O(1) for each member asked for")
        .args(NAMED),
    Command::<Handler>::new("georadius", -6, search::georadius)
        .flags(WRITE)
        .keys(&[
            KeySpec::one(Access::READ),
            KeySpec::new(6, Find::Behind("STORE"), Access::OVERWRITE),
            KeySpec::new(6, Find::Behind("STOREDIST"), Access::OVERWRITE),
        ])
        .docs(Group::Geo, "3.2.0", "Finds or stores the members around a place.")
        .complexity(OF_AREA)
        .history(&[ANY, UNITS])
        .deprecated("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with `BYRADIUS`")
        .args(&[
            key("key"),
            double("longitude"),
            double("latitude"),
            double("radius"),
            UNIT,
            WITHCOORD,
            WITHDIST,
            WITHHASH,
            COUNT_LATER,
            ORDER,
            STORE,
        ]),
    Command::<Handler>::new("georadius_ro", -6, search::georadius_ro)
        .flags(READ)
        .keys(READ_ONE)
        .docs(Group::Geo, "3.2.10", "Finds the members around a place.")
        .complexity(OF_AREA)
        .history(&[ANY, UNITS])
        .deprecated("6.2.0", "`GEOSEARCH` with `BYRADIUS`")
        .args(&[
            key("key"),
            double("longitude"),
            double("latitude"),
            double("radius"),
            UNIT,
            WITHCOORD,
            WITHDIST,
            WITHHASH,
            COUNT_LATER,
            ORDER,
        ]),
    Command::<Handler>::new("georadiusbymember", -5, search::georadiusbymember)
        .flags(WRITE)
        .keys(&[
            KeySpec::one(Access::READ),
            KeySpec::new(5, Find::Behind("STORE"), Access::OVERWRITE),
            KeySpec::new(5, Find::Behind("STOREDIST"), Access::OVERWRITE),
        ])
        .docs(Group::Geo, "3.2.0", "Finds or stores the members around another one.")
        .complexity(OF_AREA)
        .history(&[ANY, UNITS])
        .deprecated("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with `BYRADIUS` and `FROMMEMBER`")
        .args(&[
            key("key"),
            string("member"),
            double("radius"),
            UNIT,
            WITHCOORD,
            WITHDIST,
            WITHHASH,
            COUNT,
            ORDER,
            STORE,
        ]),
    Command::<Handler>::new("georadiusbymember_ro", -5, search::georadiusbymember_ro)
        .flags(READ)
        .keys(READ_ONE)
        .docs(Group::Geo, "3.2.10", "Finds the members around another one.")
        .complexity(OF_AREA)
        .history(&[ANY, UNITS])
        .deprecated("6.2.0", "`GEOSEARCH` with `BYRADIUS` and `FROMMEMBER`")
        .args(&[
            key("key"),
            string("member"),
            double("radius"),
            UNIT,
            WITHCOORD,
            WITHDIST,
            WITHHASH,
            COUNT,
            ORDER,
        ]),
    Command::<Handler>::new("geosearch", -7, search::geosearch)
        .flags(READ)
        .keys(READ_ONE)
        .docs(Group::Geo, "6.2.0", "Finds the members in a circle, a box or a polygon.")
        .complexity(OF_AREA)
        .history(&[UNITS, POLYGONS])
        .args(&[key("key"), FROM, BY, ORDER, COUNT, WITHCOORD, WITHDIST, WITHHASH]),
    Command::<Handler>::new("geosearchstore", -8, search::geosearchstore)
        .flags(WRITE)
        .keys(&[KeySpec::one(Access::OVERWRITE), KeySpec::at(2, Access::READ)])
        .docs(Group::Geo, "6.2.0", "Stores the members in a circle, a box or a polygon.")
        .complexity(OF_AREA)
        .history(&[UNITS, POLYGONS])
        .args(&[
            key("destination"),
            key("source").in_spec(1),
            FROM,
            BY,
            ORDER,
            COUNT,
            token("STOREDIST").opt(),
        ]),
];

/// Reads a point from two words.
fn point(longitude: &[u8], latitude: &[u8]) -> Result<Point, Failure> {
    let number = |word| parse_f64(word).ok_or(Failure::NotFloat);
    let (longitude, latitude) = (number(longitude)?, number(latitude)?);
    Point::new(longitude, latitude).ok_or_else(|| {
        let text = format!("ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}");
        Failure::Text(text.into())
    })
}

/// Reads a unit: how many metres it has.
fn unit(word: &[u8]) -> Result<f64, Failure> {
    const UNITS: [(&[u8], f64); 4] =
        [(b"m", 1.0), (b"km", 1000.0), (b"ft", 0.3048), (b"mi", 1609.34)];
    const UNKNOWN: Failure =
        Failure::text("ERR unsupported unit provided. please use M, KM, FT, MI");
    let found = UNITS.iter().find(|(name, _)| word.eq_ignore_ascii_case(name));
    found.map(|(_, metres)| *metres).ok_or(UNKNOWN)
}

/// Writes the place of a point.
fn reply_point(reply: &mut Reply<'_>, point: Point) {
    reply.array(2);
    reply.double(point.longitude);
    reply.double(point.latitude);
}

/// Writes a distance with four digits behind the point.
fn reply_distance(reply: &mut Reply<'_>, distance: f64) {
    const DIGITS: usize = 4;
    let scaled = (distance * 10_000.0).round_ties_even();
    // What is no distance is the least integer, as processors make it.
    #[expect(clippy::cast_possible_truncation, reason = "no distance on earth is as long as that")]
    let scaled = if scaled.is_nan() { i64::MIN } else { scaled as i64 };
    let (mut left, mut text, mut len) = (scaled.unsigned_abs(), [b'-'; 24], 0_usize);
    for (at, byte) in text.iter_mut().rev().enumerate() {
        if at == DIGITS {
            *byte = b'.';
        } else if left > 0 || at <= DIGITS.saturating_add(1) {
            *byte = b'0'.wrapping_add((left % 10) as u8);
            left /= 10;
        } else {
            break;
        }
        len = at.saturating_add(1);
    }
    let start = text.len().saturating_sub(len).saturating_sub(usize::from(scaled < 0));
    reply.bulk(text.get(start..).unwrap_or_default());
}

fn geoadd(ctx: &mut Context<'_>) -> Outcome {
    let (args, mut first) = (ctx.args, 2_usize);
    let mut options = Options::default();
    while first < args.len() {
        let is = |token: &[u8]| args.get(first).eq_ignore_ascii_case(token);
        match () {
            () if is(b"nx") => options.nx = true,
            () if is(b"xx") => options.xx = true,
            () if is(b"ch") => options.ch = true,
            () => break,
        }
        first = first.saturating_add(1);
    }
    let words = args.len().saturating_sub(first);
    if words == 0 || !words.is_multiple_of(3) || options.nx && options.xx {
        return Err(Failure::Syntax);
    }
    ctx.allow_members(first)?;
    let pair = |longitude, latitude, member| {
        let score = Score::or_zero(cell::score(point(longitude, latitude)?));
        Ok::<_, Failure>((score, member))
    };
    let mut words = args.from(first);
    let mut next = || Some((words.next()?, words.next()?, words.next()?));
    if args.len().saturating_sub(first) == 3 {
        let (longitude, latitude, member) = next().unwrap_or_default();
        return add_one(ctx, options, pair(longitude, latitude, member)?);
    }
    // All places are read before the first counts.
    let mut pairs = Vec::with_capacity(args.len().saturating_sub(first) / 3);
    while let Some((longitude, latitude, member)) = next() {
        pairs.push(pair(longitude, latitude, member)?);
    }
    add_many(ctx, options, &pairs)
}

/// Replies with an array of what `show` writes of each member's place; `None`: it is not there.
fn places(ctx: &mut Context<'_>, show: fn(&mut Reply<'_>, Option<Point>)) -> Outcome {
    let (key, members) = (ctx.key(0), ctx.args.from(2));
    let count = ctx.args.len().saturating_sub(2);
    let (set, reply) = ctx.read::<SortedSets>(&key)?;
    reply.array(count);
    for member in members {
        let score = set.and_then(|set| set.score(member));
        show(reply, score.map(|score| cell::point(score.get())));
    }
    Ok(())
}

fn geopos(ctx: &mut Context<'_>) -> Outcome {
    places(ctx, |reply, point| match point {
        Some(point) => reply_point(reply, point),
        None => reply.null_array(),
    })
}

fn geohash(ctx: &mut Context<'_>) -> Outcome {
    places(ctx, |reply, point| match point {
        Some(point) => reply.bulk(&cell::text(point)),
        None => reply.null(),
    })
}

fn geodist(ctx: &mut Context<'_>) -> Outcome {
    let (key, args) = (ctx.key(0), ctx.args);
    let unit = match args.len() {
        ..5 => 1.0,
        5 => unit(args.get(4))?,
        6.. => return Err(Failure::Syntax),
    };
    let (set, reply) = ctx.read::<SortedSets>(&key)?;
    let place = |at| Some(cell::point(set?.score(args.get(at))?.get()));
    match place(2).zip(place(3)) {
        Some((from, to)) => reply_distance(reply, earth::distance(from, to) / unit),
        None => reply.null(),
    }
    Ok(())
}

#[cfg(test)]
mod tests;
