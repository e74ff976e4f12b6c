"""The cases about collections: what a server must hold, what is sent, what an item costs.

Members, fields and values have 16 bytes and are made from their number, so every server holds the
same. Commands are written as bench-load takes them: `{12}` is the next number in twelve digits,
`{=12}` the same once more, `{~9}` the number scattered over all numbers of nine digits. Cases of
the other types stand in type_cases.py.
"""

from dataclasses import dataclass

MILLION = 1_000_000
FILL_CONNECTIONS, FILL_PIPELINE = 4, 20
BATCH = 50  # Members of one command of a fill.
DAY_MS = 86_400_000
RANGE = 100
FIELDS = 20
LISTS, LIST_ITEMS = 1000, 1000
SMALL_ITEMS = 10
SMALL_KEYS = 100_000
PIPELINE = 30
# Cases that make a collection grow or shrink run for so many operations, not for a time, so that
# all servers go through the same sizes. Before each measurement the collection is made anew.
WARM_STEPS, STEPS, LIST_STEPS = 100_000, 900_000, 2_900_000


@dataclass(frozen=True)
class Fill:
    """A command sent until `numbers` numbers are used up.

    The server must then answer the question with this number, or with any above 0 if it is None.
    """

    command: str
    numbers: int
    question: tuple
    answer: int | None
    first: int = 0
    expect: str = f"integer:{BATCH}"
    connections: int = FILL_CONNECTIONS  # Only one keeps the numbers in order.

    def words(self, first=None, numbers=None):
        return [
            "--fill",
            "--command",
            self.command,
            "--expect",
            self.expect,
            "--first",
            self.first if first is None else first,
            "--keys",
            self.numbers if numbers is None else numbers,
            "--pipeline",
            FILL_PIPELINE * FILL_CONNECTIONS // self.connections,
            "--connections",
            self.connections,
        ]

    def run(self, bench, server):
        bench.load(server, self.words())
        server.check(self.answer, *self.question)


def batch(head, item, count=BATCH):
    return f"{head} " + " ".join([item] * count)


def big(key, command, item, question, numbers=MILLION):
    """One collection with many items."""
    expect = "integer" if command == "RPUSH" else f"integer:{BATCH}"
    return Fill(batch(f"{command} {key}", item), numbers, (question, key), numbers, expect=expect)


FIELD, MEMBER = "fld:{12} val:{=12}", "mem:{12}"
LIST = big("list", "RPUSH", MEMBER, "LLEN")
SET = big("set", "SADD", MEMBER, "SCARD")
HASH = big("hash", "HSET", FIELD, "HLEN")
ZSET = big("zset", "ZADD", "{~9} mem:{=12}", "ZCARD")
MANY_LISTS = Fill(
    batch("RPUSH lst:{12}", "mem:{=12}", LIST_ITEMS),
    LISTS,
    ("LLEN", "lst:000000000000"),
    LIST_ITEMS,
    expect=f"integer:{LIST_ITEMS}",
)
HASHES = Fill(
    "HSET hsh:{12} " + " ".join(f"field:{n:010} val:{{=12}}" for n in range(FIELDS)),
    50_000,
    ("HLEN", "hsh:000000000000"),
    FIELDS,
    expect=f"integer:{FIELDS}",
)


@dataclass(frozen=True)
class Collection:
    """What the servers hold for some cases."""

    fills: tuple
    label: str

    def run(self, bench, server):
        for fill in self.fills:
            fill.run(bench, server)


@dataclass(frozen=True)
class CollectionCase:
    """A command measured; `first` and `keys` say which numbers are drawn for it."""

    workload: str
    data: Collection
    command: str
    expect: str
    keys: int = MILLION
    first: int = 0
    grows: Fill | None = None  # What grows or shrinks, as it is before a measurement.
    before: tuple = ()  # Commands sent before a measurement, which then takes steps, too.
    steps: int = STEPS
    pipeline: int = PIPELINE
    connections: int | None = None  # One where the order counts.

    @property
    def label(self):
        return f"{self.workload} p{self.pipeline}"

    def prepare(self, bench, server):
        if self.grows:
            server.ask("DEL", self.grows.question[-1])
            self.grows.run(bench, server)
        for words in self.before:
            server.done(*words)
        server.wait_idle()

    def runs(self, options):
        """The words of the warm-up and of the measurement."""
        common = ["--command", self.command, "--expect", self.expect, "--value-size", 16]
        common += ["--pipeline", self.pipeline]
        if self.connections:
            common += ["--connections", self.connections]
        if self.grows or self.before:
            first = self.grows.first + self.grows.numbers if self.grows else self.first
            warm = ["--fill", "--first", first, "--keys", WARM_STEPS]
            rest = ["--fill", "--first", first + WARM_STEPS, "--keys", self.steps]
            return common + warm, common + rest
        common += ["--first", self.first, "--keys", self.keys]
        warm = [*common, "--seconds", options.warm, "--seed", 2]
        return warm, [*common, "--seconds", options.seconds]


