"""The cases about streams, bitmaps, HyperLogLogs and geo sets; what a stream entry costs.

Entries of the stream that is read have numbers as ids, `1000000-1` and so on, so that ranges can
begin anywhere and a consumer can acknowledge what it has just read without looking at it: it reads
in order, and the reply to XACK tells that just these entries were pending. Numbers begin at
100000 or 1000000 where a server may refuse zeros in front.
"""

from collection_cases import (
    BATCH,
    MILLION,
    RANGE,
    Collection,
    CollectionCase,
    Fill,
    Shape,
    batch,
)

MIB = 1 << 20
BITS = 1_000_000
CHUNK = 1024  # Bytes of one APPEND.
DIGITS = 8
DENSE = 100_000  # Members that surely make a HyperLogLog dense.
MANY_MEMBERS = 4_000_000_000  # So many that hardly one is drawn twice.
# Members lie from 10 to 100 degrees east and 41 to 50 north, where a circle of this radius holds
# about a hundred of a million.
LONGITUDE, LATITUDE = "{{{}~2+{}}}.{{=~6+{}}}", "4{{=~1+{}}}.{{=~6+{}}}"
RADIUS_KM = 14.5


def entry(key, value="val:{=12}"):
    return f"XADD {key} {{7}}-1 f {value}"


STREAM = Fill(
    entry("stream"), MILLION, ("XLEN", "stream"), MILLION, MILLION, expect="text", connections=1
)


def bitmap(key, first):
    """A string of 1 MiB, with digits in no order."""
    numbers = MIB // DIGITS
    return Fill(
        f"APPEND {key} " + f"{{~{DIGITS}}}" * (CHUNK // DIGITS),
        numbers,
        ("STRLEN", key),
        MIB,
        first,
        expect="integer",
    )


def dense(key, first):
    command = batch(f"PFADD {key}", "mem:{12}")
    return Fill(command, DENSE, ("PFCOUNT", key), None, first, expect="integer")


def place(first="", salt=0):
    """A longitude and a latitude; the first number is drawn unless it is said to be repeated."""
    longitude = LONGITUDE.format(first, salt, salt + MILLION)
    return f"{longitude} {LATITUDE.format(salt + 2 * MILLION, salt + 3 * MILLION)}"


GEO = Fill(
    batch("GEOADD geo", place() + " mem:{=12}"),
    MILLION,
    ("ZCARD", "geo"),
    MILLION,
    expect=f"integer:{BATCH}",
)


def type_cases():
    """The bars on CPU per operation; cases with the same data stand together."""
    return stream_cases() + bit_cases() + hyperloglog_cases() + geo_cases()


def stream_cases():
    stream = Collection((STREAM,), "stream")
    read_group = (
        f"XREADGROUP GROUP group one COUNT {RANGE} STREAMS stream > ; "
        + batch("XACK stream group", "{7}-1", RANGE)
    )
    new_group = (
        ("XGROUP", "DESTROY", "stream", "group"),
        ("XGROUP", "CREATE", "stream", "group", "0"),
    )
    add, trim = "XADD stream * f val:{12}", f"XADD stream MAXLEN ~ {MILLION} * f val:{{12}}"
    return [
        CollectionCase(
            "xrange100",
            stream,
            f"XRANGE stream {{7}}-1 + COUNT {RANGE}",
            f"items:{RANGE}",
            first=MILLION,
            keys=MILLION - RANGE,
        ),
        CollectionCase(
            "xreadgroup100+xack",
            stream,
            read_group,
            f"items:1;integer:{RANGE}",
            first=MILLION,
            before=new_group,
            connections=1,
        ),
        CollectionCase("xadd", stream, add, "text", grows=STREAM),
        CollectionCase("xadd-maxlen", stream, trim, "text", grows=STREAM),
    ]


def bit_cases():
    bits = Fill(f"SETBIT bits {BITS - 1} 0", 1, ("STRLEN", "bits"), BITS // 8, expect="integer")
    data = Collection((bits, bitmap("one", 0), bitmap("two", MIB)), "bitmaps")
    some_bit = {"first": BITS // 10, "keys": BITS - BITS // 10}
    both = "SETBIT bits {6} 1 ; SETBIT bits {6} 0"  # Else all bits would soon be set.
    return [
        CollectionCase("setbit", data, both, "integer;integer", **some_bit),
        CollectionCase("getbit", data, "GETBIT bits {6}", "integer", **some_bit),
        CollectionCase("bitcount-1m", data, "BITCOUNT one", "integer"),
        CollectionCase("bitop-and-1m", data, "BITOP AND both one two", f"integer:{MIB}"),
    ]


def hyperloglog_cases():
    data = Collection((dense("one", 0), dense("two", DENSE)), "HyperLogLogs")
    empty = Collection((), "nothing")
    return [
        CollectionCase("pfadd", data, "PFADD one mem:{12}", "integer", keys=MANY_MEMBERS),
        CollectionCase("pfmerge2", data, "PFMERGE both one two", "done"),
        CollectionCase("pfcount2", data, "PFCOUNT one two", "integer"),
        CollectionCase(
            "pfadd-new", empty, "PFADD hll:{12} mem:{=12}", "integer:1", before=(("FLUSHALL",),)
        ),
    ]


def geo_cases():
    geo = Collection((GEO,), "geo")
    search = f"GEOSEARCH geo FROMLONLAT {place(salt=5 * MILLION)} BYRADIUS {RADIUS_KM} km"
    return [
        CollectionCase("geosearch100", geo, search, "array"),
        CollectionCase("geosearch100-near", geo, f"{search} ASC COUNT {RANGE} WITHDIST", "array"),
        CollectionCase("geoadd", geo, f"GEOADD geo {place()} mem:{{=12}}", "integer:1", grows=GEO),
    ]


# ------------------------------------------------------------------ memory


def type_shapes():
    """An entry with one field: 16 bytes in its value or in its name."""

    def stream(field):
        return Fill(
            f"XADD stream * {field}", MILLION, ("XLEN", "stream"), MILLION, MILLION, expect="text"
        )

    return [
        Shape("stream entry, value of 16 bytes", stream("f val:{12}")),
        Shape("stream entry, name of 16 bytes", stream("field-of-an-item {~1}")),
    ]
