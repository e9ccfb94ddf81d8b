#include "client.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "message.h"
#include "wire.h"

namespace rw::sim {
namespace {

constexpr std::string_view fixed_body = "a fixed answer\n";

// Of a refusal: what the client may do about it. Whether it was due is the audit's business.
bool says_what_is_due(const message& m, bool doubled) {
  const bool may_challenge = m.status == 401 || (m.status == 400 && doubled);
  const bool may_wait = m.status == 429 || m.status == 503;
  return (m.status != 401 || m.count("www-authenticate") == 1) &&
         (may_challenge || m.count("www-authenticate") == 0) &&
         m.value("allow") == (m.status == 405 ? "POST" : "") &&
         m.count("retry-after") == (may_wait ? 1U : 0U);
}

}  // namespace

struct client::state : std::enable_shared_from_this<client::state> {
  state(world& w, ledger& b, client_door d, unsigned n, client_habits h)
      : in(w), book(b), door(d), number(n), habits(h) {}

  world& in;
  ledger& book;
  client_door door;
  unsigned number;
  client_habits habits;
  std::string address;
  std::optional<wire> line;
  std::deque<ask> plan;
  std::deque<ask> awaited;  // begun to be sent, not yet answered
  std::size_t depth = 1;    // of the pipeline
  std::string output;
  std::string held_body;  // until a 100 comes, or patience ends
  std::string input;
  message_reader reader{message_reader::kind::response};
  std::size_t piece_bytes_max = SIZE_MAX;  // read at a time
  bool takes_nothing = false;
  bool dribbles = false;
  bool resting = false;
  bool pausing = false;
  bool closing = false;  // told that the connection ends
  bool gone = false;     // left on purpose
  bool over = false;

  bool reads_slowly() const { return piece_bytes_max != SIZE_MAX; }
  bool fault(double p) { return in.chance(p * habits.faults); }
  microseconds delay(std::int64_t low, std::int64_t high) {
    return in.delay(microseconds{low}, microseconds{high});
  }
  void later(nanoseconds time, std::function<void()> what) {
    in.after(time, [self = shared_from_this(), act = std::move(what)] {
      if (!self->over) act();
    });
  }
  void violation(std::string_view what) {
    in.violation(fmt::format("client {}: {}", number, what));
    leave();
  }
  void leave() {
    over = true;
    if (!line) return;
    line->below().on_change = nullptr;
    if (in.chance(0.3)) return line->below().reset();
    if (in.chance(0.5)) line->end_writing();
    line->below().close();
  }

