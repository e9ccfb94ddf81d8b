#include "origin.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "message.h"
#include "reply.h"

namespace rw::sim {
namespace {

bool is_idempotent(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "PUT" || method == "DELETE";
}

// Both within the gateway's patience, and longer than it may take to notice an end.
constexpr milliseconds rest{2'000};
constexpr milliseconds late{3'500};

constexpr mood bad_moods[] = {mood::refusing, mood::hanging, mood::resetting, mood::failing};

// What one request is in for.
struct plan {
  bool early = false;          // answered before its body is read
  bool deaf = false;           // its body is never read
  bool slow = false;           // its body is read slowly
  bool rests = false;          // its body is left alone for a while
  bool dies_first = false;     // before any answer
  ending then = ending::keep;  // after the answer, or in place of one
  unsigned interims = 0;
  microseconds delay{0};
};

}  // namespace

class origin::conversation : public std::enable_shared_from_this<conversation> {
 public:
  conversation(origin& of, socket& s)
      : of_(of),
        world_(of.world_),
        book_(of.book_),
        wire_(world_, s, draw_greeting(world_, of.habits_.tls, of.habits_.faults)) {}

  void begin() {
    wire_.below().on_change = [self = weak_from_this()] {
      if (const auto alive = self.lock()) alive->step();
    };
    // Some speak before they are asked.
    if (fault(0.02)) say("HTTP/1.1 103 Early Hints\r\nlink: </early>\r\n\r\n");
    if (fault(0.03)) later(delay(100, 8'000'000), [this] { end(ending::close); });
    if (!wire_.is_plain() && fault(0.03)) {  // in the middle of a handshake
      const ending how = world_.chance(0.5) ? ending::close : ending::reset;
      later(delay(10, 20'000), [this, how] { end(how); });
    }
    step();
  }

  void cut(bool by_reset) {
    if (!by_reset) return end(ending::close);
    if (std::exchange(over_, true)) return;
    if (answer_ != nullptr) answer_->ended_well = false;
    wire_.cut();
  }

 private:
  bool fault(double p) { return world_.chance(p * of_.habits_.faults); }
  microseconds delay(std::int64_t low, std::int64_t high) {
    return world_.delay(microseconds{low}, microseconds{high});
  }
  void later(nanoseconds time, std::function<void()> what) {
    world_.after(time, [self = shared_from_this(), act = std::move(what)] {
      if (!self->over_) act();
    });
  }
  void violation(std::string_view what) {
    world_.violation(fmt::format(
        "origin {}: {}{}", of_.port_, what,
        record_ != nullptr ? fmt::format(" (request {})", record_->id) : std::string()));
    end(ending::reset);
  }

  void end(ending how) {
    if (over_ || how == ending::stall) return;
    over_ = true;
    const bool told = how != ending::reset && wire_.close(!fault(0.15));
    if (how == ending::reset) wire_.reset();
    if (answer_ != nullptr && answer_->until_close) {
      answer_->ended_well = told;
      // Where only the end says how long it is, this is all there ever was.
      std::string& body = answer_->body;
      body.resize(body.size() - std::min(body.size(), output_.size()));
    }
  }

  void step() {
    if (wire_.is_closing()) return wire_.step();
    if (over_) return;
    wire_.step();
    if (wire_.is_over()) {
      end(ending::close);
      return;
    }
    write();
    if (!over_) read();
  }

  void read() {
    if (deaf_ || pausing_ || !wire_.has_input() || (plan_.deaf && record_ != nullptr)) return;
    std::size_t size = wire_.input();
    if (record_ != nullptr && std::exchange(plan_.rests, false)) return pause(rest);
    if (record_ != nullptr && plan_.slow) {
      size = std::min(size, world_.skewed(8'192, 40'000));
      pause(delay(1'000, 200'000));
    }
    input_.append(wire_.read(size));
    parse();
  }

  void pause(microseconds time) {
    pausing_ = true;
    later(time, [this] {
      pausing_ = false;
      step();
    });
  }

  void parse() {
    const bool complete = reader_.take(input_, false);
    if (!reader_.error().empty()) return violation(reader_.error());
    if (reader_.now().head_complete && record_ == nullptr && !look_at_head()) return;
    if (record_ == nullptr) return;
    const std::string& body = reader_.now().body;
    if (body.size() > record_->body.size() ||
        body.compare(checked_, body.size() - checked_, record_->body, checked_,
                     body.size() - checked_) != 0) {
      return violation("a body that nobody sent");
    }
    checked_ = body.size();
    if (!complete || body_done_) return;
    body_done_ = true;
    if (!input_.empty() && !said_all_) return violation("bytes beyond the request");
    if (body.size() != record_->body.size()) return violation("a body cut short");
    if (record_->malformed) return violation("a malformed request was made whole");
    if (!plan_.early) answer_after(plan_.delay);
    if (said_all_) next();
  }

  bool look_at_head() {
    const message& m = reader_.now();
    std::uint64_t id = 0;
    const std::string_view text = m.value("x-id");
    std::from_chars(text.data(), text.data() + text.size(), id);
    const auto found = book_.requests.find(id);
    if (found == book_.requests.end() || m.count("x-id") != 1) {
      return violation("a request nobody sent: " + m.start), false;
    }
    record_ = &found->second;
    if (!wire_.may_see_requests()) return violation("a request to whom nobody may trust"), false;
    if (book_.on_arrival) book_.on_arrival(of_.port_);
    checked_ = 0;
    ++record_->arrivals;
    world_.trace("origin {}: request {} arrives, {}", of_.port_, id, m.start);
    if (!record_->to_origin) return violation("a request that should have been refused"), false;
    if (m.start != record_->method + ' ' + record_->target + " HTTP/1.1") {
      return violation("another request line: " + m.start), false;
    }
    if (record_->arrivals > 1 && !may_arrive_again()) return false;
    if (record_->arrivals == 1) {
      record_->first_at = &wire_.below();
      record_->first_arrival = world_.now();
    }
    if (m.value("x-forwarded-for") != record_->client || m.count("x-forwarded-for") != 1) {
      return violation("x-forwarded-for"), false;
    }
    for (const char* never :
         {"x-hop", "connection", "expect", "keep-alive", "authorization", "x-api-key"}) {
      if (m.count(never) != 0) return violation(fmt::format("{} got through", never)), false;
    }
    for (const char* once : {"host", "x-request-id", "x-real-ip", "forwarded", "traceparent"}) {
      if (m.count(once) != 1)
        return violation(fmt::format("{} times {}", m.count(once), once)), false;
    }
    if (m.count("transfer-encoding") != (record_->chunked ? 1U : 0U)) {
      return violation("another framing"), false;
    }
    if (!check_caller(m)) return false;
    make_plan();
    return true;
  }

  // Who it is from, as the gateway says it and nobody else; and nothing that proves it.
  bool check_caller(const message& m) {
    const ruling wanted = due(record_->shown, record_->at, wall_at(world_.now()));
    if (wanted.status != 0 && wanted.reason != "expired") {
      return violation(fmt::format("{} was let in", wanted.reason)), false;
    }
    const unsigned times = record_->at == door::open ? 0 : 1;
    if (m.count("x-auth-identity") != times || m.value("x-auth-identity") != wanted.who) {
      return violation(fmt::format("from \"{}\"", m.value("x-auth-identity"))), false;
    }
    for (const auto& [name, value] : m.fields) {
      for (const std::string& secret : record_->shown.secrets) {
        if (value.contains(secret)) return violation(name + " has a secret in it"), false;
      }
    }
    return true;
  }

  // RFC 9110 9.2.2, and not after anything of an answer has come back.
  bool may_arrive_again() {
    ++book_.retries;
    if (record_->arrivals > 2 || !is_idempotent(record_->method)) {
      violation(fmt::format("arrival {} of a {}", record_->arrivals, record_->method));
      return false;
    }
    // Tickets come without being asked, and half a record is nothing.
    if (!wire_.is_plain()) return true;
    const socket& first = *record_->first_at;
    // What the kernel had just handed over when the gateway made up its mind does not count.
    if (first.peer_took_at() > record_->first_arrival &&
        first.peer_closed_at() - first.peer_took_at() > milliseconds{5}) {
      violation("tried again with an answer begun");
      return false;
    }
    return true;
  }

  void make_plan() {
    plan_ = {};
    body_done_ = said_all_ = false;
    plan_.delay = delay(1, world_.chance(0.1) ? 1'500'000 : 30'000);
    plan_.interims = world_.chance(0.12) ? 1 + static_cast<unsigned>(world_.random(3)) : 0;
    if (world_.chance(of_.habits_.late)) plan_.delay = late;
    plan_.rests = plan_.delay < late && world_.chance(0.05);
    plan_.slow = fault(0.06);
    plan_.deaf = fault(0.03);
    plan_.early = fault(0.06);
    plan_.dies_first = fault(0.09);
    if (world_.chance(0.1)) plan_.then = ending::close;
    if (of_.mood_ == mood::hanging || (of_.mood_ == mood::resetting && world_.chance(0.5))) {
      plan_.dies_first = true;
      plan_.then = of_.mood_ == mood::hanging ? ending::stall : ending::reset;
    } else if (plan_.dies_first) {
      constexpr ending ways[] = {ending::close, ending::reset, ending::stall};
      plan_.then = ways[world_.random(3)];
    }
    if (plan_.early) answer_after(plan_.delay);
  }

  void answer_after(microseconds time) {
    if (plan_.dies_first) {
      later(time, [this] { end(plan_.then); });
      return;
    }
    if (plan_.interims > 0) {
      --plan_.interims;
      later(time, [this] {
        say(world_.chance(0.5)
                ? std::string("HTTP/1.1 100 Continue\r\n\r\n")
                : fmt::format("HTTP/1.1 103 Early Hints\r\nx-interim: {}\r\n\r\n", record_->id));
        answer_after(delay(1, 50'000));
      });
      return;
    }
    later(time, [this] { answer(); });
  }

  void answer() {
    const std::uint64_t number = book_.next_answer++;
    answer_ = &book_.answers[number];
    reply made{"", plan_.then};
    origin_habits habits = of_.habits_;
    if (of_.mood_ == mood::resetting) habits.faults *= 6;
    habits.fails = of_.mood_ == mood::failing;
    compose(world_, book_.calm, habits, *record_, number, *answer_, made);
    plan_.then = made.then;
    world_.trace("origin {}: answer {} to {}, status {}, {} bytes of body", of_.port_, number,
                 record_->id, answer_->status, answer_->whole.size());
    answering_ = true;
    say(made.wire);
  }

  void say_stray() {
    const std::uint64_t number = book_.next_answer++;
    answer_ = &book_.answers[number];
    plan_.then = ending::stall;
    answering_ = true;
    deaf_ = true;
    say(stray(number));
  }

  void say(std::string_view bytes) {
    output_.append(bytes);
    write();
  }

  void write() {
    while (!over_ && !output_.empty() && !resting_) {
      std::size_t size = std::min(wire_.room(), output_.size());
      if (size == 0) return;
      if (world_.chance(0.3)) size = world_.skewed(1, size);
      wire_.write(std::string_view(output_).substr(0, size));
      output_.erase(0, size);
      if (!output_.empty() && world_.chance(0.2)) {
        resting_ = true;
        later(delay(1, 40'000), [this] {
          resting_ = false;
          step();
        });
      }
    }
    if (over_ || !output_.empty() || wire_.has_unsent() || !answering_) return;
    answering_ = false;
    said_all_ = true;
    answer_->said_at = world_.now();
    if (plan_.then == ending::stall) {
      over_ = true;  // silent for good, the socket open
      wire_.below().on_change = nullptr;
      return;
    }
    if (plan_.then != ending::keep) return end(plan_.then);
    if (body_done_) next();
  }

  void next() {
    record_ = nullptr;
    answer_ = nullptr;
    reader_.next();
    checked_ = 0;
    body_done_ = said_all_ = false;
    plan_ = {};
    if (fault(0.05))
      later(delay(1, 7'000'000), [this] {
        if (record_ == nullptr) end(ending::close);
      });
    if (fault(0.1)) {
      later(delay(1, 300'000), [this] {
        if (record_ == nullptr) say_stray();
      });
    }
    if (!input_.empty()) parse();
  }

  origin& of_;
  world& world_;
  ledger& book_;
  origin_wire wire_;
  message_reader reader_{message_reader::kind::request};
  std::string input_;
  std::string output_;
  request_record* record_ = nullptr;
  answer_record* answer_ = nullptr;
  plan plan_;
  std::size_t checked_ = 0;  // bytes of the body held against the client's
  bool body_done_ = false;
  bool answering_ = false;  // the final answer is in output_
  bool said_all_ = false;
  bool deaf_ = false;  // has said something out of turn, and takes no more requests
  bool pausing_ = false;
  bool resting_ = false;
  bool over_ = false;
};

origin::origin(world& w, ledger& book, std::uint16_t port, origin_habits habits)
    : world_(w), book_(book), port_(port), habits_(habits) {
  w.servers[port] = {[this] { return receive(); },
                     [this](socket& s) {
                       conversations_.push_back(std::make_shared<conversation>(*this, s));
                       conversations_.back()->begin();
                     }};
}

reception origin::receive() {
  if (mood_ == mood::refusing) return reception::refuse;
  if (!world_.chance(0.06 * habits_.faults)) return reception::accept;
  constexpr reception ways[] = {reception::refuse, reception::unreachable, reception::silence};
  return ways[world_.random(3)];
}

void origin::live_moodily(microseconds at_most) {
  world_.after(world_.delay(milliseconds{200}, at_most), [this, at_most] {
    mood_ = bad_moods[world_.random(std::size(bad_moods))];
    world_.trace("origin {}: mood {}", port_, static_cast<int>(mood_));
    if (mood_ == mood::refusing && world_.chance(0.5)) cut(true);
    world_.after(world_.delay(milliseconds{500}, at_most), [this, at_most] {
      mood_ = mood::well;
      live_moodily(at_most);
    });
  });
}

void origin::cut(bool by_reset) {
  for (const auto& one : conversations_) one->cut(by_reset);
}

}  // namespace rw::sim
