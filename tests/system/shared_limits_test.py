"""Limits that several gateways share: one budget in a real Redis, whatever becomes of that."""

import re
import threading
import time

import configs
import credentials
import harness
from redis_server import Pretender, Redis, Relay, value


def limit(shared, rate="1/h", burst=30, by="client.ip", name="one", more=""):
    return (f'[[limit]]\nname = "{name}"\nby = "{by}"\nrate = "{rate}"\nburst = {burst}\n'
            f'shared = "{shared}"\n{more}\n')


class Shared(harness.SystemTest):
    WORKERS = 2

    def start(self, limits, address, redis="", route="", **parts):
        """A gate on that Redis, once all of its workers can ask it. Time enough for answers, unless
        `redis` says otherwise."""
        gate = self.start_unready(limits, address, redis, route, **parts)
        self.wait_for(gate, "closed")
        return gate

    def start_unready(self, limits, address, redis="", route="", **parts):
        if not hasattr(self, "upstream"):
            self.upstream = self.origin(lambda c, r: c.answer(200, b"ok"))
        names = ", ".join(f'"{name}"' for name in re.findall(r'^name = "(.*)"', limits, re.M))
        if "timeout" not in redis:
            redis += '\ntimeout = "10s"'
        return self.gate(configs.plain(
            route=f"limits = [{names}]\n{route}",
            # Several gates have one directory.
            more=f'[admin]\nsocket = "off"\n[server]\nworkers = {self.WORKERS}\n'
                 f'[redis]\naddress = "{address}"\n{redis}\n{limits}', **parts),
            origin=self.upstream.address)

    def redis(self, *options, **more):
        made = Redis(self.directory, *options, **more)
        self.addCleanup(made.kill)
        return made

    def tls_files(self, trusted, issuer):
        """The server's certificate and key, and whom the gate is told to trust."""
        made = issuer.issue("localhost", "127.0.0.1")
        return [self.write(name, text) for name, text in
                (("redis.pem", made.chain), ("redis.key", made.key), ("ca.pem", trusted.root))]

    def wait_for(self, gate, state):
        harness.eventually(
            lambda: value(gate, f'ringward_redis_breakers{{state="{state}"}}') == self.WORKERS, 30,
            f"a breaker of every worker that is {state}")

    def ask_all(self, gates, each, headers=()):
        """The statuses of `each` requests to every gate, all at once, from four clients each."""
        statuses, failures = [], []

        def run(gate):
            try:
                with gate.connect() as connection:
                    for _ in range(each // 4):
                        statuses.append(connection.request("GET", "/", headers).status)
            except Exception as failure:  # an assertion in a thread is nobody's
                failures.append(failure)
        threads = [threading.Thread(target=run, args=(gate,)) for gate in gates for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(len(statuses), each // 4 * 4 * len(gates))
        return statuses

    def assert_nothing_lost(self, *gates):
        for gate in gates:
            self.assertEqual(value(gate, "ringward_redis_lost_decisions_total"), 0)


class Exact(Shared):
    def test_three_gateways_have_one_budget(self):
        redis = self.redis()
        gates = [self.start(limit("exact"), redis.address) for _ in range(3)]
        statuses = self.ask_all(gates, 40)
        self.assertEqual(statuses.count(200), 30)
        self.assertEqual(statuses.count(429), 90)
        refused = gates[0].get("/")
        self.assertEqual(refused.status, 429)
        # As all of them have it: the first refill of an hour's.
        self.assertGreater(int(refused.get("retry-after")), 3000)
        self.assertEqual(refused.get("ratelimit-policy"), '"one";q=30;w=108000')
        self.assert_nothing_lost(*gates)
        for key in redis.keys():
            self.assertRegex(key, r"^rw:(one:[0-9a-f]{32}|probe|words:\w+:(what|order|ends))$")
        for gate in gates:
            self.assertEqual(gate.get("/").status, 429)

    def test_who_is_over_the_limit_costs_redis_nothing(self):
        redis = self.redis()
        first, second = (self.start(limit("exact"), redis.address) for _ in range(2))
        self.ask_all([first], 40)
        for _ in range(4 * self.WORKERS):
            self.assertEqual(second.get("/").status, 429)
        asked = value(second, "ringward_redis_questions_total")
        self.assertEqual(set(self.ask_all([second], 100)), {429})
        self.assertEqual(value(second, "ringward_redis_questions_total"), asked)

    def test_what_another_limit_refuses_is_given_back_to_all(self):
        redis = self.redis()
        key, line = harness.new_key("alice")
        limits = (limit("exact", name="per-ip") +
                  limit("exact", burst=3, by="identity", name="caller"))
        more = limits + '[auth.api_keys]\nfile = "$dir/keys"\n'
        self.write("keys", line)
        one, other = (self.start(more, redis.address, auth='["api_keys"]') for _ in range(2))
        statuses = [gate.get("/", headers={"x-api-key": key}).status
                    for _ in range(5) for gate in (one, other)]
        self.assertEqual(statuses.count(200), 3)
        # Seven refusals have taken nothing from the address: three of thirty are gone.
        third = self.start(more, redis.address, auth='["api_keys"]')
        strangers = [third.get("/").status for _ in range(35)]
        self.assertEqual(strangers, [401] * 27 + [429] * 8)
        self.assert_nothing_lost(one, other, third)

    def test_a_shadow_says_what_all_of_them_would_refuse(self):
        redis = self.redis()
        gates = [self.start(limit("exact", more="shadow = true"), redis.address) for _ in range(2)]
        self.assertEqual(set(self.ask_all(gates, 40)), {200})
        would = sum(value(gate, 'ringward_limit_decisions_total{limit="one",'
                                'outcome="shadow_refused"}') for gate in gates)
        self.assertEqual(would, 50)

    def test_each_request_is_one_question_and_each_turn_one_send_at_most(self):
        redis = self.redis()
        gate = self.start(limit("exact", rate="100000/s", burst=100000), redis.address)
        self.assertEqual(set(self.ask_all([gate], 400)), {200})
        self.assertEqual(value(gate, "ringward_redis_questions_total"), 400)
        self.assertLessEqual(value(gate, "ringward_redis_sends_total"), 400 + 2 * self.WORKERS)
        self.assertEqual(value(gate, "ringward_redis_answer_duration_seconds_count"), 400)

    def test_by_a_socket_with_a_password_and_by_tls(self):
        authority = credentials.Authority()
        files = self.tls_files(authority, authority)
        password = self.write("password", "a long one\n")
        redis = self.redis(password="a long one")
        secured = self.redis(tls=files[:2], password="a long one")
        by_password = f'password = {{ file = "{password}" }}'
        one = self.start(limit("exact"), f"unix:{redis.path}", by_password)
        other = self.start(limit("exact"), redis.address, by_password)
        self.assertEqual(self.ask_all([one, other], 40).count(200), 30)
        third = self.start(limit("exact"), f"rediss://localhost:{secured.port}",
                           f'{by_password}\nca = "{files[2]}"')
        self.assertEqual(self.ask_all([third], 40).count(200), 30)
        self.assert_nothing_lost(one, other, third)


class Leased(Shared):
    def test_three_gateways_spend_what_they_have_borrowed(self):
        redis = self.redis()
        gates = [self.start(limit("leased", burst=100), redis.address) for _ in range(3)]
        statuses = self.ask_all(gates, 100)
        # A slice is ten. Nothing is added in an hour, so none can be over; what is lent and not
        # spent is what may be missing.
        self.assertLessEqual(statuses.count(200), 100)
        self.assertGreaterEqual(statuses.count(200), 100 - 3 * 10)
        self.assertEqual(set(statuses), {200, 429})
        self.assert_nothing_lost(*gates)

    def test_over_time_they_are_over_by_a_slice_each_at_most(self):
        redis = self.redis()
        rate, burst, slice_ = 200, 400, 40
        gates = [self.start(limit("leased", rate=f"{rate}/s", burst=burst), redis.address)
                 for _ in range(3)]
        begun = time.monotonic()
        admitted = 0
        for _ in range(4):
            admitted += self.ask_all(gates, 400).count(200)
        took = time.monotonic() - begun
        self.assertLessEqual(admitted, burst + rate * took + 3 * slice_)
        self.assertGreaterEqual(admitted, min(burst, 4800) - 3 * slice_)
        self.assert_nothing_lost(*gates)

    def test_most_requests_ask_nobody(self):
        redis = self.redis()
        gate = self.start(limit("leased", rate="100000/s", burst=100000), redis.address)
        self.assertEqual(set(self.ask_all([gate], 2000)), {200})
        self.assertLess(value(gate, "ringward_redis_questions_total"), 400)


class Load:
    """Requests on a few connections, one after the other, until it is left."""

    def __init__(self, gate, clients=4):
        self.gate, self.answers, self.failures = gate, [], []
        self.enough = threading.Event()
        self.threads = [threading.Thread(target=self._run) for _ in range(clients)]

    def _run(self):
        try:
            with self.gate.connect() as connection:
                while not self.enough.is_set():
                    sent = time.monotonic()
                    status = connection.request("GET", "/").status
                    self.answers.append((status, time.monotonic() - sent))
        except Exception as failure:
            self.failures.append(failure)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.enough.set()
        for thread in self.threads:
            thread.join()

    def wait_for_more(self, count=200):
        """Until that many more have been answered: something has happened meanwhile."""
        before = len(self.answers)
        harness.eventually(lambda: self.failures or len(self.answers) >= before + count, 60,
                           "more answers")


class Lateness:
    """How late a thread that only sleeps comes to run on this machine: what the gate's may be too."""

    def __enter__(self):
        self.worst, self.enough = 0.0, threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        return self

    def _run(self):
        step = 0.005
        while not self.enough.is_set():
            before = time.monotonic()
            time.sleep(step)
            self.worst = max(self.worst, time.monotonic() - before - step)

    def __exit__(self, *_):
        self.enough.set()
        self.thread.join()


class Loss(Shared):
    """With on_loss = "local" nobody notices but the metrics; with "reject" everybody at once."""

    TIMEOUT = 0.25
    LOCAL = f'timeout = "{int(TIMEOUT * 1000)}ms"'
    PLENTY = limit("exact", rate="1000000/s", burst=1000000)

    def assert_unharmed(self, load):
        self.assertEqual(load.failures, [])
        self.assertEqual({status for status, _ in load.answers}, {200})
        longest = max(took for _, took in load.answers)
        self.assertLess(longest, self.TIMEOUT + harness.patience(10))

    def assert_nobody_waited_longer(self, gate, late):
        """By the gate's own clock, from a whole head to the decision: `timeout`, a tick of its
        timers, and what this machine kept a thread from running meanwhile, twice: once before the
        question left and once before its end was noticed."""
        waits = [line["us_decide"] / 1e6 for line in gate.access]
        self.assertGreater(len(waits), 400)
        self.assertLessEqual(max(waits), self.TIMEOUT + harness.patience(0.05) + 2 * late.worst)
        if harness.VERBOSE:
            print(f"{len(waits)} requests: longest wait {max(waits):.4f} s; "
                  f"a thread was {late.worst:.4f} s late")

    def test_killed_and_started_again_empty(self):
        redis = self.redis()
        gate = self.start(self.PLENTY, redis.address, self.LOCAL)
        with Load(gate) as load:
            load.wait_for_more()
            redis.kill()
            self.wait_for(gate, "open")
            load.wait_for_more()
            gate.wait_for_log("redis .*: not to be asked .*decided on this machine alone")
            redis.start()
            self.wait_for(gate, "closed")
            gate.wait_for_log("redis .*: every worker asks it again")
            load.wait_for_more()
        self.assert_unharmed(load)
        self.assertGreater(value(gate, "ringward_redis_lost_decisions_total"), 0)

    def test_stopped_in_the_middle_of_it(self):
        redis = self.redis()
        gate = self.start(self.PLENTY, redis.address, self.LOCAL)
        with Lateness() as late, Load(gate) as load:
            load.wait_for_more()
            redis.hold()
            harness.eventually(lambda: value(
                gate, 'ringward_redis_failures_total{reason="timeout"}') >= 3 * self.WORKERS,
                30, "questions without an answer")
            load.wait_for_more(1000)
            redis.go_on()
            self.wait_for(gate, "closed")
        self.assert_unharmed(load)
        self.assert_nobody_waited_longer(gate, late)

    def test_slower_than_it_may_be(self):
        redis = self.redis()
        relay = Relay(redis)
        self.addCleanup(relay.stop)
        gate = self.start(self.PLENTY, relay.address, self.LOCAL)
        with Lateness() as late, Load(gate) as load:
            load.wait_for_more()
            relay.delay = 4 * self.TIMEOUT
            harness.eventually(lambda: value(
                gate, 'ringward_redis_failures_total{reason="timeout"}') >= 3 * self.WORKERS,
                30, "questions without an answer")
            load.wait_for_more(1000)
            relay.delay = 0
            self.wait_for(gate, "closed")
        self.assert_unharmed(load)
        self.assert_nobody_waited_longer(gate, late)

    def test_emptied_and_without_its_scripts(self):
        redis = self.redis()
        gate = self.start(self.PLENTY, redis.address)
        with Load(gate) as load:
            for _ in range(3):
                load.wait_for_more()
                redis.command("FLUSHALL")
                redis.command("SCRIPT", "FLUSH")
            load.wait_for_more()
        self.assert_unharmed(load)
        self.assert_nothing_lost(gate)
        self.assertEqual(value(gate, 'ringward_redis_failures_total{reason="error"}'), 0)

    def test_full(self):
        redis = self.redis()
        gate = self.start(self.PLENTY, redis.address, self.LOCAL)
        with Lateness() as late, Load(gate) as load:
            load.wait_for_more()
            redis.command("CONFIG", "SET", "maxmemory", "1")
            harness.eventually(
                lambda: value(gate, 'ringward_redis_breakers{state="closed"}') < self.WORKERS, 30,
                "a breaker that is not closed")
            gate.wait_for_log("redis .*: not to be asked .*errors")
            load.wait_for_more()
            redis.command("CONFIG", "SET", "maxmemory", "0")
            self.wait_for(gate, "closed")
        self.assert_unharmed(load)
        self.assert_nobody_waited_longer(gate, late)

    def test_the_budget_holds_here_alone_meanwhile(self):
        redis = self.redis()
        gates = [self.start(limit("exact"), redis.address) for _ in range(2)]
        redis.kill()
        for gate in gates:
            self.wait_for(gate, "open")
            self.assertEqual(self.ask_all([gate], 40).count(200), 30)

    def test_reject_refuses_and_comes_back(self):
        redis = self.redis()
        gate = self.start(self.PLENTY, redis.address, 'on_loss = "reject"')
        self.assertEqual(gate.get("/").status, 200)
        redis.kill()
        self.wait_for(gate, "open")
        refused = gate.get("/")
        self.assertEqual(refused.status, 503)
        self.assertEqual(refused.get("retry-after"), "1")
        gate.wait_for_access(status=503, reason="limits_unavailable")
        redis.start()
        self.wait_for(gate, "closed")
        self.assertEqual(gate.get("/").status, 200)

    def test_a_wrong_password_is_said_and_nothing_waits_for_it(self):
        redis = self.redis(password="right")
        password = self.write("password", "wrong")
        gate = self.start_unready(self.PLENTY, redis.address,
                                  f'password = {{ file = "{password}" }}')
        gate.wait_for_log("redis .*: not to be asked .*password")
        self.assertEqual(gate.get("/").status, 200)
        self.write("password", "right")  # reread when it changes
        self.wait_for(gate, "closed")

    def test_garbage_is_counted_and_nothing_else(self):
        for garbage in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"*2147483647\r\n",
                        b"\x16\x03\x01\x00", b"$536870911\r\n" + b"x" * 65536,
                        b"+OK\r\n" * 1000, b":1\r\n",
                        b"*1\r\n" * 100):
            fake = Pretender(garbage)
            self.addCleanup(fake.stop)
            gate = self.start_unready(self.PLENTY, fake.address)
            harness.eventually(
                lambda: value(gate, 'ringward_redis_failures_total{reason="garbage"}') > 0, 30,
                "garbage that was counted")
            self.assertEqual(gate.get("/").status, 200)
            self.assertEqual(value(gate, 'ringward_redis_breakers{state="closed"}'), 0)
            gate.stop()

    def test_a_certificate_of_somebody_else_is_not_believed(self):
        files = self.tls_files(credentials.Authority(), credentials.Authority())
        redis = self.redis(tls=files[:2])
        gate = self.start_unready(self.PLENTY, f"rediss://localhost:{redis.port}",
                                  f'ca = "{files[2]}"')
        gate.wait_for_log("redis .*: not to be asked")
        self.assertEqual(gate.get("/").status, 200)
        self.assertEqual(value(gate, 'ringward_redis_breakers{state="closed"}'), 0)


if __name__ == "__main__":
    harness.main()
