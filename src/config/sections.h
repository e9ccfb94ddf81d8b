// One function per table of the contract: its keys, their types, ranges and defaults, and what must
// hold between them. Each is in the read_ file of its section.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/name_index.h"
#include "config/table_reader.h"

namespace rw::config {

struct catalog {
  name_index listeners;
  name_index issuers;
  name_index limits;
  name_index upstreams;
  name_index routes;
};

void read_server(table_reader& in, server& out);
void read_log(table_reader& in, log& out);
void read_admin(table_reader& in, admin& out);
void read_listener(table_reader& in, listener& out);
void read_auth(table_reader& in, configuration& out, catalog& names);
void read_redis(table_reader& in, redis& out);
void read_geo(table_reader& in, geo& out);
// After [redis] and [geo].
void read_limit(table_reader& in, const configuration& settings, limit& out);
void read_ban(table_reader& in, ban& out);
void read_upstream(table_reader& in, upstream& out);
// A list of CIDRs.
void read_networks(table_reader& in, std::string_view key, std::vector<std::string>& out);
// After everything that a route can refer to.
void read_route(table_reader& in, const configuration& settings, catalog& names, route& out);
void read_countries(table_reader& in, const configuration& settings, route& out);
// `cors`, after response_headers.
void read_cors(table_reader& in, route& out);

// Warns of routes that no request can reach, because earlier ones take all of theirs; places[i] is
// where routes[i] begins.
void find_unreachable(const std::vector<route>& routes, const std::vector<place>& places,
                      report& out);

// Reads the whole document.
void read_root(const members& root, report& out, configuration& settings);

}  // namespace rw::config
