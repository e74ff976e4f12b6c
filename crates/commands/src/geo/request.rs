//! What a search for members by their places is asked for.

use protocol::number::{parse_f64, parse_i64};
use values::geo::{Area, Point, cell};
use values::typed::SortedSetRef;

use super::{point, unit};
use crate::context::Args;
use crate::failure::{Failure, Outcome};

const NO_SUCH_MEMBER: Failure = Failure::text("ERR could not decode requested zset member");
const NOT_RADIUS: Failure = Failure::text("ERR need numeric radius");
const NEGATIVE_RADIUS: Failure = Failure::text("ERR radius cannot be negative");
const NOT_WIDTH: Failure = Failure::text("ERR need numeric width");
const NOT_HEIGHT: Failure = Failure::text("ERR need numeric height");
const NEGATIVE_SIDE: Failure = Failure::text("ERR height or width cannot be negative");
const NOT_CORNERS: Failure = Failure::text("ERR invalid number of vertices");
const FEW_CORNERS: Failure = Failure::text("ERR GEOSEARCH BYPOLYGON must have at least 3 vertices");
const CORNERS_MIN: usize = 3;
const BAD_COUNT: Failure = Failure::text("ERR COUNT must be > 0");
const ANY_OF_ALL: Failure = Failure::text("ERR the ANY argument requires COUNT argument");
const SHOWN_AND_STORED: Failure = Failure::text(
    "ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
);
const SHOWN_BY_STORE: Failure = Failure::text(
    "ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
);

/// How a command says what it searches for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// GEORADIUS: a place and a radius, then options.
    Place { may_store: bool },
    /// GEORADIUSBYMEMBER: a member and a radius, then options.
    Member { may_store: bool },
    /// GEOSEARCH: all in options.
    Search,
    /// GEOSEARCHSTORE: the same behind two keys.
    SearchStore,
}

/// In which order members come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sorted {
    /// As they are found.
    Not,
    /// The nearest first.
    Nearest,
    /// The farthest first.
    Farthest,
}

/// What is shown of each member, or stored.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct Shown {
    pub(super) distance: bool,
    pub(super) hash: bool,
    pub(super) point: bool,
}

/// What a search is asked for, but for the area.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Request {
    pub(super) shown: Shown,
    pub(super) sorted: Sorted,
    /// How many members are wanted.
    pub(super) count: Option<usize>,
    /// Whether any will do, so that the search ends when enough are found.
    pub(super) any: bool,
    /// Whether the members are stored.
    pub(super) stores: bool,
    /// Whether they are stored with their distances.
    pub(super) stores_distances: bool,
    /// Metres of the unit in which distances are told.
    pub(super) unit: f64,
}

/// An area that is asked for.
enum Shape {
    Circle { radius: f64, unit: f64 },
    Rectangle { width: f64, height: f64, unit: f64 },
    Polygon(Vec<Point>),
}

/// From where distances are measured.
#[derive(Clone, Copy)]
enum Center {
    Place(Point),
    /// The place of a member, if its set is there.
    Member(Option<Point>),
}

/// Reads the words of a search in a set, which need not be there. Then there is no area.
pub(super) fn read(
    args: Args<'_>,
    form: Form,
    set: Option<SortedSetRef<'_>>,
) -> Result<(Request, Option<Area>), Failure> {
    let mut reader = Reader::new(args, form, set);
    reader.read_fixed()?;
    while reader.at < args.len() {
        reader.read_option()?;
    }
    reader.finish()
}

struct Reader<'a> {
    args: Args<'a>,
    form: Form,
    set: Option<SortedSetRef<'a>>,
    /// The next word.
    at: usize,
    request: Request,
    center: Option<Center>,
    shape: Option<Shape>,
}

impl<'a> Reader<'a> {
    fn new(args: Args<'a>, form: Form, set: Option<SortedSetRef<'a>>) -> Self {
        let request = Request {
            shown: Shown::default(),
            sorted: Sorted::Not,
            count: None,
            any: false,
            stores: form == Form::SearchStore,
            stores_distances: false,
            unit: 1.0,
        };
        let at = if form == Form::SearchStore { 3 } else { 2 };
        Self { args, form, set, at, request, center: None, shape: None }
    }

