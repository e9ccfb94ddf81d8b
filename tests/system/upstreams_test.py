"""Servers that die, hang, slow down and come back, under a steady load: who notices, and what the
operator sees."""

import collections
import re
import threading
import time

import client
import harness
from origin_process import OriginProcess

CONFIG = """
[[listener]]
name = "main"
address = "127.0.0.1:0"
[[upstream]]
name = "origin"
servers = [$servers]
$upstream
  [upstream.timeouts]
  connect = "500ms"
  first_byte = "$first_byte"
  [upstream.health]
  eject_for = "2s"
  slow_start = "1s"
  $health
[[route]]
name = "all"
path_prefix = "/"
upstream = "origin"
auth = []
"""
CLIENTS = 6


class Load:
    """Clients that ask at a steady pace until end(); `results` has (start, end, method, status or
    what went wrong, body)."""

    def __init__(self, gate, pause=0.01):
        self.gate = gate
        self.pause = pause
        self.results = []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(CLIENTS)]
        for one in self.threads:
            one.start()

    def run(self, number):
        connection = None
        method = "POST" if number % 3 == 2 else "GET"
        while not self.over.is_set():
            start = time.monotonic()
            try:
                connection = connection or self.gate.connect(timeout=harness.patience(20))
                answer = connection.request(method, "/", body=b"x" if method == "POST" else b"")
                outcome = answer.status, answer.body.decode()
            except (client.Closed, OSError) as error:
                outcome = repr(error), ""
                connection = None
            self.results.append((start, time.monotonic(), method, *outcome))
            time.sleep(self.pause)
        if connection:
            connection.close()

    def end(self):
        self.over.set()
        for one in self.threads:
            one.join()
        return self.results


class Servers(harness.SystemTest):
    def servers(self, count=3):
        made = [OriginProcess() for _ in range(count)]
        for one in made:
            self.addCleanup(one.kill)
        return made

    def start(self, addresses, upstream="", health="", first_byte="400ms"):
        servers = ", ".join(a if a.startswith("{") else f'{{ address = "{a}" }}'
                            for a in addresses)
        return self.gate(CONFIG, servers=servers, upstream=upstream, health=health,
                         first_byte=first_byte)

    def command(self, *words):
        done = harness.ringward(*words, "--socket", self.directory / "admin.sock")
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def rows(self):
        """server -> {column: value} of `ringward upstreams`."""
        lines = self.command("upstreams").splitlines()
        names = re.split(r"  +", lines[0].strip())
        return {row[1]: dict(zip(names, row))
                for row in (re.split(r"  +", line.strip()) for line in lines[1:])}

    def wait_for_state(self, address, *states, within=10.0):
        harness.eventually(lambda: self.rows()[address]["STATE"] in states, within,
                           f"{address} {states}")


