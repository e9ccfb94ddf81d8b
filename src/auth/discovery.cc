#include "auth/discovery.h"

#include "auth/json.h"

namespace rw::auth {

std::string discovery_url(std::string_view issuer) {
  if (issuer.ends_with('/')) issuer.remove_suffix(1);
  return std::string(issuer) + "/.well-known/openid-configuration";
}

std::expected<std::string, const char*> read_discovery(std::string_view json,
                                                       std::string_view issuer) {
  json_reader reader;
  const auto document = reader.parse(json);
  if (!document) return std::unexpected("the openid-configuration is not one strict JSON object");
  const auto said = document->find_string("issuer");
  if (said != issuer) {
    return std::unexpected("the openid-configuration is of another `issuer` than the one asked");
  }
  const auto uri = document->find_string("jwks_uri");
  if (!uri) return std::unexpected("the openid-configuration has no `jwks_uri`");
  return std::string(*uri);
}

}  // namespace rw::auth
