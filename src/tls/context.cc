#include "tls/context.h"

#include <sodium.h>
#include <wolfssl/ssl.h>

#include <algorithm>
#include <unordered_map>

#include "base/text.h"
#include "tls/client_hello.h"
#include "tls/entry.h"
#include "tls/io.h"
#include "tls/library.h"
#include "tls/suites.h"
#include "tls/verification.h"

namespace rw::tls {
namespace {

failure invalid(const char* text) {
  return failure({.code = fault::invalid, .from = origin::configuration, .text = text});
}

struct hash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept {
    return std::hash<std::string_view>{}(text);
  }
};

constexpr bool is_name_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

bool can_verify(const client_hello& hello, key_kind kind) noexcept {
  if (hello.signatures.empty()) return true;  // RFC 5246 7.4.1.4.1: the defaults, any kind
  for (std::size_t i = 0; i + 1 < hello.signatures.size(); i += 2) {
    const auto high = std::to_integer<unsigned>(hello.signatures[i]);
    const auto low = std::to_integer<unsigned>(hello.signatures[i + 1]);
    const bool pss = high == 8 && low >= 4 && low <= 6;
    if (kind == key_kind::rsa && (pss || (high >= 2 && high <= 6 && low == 1))) return true;
    if (kind == key_kind::ecdsa && high >= 2 && high <= 6 && low == 3) return true;
    if (kind == key_kind::ed25519 && high == 8 && low == 7) return true;
  }
  return false;
}

// What the options come to with this library and CPU.
struct offer {
  std::vector<const suite*> suites;
  std::vector<std::uint16_t> groups;
  std::vector<std::uint16_t> groups_tls12;
  bool tls12 = false;
  bool tls13 = false;
};

result<> choose_suites(const server_options& options, offer& out) {
  if (options.ciphers.empty()) out.suites = usual_suites();
  for (const std::string& name : options.ciphers) {
    const suite* found = find_suite(name);
    if (found == nullptr) return invalid("a cipher that is neither of TLS 1.3 nor ECDHE and AEAD");
    if (std::find(out.suites.begin(), out.suites.end(), found) == out.suites.end()) {
      out.suites.push_back(found);
    }
  }
  for (const suite* each : out.suites) {
    (each->needs == suite::auth::any ? out.tls13 : out.tls12) = true;
  }
  if (options.min_version == protocol_version::tls13) out.tls12 = false;
  if (!out.tls12 && !out.tls13)
    return invalid("min_version is 1.3 and no cipher is one of TLS 1.3");
  return {};
}

result<> choose_groups(const server_options& options, offer& out,
                       std::vector<std::string>& dropped) {
  const auto add = [&](const group& each) {
    if (!each.linked) return dropped.emplace_back(each.name), void();
    if (std::find(out.groups.begin(), out.groups.end(), each.id) != out.groups.end()) return;
    out.groups.push_back(each.id);
    if (each.tls12) out.groups_tls12.push_back(each.id);
  };
  if (options.groups.empty()) {
    for (const group& each : groups()) {
      if (each.usual) add(each);
    }
  }
  for (const std::string& name : options.groups) {
    const group* found = find_group(name);
    if (found == nullptr) return invalid("an unknown group");
    add(*found);
  }
  if (out.groups.empty()) return invalid("the linked wolfSSL has none of the groups");
  return {};
}

bool serves(const offer& offered, key_kind kind) noexcept {
  if (offered.tls13) return true;
  const auto usable = kind == key_kind::rsa ? suite::auth::rsa : suite::auth::ecdsa;
  return std::any_of(offered.suites.begin(), offered.suites.end(),
                     [&](const suite* each) { return each->needs == usable; });
}

WOLFSSL_METHOD* method(const offer& offered) {
  if (!offered.tls12) return wolfTLSv1_3_server_method();
  if (!offered.tls13) return wolfTLSv1_2_server_method();
  return wolfSSLv23_server_method();
}

const unsigned char* bytes_of(std::string_view text) noexcept {
  return reinterpret_cast<const unsigned char*>(text.data());
}

bool verify_clients(WOLFSSL_CTX* context, const server_options& by) {
  if (!by.client_ca) return true;
  wolfSSL_CTX_SetMinRsaKey_Sz(context, 2048);
  for (const std::string& der : by.client_ca->certificates()) {
    if (wolfSSL_CTX_load_verify_buffer(context, bytes_of(der), static_cast<long>(der.size()),
                                       WOLFSSL_FILETYPE_ASN1) != WOLFSSL_SUCCESS) {
      return false;
    }
  }
  attach_client_verification(context, by.client_required);
  return true;
}

bool set_up(WOLFSSL_CTX* context, const certificate& from, const offer& offered) {
  std::string list;
  for (const suite* each : offered.suites) {
    if (each->needs == suite::auth::any ? !offered.tls13 : !offered.tls12) continue;
    if (!list.empty()) list += ':';
    list += each->library;
  }
  std::vector<int> groups(offered.groups.begin(), offered.groups.end());
  const std::string_view chain = from.chain_pem();
  const std::string_view key = from.key_der().view();
  constexpr auto ok = WOLFSSL_SUCCESS;
  return wolfSSL_CTX_SetMinVersion(context, offered.tls12 ? WOLFSSL_TLSV1_2 : WOLFSSL_TLSV1_3) ==
             ok &&
         wolfSSL_CTX_set_cipher_list(context, list.c_str()) == ok &&
         wolfSSL_CTX_set_groups(context, groups.data(), static_cast<int>(groups.size())) == ok &&
         wolfSSL_CTX_use_certificate_chain_buffer_format(context, bytes_of(chain),
                                                         static_cast<long>(chain.size()),
                                                         WOLFSSL_FILETYPE_PEM) == ok &&
         wolfSSL_CTX_use_PrivateKey_buffer(context, bytes_of(key), static_cast<long>(key.size()),
                                           WOLFSSL_FILETYPE_ASN1) == ok &&
         wolfSSL_CTX_set_group_messages(context) == ok &&
         wolfSSL_CTX_set_session_cache_mode(context, WOLFSSL_SESS_CACHE_OFF) == ok;
}

}  // namespace