class UnderLoad(Servers):
    """Three servers: what happens to one is nobody's trouble."""

    def suffer(self, trouble, recovery, health="", out="ejected"):
        servers = self.servers()
        gate = self.start([one.address for one in servers], health=health)
        load = Load(gate)
        self.addCleanup(load.end)
        harness.eventually(lambda: len({r[4] for r in load.results}) == 3, what="all three serve")
        victim = servers[0]
        struck = time.monotonic()
        trouble(victim)
        if out:
            self.wait_for_state(victim.address, out)
        noticed = time.monotonic()
        harness.eventually(lambda: len(load.results) and load.results[-1][0] > struck + 3, 10)
        mended = time.monotonic()
        recovery(victim)
        self.wait_for_state(victim.address, "up", "warming", within=15)
        back = time.monotonic()
        harness.eventually(lambda: any(r[0] > back and r[4] == str(victim.port)
                                       for r in load.results), what="it serves again")
        results = load.end()
        self.assertGreater(len(results), 200)
        self.check(results, struck, noticed, mended, str(victim.port))
        return gate, results

    def check(self, results, struck, noticed, mended, victim):
        failed = [r for r in results if r[3] != 200]
        for start, end, method, status, _ in failed:
            told = f"{method} {status} from {start - struck:.3f} to {end - struck:.3f} s"
            self.assertGreater(end, struck, told)
            if method == "GET":
                self.assertLess(end, struck + harness.patience(1), told)
            else:
                # It was on the dead one: sent before anybody could know.
                self.assertLess(start, noticed, told)
        late = [r for r in results if r[0] > noticed + 0.5 and r[1] < mended and r[4] == victim]
        self.assertEqual(late, [])

    def test_one_is_killed_and_restarted(self):
        gate, _ = self.suffer(lambda one: one.kill(), lambda one: one.start())
        self.assertIn("is ejected for 2s: upstream_refused; 2 of 3 servers are left",
                      gate.wait_for_log("is ejected"))
        gate.wait_for_log("tried again in vain")
        self.assertIn("answers_again", gate.wait_for_log("is back"))

    def test_one_is_stopped_and_goes_on(self):
        gate, _ = self.suffer(lambda one: one.stop(), lambda one: one.go_on())
        self.assertIn("upstream_first_byte_timeout", gate.wait_for_log("is ejected"))

    def test_one_is_killed_with_checks(self):
        gate, _ = self.suffer(lambda one: one.kill(), lambda one: one.start(), out="down",
                              health='path = "/health"\ninterval = "300ms"\neject_after = 1000')
        self.assertIn("check_refused", gate.wait_for_log("is down"))
        self.assertIn("check_passed", gate.wait_for_log("is back"))

    def test_one_that_is_slow_gets_less(self):
        servers = self.servers()
        gate = self.start([one.address for one in servers], first_byte="10s")
        load = Load(gate)
        self.addCleanup(load.end)
        harness.eventually(lambda: len({r[4] for r in load.results}) == 3)
        servers[0].slow(0.25)
        struck = time.monotonic()
        harness.eventually(lambda: load.results[-1][0] > struck + 3, 10)
        results = load.end()
        self.assertEqual({r[3] for r in results}, {200})
        shares = collections.Counter(r[4] for r in results if r[0] > struck + 0.5)
        self.assertLess(shares[str(servers[0].port)], sum(shares.values()) / 6, shares)


class Operator(Servers):
    def test_a_drained_server_finishes_what_is_under_way(self):
        servers = self.servers(2)
        gate = self.start([one.address for one in servers], first_byte="60s")
        victim = servers[0]
        victim.slow(harness.patience(4))  # two commands are run meanwhile
        waiting = [gate.connect() for _ in range(4)]
        for one in waiting:
            self.addCleanup(one.close)
            one.send_request("GET", "/")
        harness.eventually(lambda: int(self.rows()[victim.address]["NOW"]) > 0)
        under_way = self.rows()[victim.address]["NOW"]
        self.assertEqual(self.command("drain", victim.address),
                         f"{victim.address} of origin gets no new requests; "
                         f"{under_way} are under way\n")
        self.assertEqual(self.rows()[victim.address]["STATE"], "draining")
        for _ in range(20):
            self.assertEqual(gate.get("/").body.decode(), str(servers[1].port))
        for one in waiting:
            self.assertEqual(one.read_response().status, 200)
        self.wait_for_state(victim.address, "drained")
        gate.wait_for_log(f"{victim.address} is being drained")
        # A reload is no reason to send it requests again.
        self.command("reload")
        self.assertEqual(self.rows()[victim.address]["STATE"], "drained")
        self.assertEqual(self.rows()[victim.address]["WHY"], "drained_by_operator")
        harness.eventually(lambda: self.rows()[victim.address]["IDLE"] == "0")
        victim.slow(0)
        self.command("undrain", victim.address)
        harness.eventually(lambda: gate.get("/").body.decode() == str(victim.port))

    def test_a_server_nobody_knows_is_said_to_be_so(self):
        self.start([one.address for one in self.servers(1)])
        for verb in ("drain", "undrain"):
            done = harness.ringward(verb, "127.0.0.1:1", "--socket", self.directory / "admin.sock")
            self.assertEqual(done.returncode, 1)
            self.assertIn("no server is called 127.0.0.1:1", done.stderr)

    def test_status_table_and_metrics_say_the_same(self):
        servers = self.servers(3)
        gate = self.start([one.address for one in servers])
        for _ in range(60):
            self.assertEqual(gate.get("/").status, 200)
        victim = servers[1]
        victim.kill()
        self.addCleanup(victim.start)
        harness.eventually(lambda: all(gate.get("/").status == 200 for _ in range(10))
                           and self.rows()[victim.address]["STATE"] == "ejected", 20)
        row = self.rows()[victim.address]
        self.assertEqual(row["WHY"], "upstream_refused")
        self.assertGreaterEqual(int(row["FAILED"]), 5)
        good = self.rows()[servers[0].address]
        self.assertRegex(good["P50"], r"^\d+us$|^\d+\.\d(ms|s)$")
        self.assertGreater(int(good["REQUESTS"]), 0)
        self.assertIn(f"origin: 2 of 3 servers get requests; {victim.address} is ejected "
                      "(upstream_refused)", self.command("status"))
        text = gate.metrics()
        who = f'upstream="origin",server="{victim.address}"'
        self.assertIn(f"ringward_upstream_server_usable{{{who}}} 0\n", text)
        self.assertIn(f'ringward_upstream_server_state{{{who},state="ejected",'
                      'reason="upstream_refused"} 1\n', text)
        self.assertIn(f"ringward_upstream_server_ejections_total{{{who}}} 1\n", text)
        # What is known of a server survives a reload that keeps it.
        self.command("reload")
        self.assertEqual(self.rows()[victim.address]["STATE"], "ejected")


