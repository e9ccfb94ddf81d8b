// The document: its tables in an order in which each finds what it refers to.
#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>

#include "config/address.h"
#include "config/names.h"
#include "config/read_headers.h"
#include "config/sections.h"

namespace rw::config {
namespace {

// How many distinct methods all routes together may name: route::table keeps sets of them in 64
// bits.
constexpr std::size_t methods_max = 48;

void read_name(table_reader& in, std::string& out, name_index& names) {
  const node* at = in.text("name", out, need::required);
  const place where = at == nullptr ? in.at() : at->at;
  if (at != nullptr) {
    if (const std::string_view why = refuse_name(out); !why.empty()) {
      in.error(where, "name", std::string(why));
    }
  }
  // A thing without a name still takes its index; "" is what nobody can refer to.
  const name_index::entry* same = names.add(out, where);
  if (same != nullptr && !out.empty()) {
    in.error(where, "name", fmt::format("\"{}\" is already at {}", out, in.describe(same->at)));
  }
}

// Reads every table of the array `key` by way of `read`, name first.
template <class T, class F>
void read_named(table_reader& in, std::string_view key, std::vector<T>& out, name_index& names,
                F&& read) {
  in.tables(key, [&](table_reader& table) {
    T& one = out.emplace_back();
    read_name(table, one.name, names);
    read(table, one);
  });
}

// The octets that bind() would see; empty where any number may be bound.
std::string socket_key(const std::string& written) {
  const auto parsed = parse_address(written);
  const bool is_any_port = parsed && parsed->what == address::kind::ip && parsed->port == 0;
  if (!parsed || is_any_port) return {};
  return {reinterpret_cast<const char*>(&parsed->socket), parsed->length};
}

void check_addresses(const configuration& settings, const std::vector<place>& places, report& out) {
  std::map<std::string, place> taken;
  for (std::size_t i = 0; i < settings.listeners.size(); ++i) {
    const std::string key = socket_key(settings.listeners[i].address);
    if (key.empty()) continue;
    if (const auto [at, is_new] = taken.try_emplace(key, places[i]); !is_new) {
      out.error(places[i], "listener.address",
                fmt::format("{} is already the address of the listener at {}",
                            settings.listeners[i].address, out.describe(at->second)));
    }
  }
  const auto same = taken.find(socket_key(settings.admin.address));
  if (same != taken.end()) {
    out.error(same->second, "listener.address",
              fmt::format("{} is admin.address", settings.admin.address));
  }
}

// Where redirect_to_https leads: the first listener with TLS that has a port.
void check_redirects(const configuration& settings, const std::vector<place>& places, report& out) {
  const auto is_https = [](const listener& one) {
    return one.has_tls && !one.address.starts_with("unix:");
  };
  if (std::ranges::any_of(settings.listeners, is_https)) return;
  for (std::size_t i = 0; i < settings.listeners.size(); ++i) {
    if (!settings.listeners[i].redirect_to_https) continue;
    out.error(places[i], "listener.redirect_to_https",
              "leads nowhere: no listener has [listener.tls] at an IP address");
  }
}

void check_methods(const configuration& settings, report& out) {
  std::set<std::string_view> methods;
  for (const route& one : settings.routes) methods.insert(one.methods.begin(), one.methods.end());
  if (methods.size() > methods_max) {
    out.error({}, "route.methods",
              fmt::format("all routes together name at most {} methods", methods_max));
  }
}

// What was written in the belief that it acts.
void warn_unused(const name_index& names, std::string_view key, report& out) {
  for (const auto& [name, entry] : names.all()) {
    if (entry.is_used || name.empty()) continue;
    out.warning(entry.at, std::string(key), fmt::format("no route uses \"{}\"", name));
  }
}

void read_parts(table_reader& in, configuration& settings, catalog& names,
                std::vector<place>& listener_places, std::vector<place>& route_places) {
  in.table("server", [&](table_reader& table) { read_server(table, settings.server); });
  in.table("log", [&](table_reader& table) { read_log(table, settings.log); });
  in.table("admin", [&](table_reader& table) { read_admin(table, settings.admin); });
  settings.ban.present =
      in.table("ban", [&](table_reader& table) { read_ban(table, settings.ban); });
  in.table("auth", [&](table_reader& table) { read_auth(table, settings, names); });
  in.table("security_headers",
           [&](table_reader& table) { read_security_headers(table, settings.security_headers); });
  read_named(in, "listener", settings.listeners, names.listeners,
             [&](table_reader& table, listener& one) {
               listener_places.push_back(table.at());
               read_listener(table, one);
             });
  settings.has_geo = in.table("geo", [&](table_reader& table) { read_geo(table, settings.geo); });
  settings.redis.present =
      in.table("redis", [&](table_reader& table) { read_redis(table, settings.redis); });
  read_named(in, "limit", settings.limits, names.limits,
             [&](table_reader& table, limit& one) { read_limit(table, settings, one); });
  read_named(in, "upstream", settings.upstreams, names.upstreams, read_upstream);
  read_named(in, "route", settings.routes, names.routes, [&](table_reader& table, route& one) {
    route_places.push_back(table.at());
    read_route(table, settings, names, one);
  });
}

}  // namespace

void read_root(const members& root, report& out, configuration& settings) {
  settings.security_headers = default_security_headers();
  catalog names;
  std::vector<place> listener_places;
  std::vector<place> route_places;
  table_reader in(out, root, {}, {});
  read_parts(in, settings, names, listener_places, route_places);
  in.finish();
  if (settings.listeners.empty() && !in.wrote("listener")) {
    out.error({}, {}, "there is no [[listener]]: nothing to do");
  }
  check_addresses(settings, listener_places, out);
  check_redirects(settings, listener_places, out);
  check_methods(settings, out);
  // What follows from what is not right yet would only be noise.
  if (out.has_error()) return;
  if (settings.routes.empty()) out.warning({}, {}, "there is no [[route]]: every answer is 404");
  warn_unused(names.limits, "limit", out);
  warn_unused(names.upstreams, "upstream", out);
  warn_unused(names.issuers, "auth.jwt", out);
  find_unreachable(settings.routes, route_places, out);
}

}  // namespace rw::config
