// One certificate of a server_context and the WOLFSSL_CTX made for it. Inside tls/ only.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <vector>

#include "tls/context.h"

struct WOLFSSL_CTX;

namespace rw::tls {

struct context_entry {
  context_entry() = default;
  ~context_entry();
  context_entry(const context_entry&) = delete;
  context_entry& operator=(const context_entry&) = delete;

  std::vector<WOLFSSL_CTX*> of_thread;  // one for all threads where clients show no certificate
  std::shared_ptr<const certificate> served;
  const ticket_keys* keys = nullptr;         // null: no tickets
  std::array<std::byte, 32> ticket_binding;  // of listener and certificate
};

}  // namespace rw::tls