class Choice(Servers):
    def test_a_backup_serves_when_no_other_can(self):
        servers = self.servers(2)
        gate = self.start([servers[0].address,
                           f'{{ address = "{servers[1].address}", backup = true }}'])
        for _ in range(20):
            self.assertEqual(gate.get("/").body.decode(), str(servers[0].port))
        servers[0].kill()
        self.addCleanup(servers[0].start)
        for _ in range(10):
            self.assertEqual(gate.get("/").body.decode(), str(servers[1].port))
        self.assertEqual(self.rows()[servers[0].address]["STATE"], "ejected")

    def test_when_all_are_down_the_client_learns_the_status_alone(self):
        servers = self.servers(2)
        gate = self.start([one.address for one in servers],
                          health='tcp = true\ninterval = "200ms"\nfall = 1\nrise = 1')
        for one in servers:
            one.kill()
            self.addCleanup(one.start)
        for one in servers:
            self.wait_for_state(one.address, "down")
        answer = gate.get("/")
        self.assertEqual(answer.status, 503)
        self.assertEqual(answer.get("retry-after"), "1")
        self.assertNotIn(b"server", answer.body.lower())
        self.assertEqual(gate.wait_for_access(status=503)["reason"], "no_server_left")
        gate.wait_for_log("error: upstream origin: no server is left")
        for one in servers:
            one.start()
            self.addCleanup(one.kill)
            self.wait_for_state(one.address, "up", "warming")
        self.assertEqual(gate.get("/").status, 200)

    def test_a_hash_keeps_a_caller_where_it_is(self):
        servers = self.servers(3)
        gate = self.start([one.address for one in servers],
                          upstream='balance = "hash:header:X-Session"')
        def place(key):
            return gate.get("/", headers={"X-Session": key}).body
        places = {key: place(key) for key in map(str, range(40))}
        self.assertEqual(len(set(places.values())), 3)
        for key, where in places.items():
            self.assertEqual(place(key), where)
        self.command("drain", servers[0].address)
        gone = str(servers[0].port).encode()
        for key, where in places.items():
            self.assertEqual(place(key) == where, where != gone)

    def test_round_robin_is_in_turn(self):
        servers = self.servers(3)
        gate = self.start([one.address for one in servers], upstream='balance = "round_robin"')
        with gate.connect() as connection:  # one worker's round
            order = [connection.request("GET", "/").body for _ in range(30)]
        self.assertEqual(set(collections.Counter(order).values()), {10})

    def test_servers_that_answer_5xx_are_ejected_but_not_for_501(self):
        bad = self.origin(lambda c, r: c.answer(int(r.target[1:]), headers={"Retry-After": "7"}))
        good = self.servers(1)[0]
        gate = self.start([bad.address, good.address], upstream='balance = "round_robin"')
        for status in (501, 505, 404, 429):
            for _ in range(20):
                gate.get(f"/{status}")
            self.assertEqual(self.rows()[bad.address]["STATE"], "up", status)
        seen = [gate.get("/503") for _ in range(40)]
        refused = [one for one in seen if one.status == 503]
        # As the origin said it: Retry-After is for the client.
        self.assertEqual({one.get("retry-after") for one in refused}, {"7"})
        self.assertEqual(self.rows()[bad.address]["STATE"], "ejected")
        self.assertEqual(self.rows()[bad.address]["WHY"], "answered_5xx (503)")
        self.assertEqual(len(refused), 5)


