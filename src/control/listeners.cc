#include "control/listeners.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

namespace rw::control {
namespace {

constexpr std::string_view stored_prefix = "listener.";

// What is in the store has our names; a .socket unit gives its own.
bool was_stored(const net::inherited_socket& one) { return one.name.starts_with(stored_prefix); }

}  // namespace

bool listeners::open(const std::vector<config::listener>& wanted, unsigned workers,
                     net::inherited_sockets passed, const net::bind_helper& helper,
                     const observe::log& log) {
  for (const config::listener& one : wanted) {
    const std::string prefix = fmt::format("{}{}.", stored_prefix, one.name);
    const result<config::address> where = config::parse_address(one.address);
    std::vector<net::inherited_socket> taken;
    if (where) taken = passed.take(*where, prefix);
    if (!taken.empty()) {
      std::vector<int> fds;
      fds.reserve(taken.size());
      for (const net::inherited_socket& socket : taken) fds.push_back(socket.fd);
      sockets_.push_back(net::listening_sockets::adopt(*where, workers, std::move(fds), helper));
      if (std::ranges::all_of(taken, was_stored)) restored_.push_back(sockets_.size() - 1);
      log.debug(fmt::format("listener {}: {} sockets that were there", one.name, taken.size()));
    } else {
      result<net::listening_sockets> opened =
          where ? net::listening_sockets::open(*where, workers, 0666, net::after_a_kill, helper)
                : failure(where.error());
      if (!opened) {
        const int os = opened.error().os;
        log.error(fmt::format("listener {}: {}: {}", one.name, one.address,
                              os == EADDRINUSE ? "the port is in use by another program"
                              : os != 0        ? std::strerror(os)
                                               : opened.error().text));
        return false;
      }
      sockets_.push_back(std::move(*opened));
    }
    name_all(prefix, taken, sockets_.back().all());
  }
  sort_out(std::move(passed), log);
  return true;
}

// Every socket that no unit holds gets a name in the store: the one it has there, or a free one.
void listeners::name_all(const std::string& prefix, const std::vector<net::inherited_socket>& taken,
                         const std::vector<int>& fds) {
  std::set<std::string> used;
  for (const net::inherited_socket& one : taken) {
    if (one.name.starts_with(prefix)) used.insert(one.name);
  }
  unsigned next = 0;
  for (const int fd : fds) {
    const auto known = std::ranges::find(taken, fd, &net::inherited_socket::fd);
    if (known != taken.end() && !was_stored(*known)) {
      of_unit_.push_back(*known);
      continue;
    }
    if (known != taken.end() && known->name.starts_with(prefix)) {
      kept_.push_back({fd, known->name, true});
      continue;
    }
    if (known != taken.end()) obsolete_.push_back(known->name);  // of a listener renamed
    std::string name;
    do {
      name = fmt::format("{}{}", prefix, next++);
    } while (!used.insert(name).second);
    kept_.push_back({fd, std::move(name), false});
  }
}

// Who is in the queue of a socket whose address is no listener's any more is refused with it.
void listeners::sort_out(net::inherited_sockets passed, const observe::log& log) {
  for (net::inherited_socket& one : passed.take_rest()) {
    ::close(one.fd);
    if (was_stored(one) || one.name == witness_name) {
      obsolete_.push_back(std::move(one.name));
    } else {
      log.warning(
          fmt::format("the service manager passed socket \"{}\", which is at no listener's "
                      "address: it is not used",
                      one.name));
    }
  }
}

void listeners::listen() noexcept {
  for (net::listening_sockets& one : sockets_) one.listen();
}

void listeners::store(service_manager& manager) {
  for (const std::string& name : obsolete_) manager.forget(name);
  for (const kept& one : kept_) {
    // The manager has it, unless it was forgotten with another one of that name.
    if (one.is_stored && std::ranges::find(obsolete_, one.name) == obsolete_.end()) continue;
    manager.store(one.fd, one.name);
  }
  obsolete_.clear();
  // From here on this process says who comes after it; one that fails before leaves all as it was.
  for (const std::size_t i : restored_) sockets_[i].own_path();
  manager.store_witness();
}

void listeners::forget(service_manager& manager) const {
  for (const kept& one : kept_) manager.forget(one.name);
  manager.forget_witness();
}

std::vector<handed_descriptor> listeners::handed() const {
  std::vector<handed_descriptor> all;
  all.reserve(of_unit_.size() + kept_.size());
  for (const net::inherited_socket& one : of_unit_) all.push_back({.name = one.name, .fd = one.fd});
  for (const kept& one : kept_) all.push_back({.name = one.name, .fd = one.fd});
  return all;
}

void listeners::leave() {
  for (net::listening_sockets& one : sockets_) one.leave_path();
  sockets_.clear();
}

void listeners::close(const service_manager& manager) {
  if (manager.keeps_sockets()) {
    for (net::listening_sockets& one : sockets_) one.leave_path();
  }
  sockets_.clear();
}

}  // namespace rw::control