    fn next(&mut self) -> &'a [u8] {
        let word = self.args.get(self.at);
        self.at = self.at.saturating_add(1);
        word
    }

    /// Words that are left.
    fn left(&self) -> usize {
        self.args.len().saturating_sub(self.at)
    }

    /// Reads what stands before all options.
    fn read_fixed(&mut self) -> Outcome {
        match self.form {
            Form::Search | Form::SearchStore => return Ok(()),
            Form::Place { .. } => {
                self.center = Some(Center::Place(point(self.next(), self.next())?));
            }
            Form::Member { .. } if self.set.is_none() => {
                // As in Redis, what follows is not looked at.
                self.at = self.at.saturating_add(3);
                return Ok(());
            }
            Form::Member { .. } => self.read_member()?,
        }
        self.read_circle()
    }

    fn read_member(&mut self) -> Outcome {
        let member = self.next();
        let place = match self.set {
            Some(set) => {
                let score = set.score(member).ok_or(NO_SUCH_MEMBER)?;
                Some(cell::point(score.get()))
            }
            None => None,
        };
        self.center = Some(Center::Member(place));
        Ok(())
    }

    fn read_circle(&mut self) -> Outcome {
        let radius = parse_f64(self.next()).ok_or(NOT_RADIUS)?;
        if radius < 0.0 {
            return Err(NEGATIVE_RADIUS);
        }
        self.shape = Some(Shape::Circle { radius, unit: unit(self.next())? });
        Ok(())
    }

    fn read_rectangle(&mut self) -> Outcome {
        let width = parse_f64(self.next()).ok_or(NOT_WIDTH)?;
        let height = parse_f64(self.next()).ok_or(NOT_HEIGHT)?;
        if width < 0.0 || height < 0.0 {
            return Err(NEGATIVE_SIDE);
        }
        self.shape = Some(Shape::Rectangle { width, height, unit: unit(self.next())? });
        Ok(())
    }

    fn read_polygon(&mut self) -> Outcome {
        let corners = parse_i64(self.next()).and_then(|corners| i32::try_from(corners).ok());
        let corners = usize::try_from(corners.ok_or(NOT_CORNERS)?).unwrap_or(0);
        if corners < CORNERS_MIN || corners > self.left() / 2 {
            return Err(FEW_CORNERS);
        }
        let corners = (0..corners).map(|_| point(self.next(), self.next()));
        self.shape = Some(Shape::Polygon(corners.collect::<Result<_, _>>()?));
        Ok(())
    }

    fn read_option(&mut self) -> Outcome {
        let word = self.next();
        let is = |token: &[u8]| word.eq_ignore_ascii_case(token);
        let Request { shown, sorted, any, .. } = &mut self.request;
        if is(b"withdist") {
            shown.distance = true;
        } else if is(b"withhash") {
            shown.hash = true;
        } else if is(b"withcoord") {
            shown.point = true;
        } else if is(b"any") {
            *any = true;
        } else if is(b"asc") {
            *sorted = Sorted::Nearest;
        } else if is(b"desc") {
            *sorted = Sorted::Farthest;
        } else if is(b"count") && self.left() >= 1 {
            let count = parse_i64(self.next()).ok_or(Failure::NotInteger)?;
            let count = usize::try_from(count).ok().filter(|count| *count > 0);
            self.request.count = Some(count.ok_or(BAD_COUNT)?);
        } else {
            return match self.form {
                Form::Place { may_store } | Form::Member { may_store } => {
                    self.read_store(word, may_store)
                }
                Form::Search | Form::SearchStore => self.read_search(word),
            };
        }
        Ok(())
    }

    /// Reads where members are stored; the key specs find it too.
    fn read_store(&mut self, word: &[u8], may_store: bool) -> Outcome {
        let token = store_token(word).filter(|_| may_store && self.left() >= 1);
        let token = token.ok_or(Failure::Syntax)?;
        self.request.stores = true;
        self.request.stores_distances = token == STOREDIST;
        self.next();
        Ok(())
    }

    fn read_search(&mut self, word: &[u8]) -> Outcome {
        let is = |token: &[u8]| word.eq_ignore_ascii_case(token);
        // An option may be repeated, but neither centre nor shape may be said in two ways.
        let left = self.left();
        let is_from = |is_same: fn(&Center) -> bool| self.center.as_ref().is_none_or(is_same);
        let is_by = |is_same: fn(&Shape) -> bool| self.shape.as_ref().is_none_or(is_same);
        let has_own_center = matches!(self.shape, Some(Shape::Polygon(_)));
        if is(b"storedist") && self.form == Form::SearchStore {
            self.request.stores_distances = true;
            Ok(())
        } else if is(b"frommember")
            && left >= 1
            && !has_own_center
            && is_from(|center| matches!(center, Center::Member(_)))
        {
            self.read_member()
        } else if is(b"fromlonlat")
            && left >= 2
            && !has_own_center
            && is_from(|center| matches!(center, Center::Place(_)))
        {
            self.center = Some(Center::Place(point(self.next(), self.next())?));
            Ok(())
        } else if is(b"byradius")
            && left >= 2
            && is_by(|shape| matches!(shape, Shape::Circle { .. }))
        {
            self.read_circle()
        } else if is(b"bybox")
            && left >= 3
            && is_by(|shape| matches!(shape, Shape::Rectangle { .. }))
        {
            self.read_rectangle()
        } else if is(b"bypolygon")
            && left >= 2
            && self.center.is_none()
            && is_by(|shape| matches!(shape, Shape::Polygon(_)))
        {
            self.read_polygon()
        } else {
            Err(Failure::Syntax)
        }
    }

    /// Sees to it that nothing is missing, and nothing contradicts itself.
    fn finish(mut self) -> Result<(Request, Option<Area>), Failure> {
        let is_search = matches!(self.form, Form::Search | Form::SearchStore);
        if self.request.stores && self.request.shown != Shown::default() {
            return Err(if is_search { SHOWN_BY_STORE } else { SHOWN_AND_STORED });
        }
        let missing = |what: &str| {
            let before = format!("ERR exactly one of {what} can be specified for ");
            Failure::quoting(&before, self.args.get(0), "")
        };
        let is_polygon = matches!(self.shape, Some(Shape::Polygon(_)));
        if is_search && self.center.is_none() && !is_polygon {
            return Err(missing("FROMMEMBER or FROMLONLAT"));
        }
        if is_search && self.shape.is_none() {
            return Err(missing("BYRADIUS and BYBOX"));
        }
        if self.request.any && self.request.count.is_none() {
            return Err(ANY_OF_ALL);
        }
        if self.request.count.is_some() && self.request.sorted == Sorted::Not && !self.request.any {
            self.request.sorted = Sorted::Nearest;
        }
        let place = match self.center {
            Some(Center::Place(place) | Center::Member(Some(place))) => Some(place),
            _ => None,
        };
        let area = match (self.shape, place) {
            (Some(Shape::Circle { radius, unit }), Some(place)) => {
                self.request.unit = unit;
                Some(Area::circle(place, radius, unit))
            }
            (Some(Shape::Rectangle { width, height, unit }), Some(place)) => {
                self.request.unit = unit;
                Some(Area::rectangle(place, width, height, unit))
            }
            (Some(Shape::Polygon(corners)), _) => Some(Area::polygon(corners)),
            _ => None,
        };
        Ok((self.request, area))
    }
}

const STORE: &str = "STORE";
const STOREDIST: &str = "STOREDIST";

/// The word that says where members are stored, if this is one.
fn store_token(word: &[u8]) -> Option<&'static str> {
    [STORE, STOREDIST].into_iter().find(|token| word.eq_ignore_ascii_case(token.as_bytes()))
}

/// Where the members that GEORADIUS finds are stored, if the words from `first` on say that: the
/// last word that says it, and the index of the key behind.
pub(crate) fn destination<'a>(
    first: usize,
    words: usize,
    word: impl Fn(usize) -> &'a [u8],
) -> Option<(&'static str, usize)> {
    let (mut at, mut found) = (first, None);
    while at.saturating_add(1) < words {
        let token = store_token(word(at));
        at = at.saturating_add(1);
        if let Some(token) = token {
            found = Some((token, at));
            at = at.saturating_add(1);
        }
    }
    found
}