class Places(Servers):
    def start_full(self, pool):
        self.go = threading.Event()
        self.addCleanup(self.go.set)
        def slow(c, request):
            if request.target == "/slow":
                self.go.wait(60)
            c.answer(200, b"ok")
        self.slow = self.origin(slow)
        gate = self.start([self.slow.address], first_byte="60s",
                          upstream=f"[upstream.pool]\nmax_requests_in_flight = 1\n{pool}")
        held = gate.connect()
        self.addCleanup(held.close)
        held.send_request("GET", "/slow")
        harness.eventually(lambda: self.slow.requests)
        return gate, held

    def test_beyond_the_bound_some_wait_and_the_rest_is_refused(self):
        gate, held = self.start_full('queue = 2\nqueue_timeout = "30s"')
        waiting = [gate.connect() for _ in range(3)]
        for one in waiting:
            self.addCleanup(one.close)
            one.send_request("GET", "/next")
        refused = gate.wait_for_access(status=503)
        self.assertEqual(refused["reason"], "too_many_in_flight")
        self.assertEqual(len(self.slow.requests), 1)
        self.go.set()
        self.assertEqual(held.read_response().status, 200)
        answers = [one.read_response() for one in waiting]
        self.assertEqual(sorted(a.status for a in answers), [200, 200, 503])
        self.assertEqual([a.get("retry-after") for a in answers if a.status == 503], ["1"])

    def test_nobody_waits_past_the_time(self):
        gate, _ = self.start_full('queue = 2\nqueue_timeout = "300ms"')
        start = time.monotonic()
        answer = gate.get("/next")
        took = time.monotonic() - start
        self.assertEqual((answer.status, answer.get("retry-after")), (503, "1"))
        self.assertGreaterEqual(took, 0.29)
        self.assertLess(took, harness.patience(1))
        self.assertEqual(gate.wait_for_access(status=503)["reason"], "queue_timeout")

    def test_a_client_that_leaves_takes_nobodys_place(self):
        gate, held = self.start_full('queue = 1\nqueue_timeout = "30s"')
        left = gate.connect()
        left.send_request("GET", "/left")
        waits = 'ringward_upstream_waiting{upstream="origin"} 1\n'
        harness.eventually(lambda: waits in gate.metrics(), what="a line with one in it")
        left.close()
        gate.wait_for_access(status=499, path="/left")
        with gate.connect() as after:
            after.send_request("GET", "/after")
            self.go.set()
            self.assertEqual(held.read_response().status, 200)
            self.assertEqual(after.read_response().status, 200)
        self.assertEqual([r.target for r in self.slow.requests], ["/slow", "/after"])


class Budget(Servers):
    def test_retries_are_a_part_of_requests(self):
        """Both servers close every connection: each request would be sent twice."""
        bad = [self.origin(lambda c, r: c.close()) for _ in range(2)]
        gate = self.start([one.address for one in bad], upstream="[upstream.retry]\nbudget = 0.1")
        for _ in range(300):
            self.assertEqual(gate.get("/").status, 502)
        harness.eventually(lambda: len(gate.access) >= 300)
        with_two = sum(entry.get("attempts") == 2 for entry in gate.access)
        # Two workers have 64 each to begin with, and earn 30 together; one a second is free.
        self.assertLess(with_two, 64 * 2 + 30 + harness.patience(40))
        self.assertGreaterEqual(with_two, 64)
        self.assertIn(f"ringward_upstream_retries_over_budget_total {300 - with_two}\n",
                      gate.metrics())

    def test_without_a_budget_nothing_is_tried_again(self):
        bad = [self.origin(lambda c, r: c.close()) for _ in range(2)]
        gate = self.start([one.address for one in bad], upstream="[upstream.retry]\nbudget = 0.0")
        for _ in range(10):
            self.assertEqual(gate.get("/").status, 502)
        harness.eventually(lambda: len(gate.access) == 10)
        self.assertEqual({entry.get("attempts", 1) for entry in gate.access}, {1})


if __name__ == "__main__":
    harness.main()