  void make_plan();
  void connect();
  void step();
  void write();
  void read();
  void parse();
  const answer_record* answer_of(const message& m);
  void check_part(const message& m);
  void check(const message& m);
  void check_own(const message& m, const ask& to);
  void check_stray(const message& m, const ask& to);
  void next_ask();
  void look_after();
};

void client::state::make_plan() {
  address = fmt::format("192.0.2.{}", number + 1);
  depth = in.chance(0.25) ? 1 + in.random(4) : 1;
  dribbles = in.chance(0.25);
  if (fault(0.1)) piece_bytes_max = in.chance(0.3) ? 1'000 : 20'000;
  takes_nothing = fault(0.03);
  const auto count = 1 + in.random(habits.asks_max);
  for (std::uint64_t i = 0; i < count; ++i) {
    plan.push_back(make_ask(in, book, address, habits));
    plan.back().record->unread = takes_nothing;
    if (plan.back().last) break;
  }
}

void client::state::connect() {
  sockaddr_storage from{};
  auto& v4 = reinterpret_cast<sockaddr_in&>(from);
  v4.sin_family = AF_INET;
  inet_pton(AF_INET, address.c_str(), &v4.sin_addr);
  socket* made = in.connect_to(door.listener, from, fmt::format("of client {}", number));
  if (made == nullptr) {
    over = true;
    return;
  }
  line.emplace(in, *made, door.tls);
  made->on_change = [self = weak_from_this()] {
    if (const auto alive = self.lock()) alive->step();
  };
  if (fault(0.2)) {
    later(delay(100, 6'000'000), [this] {
      gone = true;
      in.trace("client {}: leaves", number);
      if (in.chance(0.3)) {
        line->end_writing();  // half of it: some say they have asked all
      } else {
        leave();
      }
    });
  }
  // Long after the gateway has to have done with whoever takes nothing.
  if (takes_nothing) later(seconds{30}, [this] { leave(); });
  look_after();
  step();
}

// Whoever asks in full and reads must hear something sooner or later.
void client::state::look_after() {
  later(seconds{5}, [this] {
    const bool waits = !awaited.empty() && output.empty() && held_body.empty() && !reads_slowly() &&
                       !takes_nothing && !gone && !book.draining;
    if (waits && in.now() - line->below().last_moved > seconds{60}) {
      violation(fmt::format("waited a minute for {}", awaited.front().record->id));
      return;
    }
    look_after();
  });
}

void client::state::step() {
  if (over) return;
  line->step();
  next_ask();
  write();
  if (!over) read();
}

void client::state::next_ask() {
  while (!plan.empty() && output.empty() && held_body.empty() && !closing &&
         awaited.size() < depth) {
    ask one = std::move(plan.front());
    plan.pop_front();
    show_claim(in, book, one);
    output = one.head;
    in.trace("client {}: asks {}, {} {}", number, one.record->id, one.record->method,
             one.record->target);
    if (one.expect) {
      held_body = one.body;
      later(milliseconds{500} + delay(1, 500'000), [this] {
        output += std::exchange(held_body, {});
        write();
      });
    } else {
      output += one.body;
    }
    awaited.push_back(std::move(one));
  }
}

void client::state::write() {
  while (!over && !output.empty() && !resting) {
    std::size_t size = std::min(line->room(), output.size());
    if (size == 0) return;
    if (dribbles || in.chance(0.1)) size = in.skewed(1, size);
    line->write(std::string_view(output).substr(0, size));
    output.erase(0, size);
    const bool stalls = fault(0.003);
    if (!output.empty() && (stalls || (dribbles && in.chance(0.3)))) {
      resting = true;
      later(stalls ? delay(1'500'000, 6'000'000) : delay(1, 20'000), [this] {
        resting = false;
        step();
      });
    }
  }
}

void client::state::read() {
  if (takes_nothing || pausing) return;
  std::size_t size = SIZE_MAX;
  if (reads_slowly() && line->has_input()) {
    size = in.skewed(100, piece_bytes_max);
    pausing = true;
    later(delay(1'000, 400'000), [this] {
      pausing = false;
      step();
    });
  }
  input.append(line->read(size));
  if (!line->error().empty()) return violation(line->error());
  parse();
  if (over || !(line->ended() || line->is_cut())) return;
  check_part(reader.now());
  const bool excused = !book.calm || closing || book.draining || awaited.empty();
  if (over) return;
  if (!excused) return violation(fmt::format("no answer to {}", awaited.front().record->id));
  leave();
}

void client::state::parse() {
  while (!over) {
    const bool to_head = !awaited.empty() && awaited.front().record->method == "HEAD";
    const bool complete = reader.take(input, line->ended(), to_head);
    if (!reader.error().empty()) return violation("a bad response: " + reader.error());
    if (!complete) return;
    if (awaited.empty()) return violation("an answer nobody asked for: " + reader.now().start);
    check(reader.now());
    reader.next();
  }
}

// The answer of an origin that the gateway says this is; none when it is the gateway's own.
const answer_record* client::state::answer_of(const message& m) {
  if (m.count("x-answer") == 0) return nullptr;
  std::uint64_t number_of = 0;
  const std::string_view text = m.value("x-answer");
  std::from_chars(text.data(), text.data() + text.size(), number_of);
  const auto found = book.answers.find(number_of);
  if (found == book.answers.end()) {
    violation("an answer no origin gave");
    return nullptr;
  }
  if (awaited.empty() || found->second.request != awaited.front().record->id) {
    violation(fmt::format("the answer to {} came to another request", found->second.request));
  }
  return &found->second;
}

// What came before the connection was cut has to be right as far as it goes.
void client::state::check_part(const message& m) {
  if (!m.head_complete || m.complete || m.status < 200) return;
  const answer_record* a = answer_of(m);
  if (a == nullptr || over) return;
  if (!a->whole.starts_with(m.body)) violation("a body that is wrong and cut");
}

void client::state::check(const message& m) {
  const ask& to = awaited.front();
  if (m.status < 200) {
    const std::string_view id = m.value("x-interim");
    if (!id.empty() && id != std::to_string(to.record->id)) {
      return violation("an interim response to another request");
    }
    if (to.record->minor == 0) return violation("an interim response to HTTP/1.0");
    if (m.status == 100) {
      output += std::exchange(held_body, {});
      write();
    }
    return;
  }
  in.trace("client {}: {} to {}, answer {}", number, m.start, to.record->id, m.value("x-answer"));
  const answer_record* from_origin = answer_of(m);
  if (over) return;
  if (m.count("x-stray") > 0) return check_stray(m, to);
  if (from_origin != nullptr) {
    const answer_record& a = *from_origin;
    if (m.status != a.status) return violation("another status");
    if (m.body != a.body) {
      return violation(fmt::format("another body for {}: {} of {} bytes", to.record->id,
                                   m.body.size(), a.body.size()));
    }
    if (a.until_close && !a.ended_well) return violation("a cut answer passed for a whole one");
    if (m.count("x-hop") != 0) return violation("x-hop got through");
    ++book.answered;
  } else {
    check_own(m, to);
    if (over) return;
    ++book.refused;
  }
  if (m.count("x-request-id") != 1 || m.count("date") != 1) violation("our own fields are missing");
  if (over) return;
  to.record->status = m.status;
  to.record->request_id = m.value("x-request-id");
  if (m.status == 429) to.record->retry_after = seconds{std::atoi(m.value("retry-after").data())};
  closing = closing || m.value("connection") == "close";
  if (to.expect && !held_body.empty()) closing = true;  // refused before it was sent
  if (to.last && !closing && m.count("x-answer") > 0) violation("the connection was to be closed");
  if (over) return;
  awaited.pop_front();
  if (closing && (held_body.size() > 0 || awaited.empty())) {
    held_body.clear();
    later(delay(1, 100'000), [this] { leave(); });
    return;
  }
  if (awaited.empty() && plan.empty()) {
    // Some stay, to be closed when their keep-alive time is over.
    if (in.chance(0.8)) later(delay(1, 1'000'000), [this] { leave(); });
    return;
  }
  later(delay(1, in.chance(0.1) ? 4'000'000 : 20'000), [this] { step(); });
}

// A server may speak out of turn just when a request is on its way to it, and nobody can tell that
// from an answer. Said long before, it must not be taken for one.
void client::state::check_stray(const message& m, const ask& to) {
  std::uint64_t number_of = 0;
  const std::string_view text = m.value("x-stray");
  std::from_chars(text.data(), text.data() + text.size(), number_of);
  const auto found = book.answers.find(number_of);
  if (found == book.answers.end() ||
      to.record->first_arrival > found->second.said_at + milliseconds{250}) {
    return violation(fmt::format("an answer to nothing came to {}", to.record->id));
  }
  leave();
}

// What the gateway says by itself.
void client::state::check_own(const message& m, const ask& to) {
  if (to.record->target.starts_with("/fixed") && m.status == 200) {
    const bool to_head = to.record->method == "HEAD";
    if (m.body != (to_head ? std::string_view{} : fixed_body)) violation("another fixed answer");
    return;
  }
  if (to.record->at == door::mint && m.status == 200) {
    const bool right = book.take_minted(m.body, to.record->shown, in.now());
    if (!right || m.value("cache-control") != "no-store") violation("a bad token: " + m.body);
    return;
  }
  constexpr unsigned ours[] = {400, 401, 405, 408, 413, 414, 429, 431, 501, 502, 503, 504, 505};
  if (std::find(std::begin(ours), std::end(ours), m.status) == std::end(ours)) {
    return violation("an unknown answer: " + m.start);
  }
  if (book.calm && !to.may_be_refused) {
    return violation(fmt::format("refused for no reason: {} to {}", m.start, to.record->id));
  }
  if (!says_what_is_due(m, to.record->shown.doubled)) {
    return violation("a refusal that says the wrong things: " + m.start);
  }
  if (to.record->method != "HEAD" && !m.body.contains(fmt::format("\"status\":{}", m.status)) &&
      !m.body.empty()) {
    violation("a refusal with another body");
  }
}

client::client(world& w, ledger& book, client_door door, unsigned number, client_habits habits)
    : state_(std::make_shared<state>(w, book, door, number, habits)) {
  state_->make_plan();
  w.after(w.delay(microseconds{1}, habits.come_within), [self = state_] { self->connect(); });
}

void client::cut() {
  if (state_->over) return;
  state_->over = true;
  if (!state_->line) return;
  state_->line->below().on_change = nullptr;
  state_->line->below().cut();
}

void client::leave() {
  if (!state_->over) state_->leave();
}

bool client::done() const noexcept {
  return state_->over || (state_->line && state_->awaited.empty() && state_->plan.empty());
}

bool client::pipelines() const noexcept { return state_->depth > 1; }

std::string client::waiting_for() const {
  const state& s = *state_;
  if (s.over || !s.line || s.awaited.empty()) return {};
  return fmt::format("client {} waits for {}, {} bytes unsent", s.number,
                     s.awaited.front().record->id, s.output.size());
}

}  // namespace rw::sim