def collection_cases():
    """The bars on CPU per operation; cases with the same data stand together."""
    lists = Collection((MANY_LISTS,), "lists")
    sets = Collection((SET,), "set")
    hashes = Collection((HASH, HASHES), "hashes")
    sorted_sets = Collection((ZSET,), "sorted set")
    long_list = big("list", "RPUSH", MEMBER, "LLEN", 4 * MILLION)
    some_list = f"LRANGE lst:{{12}} 0 {RANGE - 1}"
    some_ranks = f"ZRANGE zset {{6}} {{=6+{RANGE - 1}}}"  # A number may not begin with a zero.
    ranks = {"first": 100_000, "keys": MILLION - 100_000 - RANGE}
    return [
        CollectionCase("lrange100", lists, some_list, f"values:{RANGE}", keys=LISTS),
        CollectionCase(
            "lpush", lists, "LPUSH list mem:{12}", "integer", grows=LIST, steps=LIST_STEPS
        ),
        CollectionCase("lpop", lists, "LPOP list", "value", grows=long_list, steps=LIST_STEPS),
        CollectionCase("sismember", sets, "SISMEMBER set mem:{12}", "integer:1"),
        CollectionCase("sadd-old", sets, "SADD set mem:{12}", "integer:0"),
        CollectionCase("sadd", sets, "SADD set mem:{12}", "integer:1", grows=SET),
        CollectionCase("hget", hashes, "HGET hash fld:{12}", "value"),
        CollectionCase(
            "hget-small", hashes, "HGET hsh:{12} field:0000000013", "value", keys=HASHES.numbers
        ),
        CollectionCase(
            "hgetall20", hashes, "HGETALL hsh:{12}", f"values:{2 * FIELDS}", keys=HASHES.numbers
        ),
        CollectionCase("hset-old", hashes, f"HSET hash {FIELD}", "integer:0"),
        CollectionCase("hset", hashes, f"HSET hash {FIELD}", "integer:1", grows=HASH),
        CollectionCase("zrank", sorted_sets, "ZRANK zset mem:{12}", "integer"),
        CollectionCase("zrange100", sorted_sets, some_ranks, f"values:{RANGE}", **ranks),
        CollectionCase("zincrby", sorted_sets, "ZINCRBY zset 1000000 mem:{12}", "text"),
        CollectionCase("zadd-old", sorted_sets, "ZADD zset {~9} mem:{12}", "integer:0"),
        CollectionCase("zadd", sorted_sets, "ZADD zset {~9} mem:{=12}", "integer:1", grows=ZSET),
    ]


# ------------------------------------------------------------------ memory


@dataclass(frozen=True)
class Shape:
    """A collection, or many small ones, whose items are weighed."""

    name: str
    fill: Fill
    stages: tuple = ()  # Numbers of items; without any, those of the options.
    then: Fill | None = None  # A command whose cost is weighed, instead of that of the fill.


def expiry(numbers):
    """Lets so many fields of the big hash expire; the question is the lifetime of its field 0."""
    return Fill(
        batch(f"HPEXPIRE hash {DAY_MS} FIELDS {BATCH}", "fld:{12}"),
        numbers,
        ("HPEXPIRETIME", "hash", "FIELDS", "1", "fld:000000000000"),
        None,
        expect=f"items:{BATCH}",
    )


def shapes():
    small_fields = " ".join(f"field{n} v{{=7}}" for n in range(SMALL_ITEMS))
    small_hash = Fill(
        "HSET hsh:{12} " + small_fields,
        SMALL_KEYS,
        ("DBSIZE",),
        SMALL_KEYS,
        expect=f"integer:{SMALL_ITEMS}",
    )
    # Six digits in each number, so that Redis's intset takes four bytes for each.
    integers = " ".join(f"{{=6+{n}}}" for n in range(SMALL_ITEMS))
    small_set = Fill(
        "SADD set:{12} " + integers,
        SMALL_KEYS,
        ("DBSIZE",),
        SMALL_KEYS,
        first=SMALL_KEYS,
        expect=f"integer:{SMALL_ITEMS}",
    )
    return [
        Shape("list element", LIST),
        Shape("set member", SET),
        Shape("hash field and value", HASH),
        Shape("sorted-set member", ZSET),
        Shape("key: hash of 10 fields", small_hash, (SMALL_KEYS,)),
        Shape("key: set of 10 integers", small_set, (SMALL_KEYS,)),
        Shape("expiry of each field", HASH, (MILLION,), expiry(MILLION)),
        Shape(f"expiry of {BATCH} fields, for all", HASH, (MILLION,), expiry(BATCH)),
    ]