struct server_context::by_name {
  // Each name's entries in the order of the configuration; wildcards under "*.rest".
  std::unordered_map<std::string, std::vector<const context_entry*>, hash, std::equal_to<>> all;
};

context_entry::~context_entry() {
  for (WOLFSSL_CTX* const one : of_thread) wolfSSL_CTX_free(one);
}

server_context::server_context() = default;
server_context::~server_context() = default;

result<std::shared_ptr<const server_context>> server_context::create(
    server_options options, std::vector<std::shared_ptr<const certificate>> certificates,
    std::shared_ptr<const ticket_keys> keys) {
  if (auto started = library_init(); !started) return failure(started.error());
  if (certificates.empty()) return invalid("a TLS listener needs a certificate");
  offer offered;
  std::shared_ptr<server_context> made(new server_context);
  if (auto chosen = choose_suites(options, offered); !chosen) return failure(chosen.error());
  if (auto chosen = choose_groups(options, offered, made->dropped_groups_); !chosen) {
    return failure(chosen.error());
  }
  made->groups_ = offered.tls13 ? offered.groups : offered.groups_tls12;
  made->groups_tls12_ = offered.groups_tls12;
  made->names_ = std::make_unique<by_name>();
  const unsigned contexts = options.client_ca ? options.threads : 1;
  made->keys_ = options.session_tickets && !options.client_ca ? std::move(keys) : nullptr;
  made->options_ = std::move(options);
  for (auto& from : certificates) {
    if (!serves(offered, from->kind())) {
      return invalid("none of the ciphers can be used with a certificate's kind of key");
    }
    auto one = std::make_unique<context_entry>();
    for (unsigned i = 0; i < contexts; ++i) {
      WOLFSSL_CTX* const fresh = wolfSSL_CTX_new(method(offered));
      if (fresh != nullptr) one->of_thread.push_back(fresh);
      if (fresh == nullptr || !set_up(fresh, *from, offered) ||
          !verify_clients(fresh, made->options_)) {
        return invalid("wolfSSL refuses a certificate, its key, or the listener's TLS options");
      }
      attach_io(fresh);
    }
    one->served = std::move(from);
    attach_tickets(*one, made->keys_.get(), made->options_.listener);
    for (const std::string& name : one->served->names()) {
      made->names_->all[name].push_back(one.get());
    }
    made->entries_.push_back(std::move(one));
  }
  return made;
}

const context_entry* server_context::choose(const client_hello& hello) const noexcept {
  constexpr std::size_t name_chars_max = 253;  // RFC 1035 2.3.4
  const context_entry* const otherwise = options_.strict_sni ? nullptr : entries_.front().get();
  const std::string_view sent = hello.server_name;
  if (sent.empty() || sent.size() > name_chars_max) return otherwise;
  char lower[name_chars_max + 1];
  std::transform(sent.begin(), sent.end(), lower + 1, ascii_lower);
  const std::string_view name(lower + 1, sent.size());
  if (!std::all_of(name.begin(), name.end(), is_name_character)) return otherwise;

  auto found = names_->all.find(name);
  if (const auto dot = name.find('.'); found == names_->all.end() && dot != name.npos && dot > 0) {
    lower[dot] = '*';  // the place before the dot: "a.example.org" -> "*.example.org"
    found = names_->all.find(std::string_view(lower + dot, name.size() - dot + 1));
  }
  if (found == names_->all.end()) return otherwise;
  for (const context_entry* candidate : found->second) {
    if (can_verify(hello, candidate->served->kind())) return candidate;
  }
  return found->second.front();
}

bool server_context::has_common_group(const client_hello& hello) const noexcept {
  if (hello.groups.empty()) return true;  // RFC 8422 4: any; of TLS 1.3 clients wolfSSL asks them
  const auto& ours = hello.offers_tls13 ? groups_ : groups_tls12_;
  return std::any_of(ours.begin(), ours.end(),
                     [&](std::uint16_t id) { return hello.has_group(id); });
}

std::string_view server_context::choose_protocol(const client_hello& hello) const noexcept {
  for (const std::string& ours : options_.protocols) {
    if (any_protocol(hello, [&](std::string_view theirs) { return theirs == ours; })) return ours;
  }
  return {};
}

}  // namespace rw::tls
