// One client's connection, from the handshake to the last answer.
#pragma once

#include <cstdint>
#include <memory>

#include "auth/authenticate.h"
#include "gateway/waiting_list.h"
#include "io/task.h"
#include "limit/limiter.h"
#include "net/address.h"
#include "net/proxy_header.h"
#include "net/stream.h"

namespace rw::gateway {

class worker;
struct exchange;
struct listener_plan;

// A client's certificate, and the authorities that it was verified by.
struct shown_certificate {
  auth::client_certificate certificate;
  std::shared_ptr<const tls::authorities> by;
};

// Where a database says that a client is.
struct located_client {
  config::ip16 ip{};
  std::uint64_t by = 0;  // which database
  rw::country country;
};

// Lives in the frame of serve(), and what few need is not in it: most connections are idle ones;
// known to its worker so that draining can reach it.
struct connection : waiting_client {
  connection(worker& on, int fd, std::uint32_t listener);
  ~connection();
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  // Ends while it waits for its client.
  void give_way() noexcept;

  bool anonymous = false;    // reset before it could be asked whose it is: nothing is served
  bool idle = false;         // between requests: nothing is lost by closing it
  bool gives_way = false;    // to somebody who comes: see worker::make_room()
  bool multiplexed = false;  // by HTTP/2: see h2_connection.h
  bool outdated = false;     // its client would not be let in any more: see send_away_outdated()
  worker& on;
  net::stream downstream;
  std::uint32_t listener;  // index into snapshot::listeners
  net::endpoint peer;      // or whom it has said to connect for: see read_proxy_header()
  // What a PROXY header has said, or would say: null until there is one, or somebody asks.
  std::unique_ptr<const net::proxy_header> header;
  mono_time opened;  // here: one that was handed over was accepted a moment before
  std::uint64_t requests = 0;
  std::unique_ptr<const shown_certificate> shown;    // null: none
  exchange* current = nullptr;                       // null between requests; HTTP/2 has more
  std::shared_ptr<const limit::limiter> bounded_by;  // null: its client has no bounds
  limit::key place;                                  // in those, until its end
  std::unique_ptr<located_client> located;           // null: nobody has looked
  connection* next = nullptr;
  connection* previous = nullptr;
};

// Of a worker's connections, after it has adopted other rules: those whose clients would not be let
// in any more, with what they have shown, end with the answer under way, or at once.
void send_away_outdated(connection* first) noexcept;

// Whether the connection is to end with the answer to come: its client would not be let in any
// more, or its certificate's time is over.
bool is_outdated(const connection& c) noexcept;

// Serves `fd` until either side ends it. Owns the descriptor. `surplus`: there are too many without
// it, so somebody gives way, or it is closed.
io::task<> serve(worker& on, int fd, std::uint32_t listener, bool surplus);

}  // namespace rw::gateway
