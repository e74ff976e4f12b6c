"""A day in the life of an application that uses redis-py: smoke.py PORT PROTOCOL."""

import sys
import time

import redis

PORT, PROTOCOL = int(sys.argv[1]), int(sys.argv[2])


def connect(**options):
    return redis.Redis(port=PORT, protocol=PROTOCOL, **options)


def strings(r):
    assert r.ping() is True
    assert r.set("k", b"\x00\xff") is True
    assert r.get("k") == b"\x00\xff"
    assert r.get("nokey") is None
    assert r.set("k", "v", nx=True) is None
    assert r.set("k", "v", xx=True, get=True) == b"\x00\xff"
    assert r.setnx("k2", "x") and not r.setnx("k2", "x")
    assert r.setex("t", 100, "v") and 90 <= r.ttl("t") <= 100
    assert r.psetex("t", 100000, "v") and 90000 <= r.pttl("t") <= 100000
    assert r.getset("k", "w") == b"v" and r.getdel("k") == b"w" and r.getdel("k") is None
    assert r.append("a", "Hello") == 5 and r.append("a", " World") == 11
    assert r.strlen("a") == 11 and r.getrange("a", 6, -1) == b"World"
    assert r.setrange("a", 6, "Redis") == 11 and r.substr("a", 0, 4) == b"Hello"
    assert r.getex("a", ex=50) == b"Hello Redis" and 0 < r.ttl("a") <= 50
    assert r.incr("n") == 1 and r.incrby("n", 10) == 11 and r.decr("n") == 10
    assert r.decrby("n", 5) == 5 and r.incrbyfloat("f", 0.1) == 0.1
    assert r.mset({"m1": 1, "m2": 2}) is True and r.mget("m1", "m2", "m3") == [b"1", b"2", None]
    assert r.msetnx({"m3": 3, "m1": 9}) is False
    assert r.lcs("m1", "m2") == b""
    try:
        r.incr("a")
        raise AssertionError("INCR of a text")
    except redis.ResponseError as error:
        assert str(error) == "value is not an integer or out of range", error


def keys(r):
    assert r.delete("m1", "m2", "nokey") == 2 and r.unlink("n") == 1
    assert r.exists("a", "a", "nokey") == 2 and r.touch("a") == 1
    assert r.type("a") in (b"string", "string")
    assert r.rename("a", "b") is True and r.renamenx("b", "c") in (1, True)
    assert r.copy("c", "d") in (1, True) and r.get("d") == b"Hello Redis"
    assert r.expire("d", 100) in (1, True) and r.expire("d", 50, gt=True) in (0, False)
    assert r.persist("d") in (1, True) and r.ttl("d") == -1 and r.ttl("nokey") == -2
    at = int(time.time()) + 500
    assert r.expireat("d", at) in (1, True) and r.expiretime("d") == at
    assert r.pexpireat("d", at * 1000 + 7) in (1, True) and r.pexpiretime("d") == at * 1000 + 7
    assert r.move("d", 1) in (1, True) and r.exists("d") == 0
    assert r.randomkey() is not None and r.dbsize() == len(r.keys("*"))
    assert r.flushdb() is True and r.dbsize() == 0


def collections(r):
    assert r.rpush("l", "a", "b", "c") == 3 and r.lpush("l", "z") == 4
    assert r.lrange("l", 0, -1) == [b"z", b"a", b"b", b"c"] and r.lpos("l", "b") == 2
    assert r.lmove("l", "m", "RIGHT", "LEFT") == b"c" and r.lpop("l", 2) == [b"z", b"a"]
    assert r.lmpop(2, "none", "l", direction="LEFT") == [b"l", [b"b"]] and r.exists("l") == 0
    assert r.hset("h", mapping={"f": 1, "g": "two"}) == 2 and r.hget("h", "g") == b"two"
    assert r.hgetall("h") == {b"f": b"1", b"g": b"two"} and r.hincrby("h", "f", 41) == 42
    assert dict(r.hscan_iter("h")) == {b"f": b"42", b"g": b"two"}
    assert r.sadd("s", *range(1000)) == 1000 and r.sismember("s", 7) and not r.sismember("s", "x")
    assert len(set(r.sscan_iter("s", count=50))) == 1000
    assert r.sadd("t", 1, 2, "x") == 3 and r.sinter("s", "t") == {b"1", b"2"}
    assert r.sunionstore("u", "s", "t") == 1001 and r.sdiff("t", "s") == {b"x"}
    assert r.zadd("z", {"a": 1, "b": 2.5, "c": float("inf")}) == 3 and r.zscore("z", "b") == 2.5
    assert [tuple(p) for p in r.zrange("z", 0, 1, withscores=True)] == [(b"a", 1.0), (b"b", 2.5)]
    assert r.zrank("z", "c") == 2 and r.zincrby("z", 2, "a") == 3.0 and r.zcard("z") == 3
    assert r.zrangebyscore("z", "(2.5", "+inf") == [b"a", b"c"]
    assert r.rpush("numbers", 3, 1, 2) == 3 and r.sort("numbers", desc=True) == [b"3", b"2", b"1"]
    try:
        r.get("z")
        raise AssertionError("GET of a sorted set")
    except redis.ResponseError as error:
        assert str(error).startswith("WRONGTYPE"), error
    assert r.flushdb() is True


def pipelines(r):
    pipe = r.pipeline(transaction=False)
    for number in range(10_000):
        pipe.set(f"key:{number}", number)
    assert all(pipe.execute())
    pipe = r.pipeline(transaction=False)
    for number in range(10_000):
        pipe.get(f"key:{number}")
    assert pipe.execute() == [str(number).encode() for number in range(10_000)]
    pipe = r.pipeline(transaction=False)
    pipe.incr("key:1").execute_command("NOSUCH").incr("key:1")
    replies = pipe.execute(raise_on_error=False)
    assert replies[0] == 2 and replies[2] == 3
    assert isinstance(replies[1], redis.ResponseError), replies
    found = list(r.scan_iter(count=500))
    assert len(found) == 10_000 and len(set(found)) == 10_000
    assert len(list(r.scan_iter(match="key:1?", _type="string"))) == 10
    assert len(r.keys("key:*")) == 10_000
    assert len(r.mget([f"key:{number}" for number in range(10_000)])) == 10_000


def connection(r):
    assert r.echo("hello") == b"hello" and isinstance(r.time(), tuple)
    assert r.client_id() > 0 and r.client_setname("smoke") is True
    assert r.client_getname() in (b"smoke", "smoke")
    mine = r.client_info()
    assert mine["name"] == "smoke" and int(mine["resp"]) == PROTOCOL, mine
    assert any(client["name"] == "smoke" for client in r.client_list())
    info = r.info()
    assert info["connected_clients"] >= 1 and info["db0"]["keys"] == 10_000, info
    assert r.config_get("maxclients") == {"maxclients": "10000"}
    assert r.config_set("maxclients", 9999) is True and r.config_set("maxclients", 10000) is True
    assert r.command_count() > 50 and "get" in r.command()
    assert r.select(3) is True and r.dbsize() == 0 and r.select(0) is True
    assert r.swapdb(0, 1) is True and r.flushall() is True
    other = connect(client_name="other", db=5, decode_responses=True)
    assert other.set("k", "é") is True and other.get("k") == "é"
    assert int(other.client_info()["db"]) == 5
    assert r.client_kill_filter(_id=other.client_id()) == 1
    assert other.get("k") == "é", "a killed connection is made anew"


def newer(r):
    """What redis-server 7.0 does not have."""
    assert r.execute_command("DIGEST", "nokey") is None
    r.set("k", "hello")
    assert r.execute_command("DELEX", "k", "IFEQ", "other") == 0
    assert r.execute_command("SET", "k", "new", "IFEQ", "hello") in (b"OK", True)
    assert r.execute_command("MSETEX", 2, "x", 1, "y", 2, "EX", 100) == 1
    assert r.hset("fields", mapping={"f": 1, "g": 2}) == 2
    assert r.hexpire("fields", 100, "f", "none") == [1, -2]
    assert 90 < r.httl("fields", "f", "g")[0] <= 100 and r.hpersist("fields", "f") == [1]
    assert r.hgetex("fields", "f", "g", ex=50) == [b"1", b"2"]
    assert r.hgetdel("fields", "f", "g") == [b"1", b"2"] and r.exists("fields") == 0


if __name__ == "__main__":
    client = connect(single_connection_client=True)
    client.flushall()
    strings(client)
    client.flushall()
    client.mset({"a": "Hello Redis", "m1": 1, "m2": 2, "n": 5})
    keys(client)
    collections(client)
    pipelines(client)
    connection(client)
    if sys.argv[3:] == ["newer"]:
        newer(client)
    print("all is well")
